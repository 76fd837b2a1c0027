import { expect, test } from 'vitest'
import { Turns } from './turns.ts'

/** Takes a turn and notes when it came. */
function take(turns: Turns, service: string, order: string[]): void {
  void turns.take(service).then(() => order.push(service))
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

test('one at a time, in the order asked for', async () => {
  const turns = new Turns()
  const order: string[] = []
  for (const service of ['a', 'b', 'c']) take(turns, service, order)
  for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
    await settle()
    expect(order).toEqual(expected)
    turns.next()
  }
  take(turns, 'd', order)
  await settle()
  expect(order).toEqual(['a', 'b', 'c', 'd'])
})

test('a service that asks for many delays another by one', async () => {
  const turns = new Turns()
  const order: string[] = []
  for (let n = 0; n < 5; n++) take(turns, 'greedy', order)
  take(turns, 'modest', order)
  take(turns, 'modest', order)
  for (let n = 0; n < 7; n++) {
    await settle()
    turns.next()
  }
  expect(order).toEqual(['greedy', 'greedy', 'modest', 'greedy', 'modest', 'greedy', 'greedy'])
})

test('a service that cannot keep up is refused, others are not', async () => {
  const turns = new Turns()
  await turns.take('a')
  for (let n = 0; n < 10_000; n++) void turns.take('a')
  await expect(turns.take('a')).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('10000 transactions waiting'),
  })
  let came = false
  void turns.take('b').then(() => (came = true))
  turns.next()
  turns.next()
  await settle()
  expect(came).toBe(true)
})
