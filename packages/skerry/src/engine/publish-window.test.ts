import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock, turn } from '../base/clock.ts'
import type { Message, PublishOutcome } from './broker.ts'
import { CONFIRMED } from './publish-batch.ts'
import type { PublishWindowOptions, Unconfirmed } from './publish-window.ts'
import { PublishWindow } from './publish-window.ts'

interface Sent extends Unconfirmed {
  readonly id: string
}

let clock: VirtualClock
/** What was given to the wire, in order. */
let sent: Sent[]
let window: PublishWindow<Sent>

beforeEach(() => {
  clock = new VirtualClock()
  sent = []
})

describe('messages', () => {
  test('leave in the order of the calls, and outcomes come back in their places', async () => {
    make()
    window.open()
    const calls = [window.publish([message('1'), message('2')]), window.publish([message('3')])]
    await turn()
    expect(ids()).toEqual(['1', '2', '3'])
    answer('3')
    answer('2', failed('no'))
    answer('1')
    expect(await Promise.all(calls)).toEqual([[CONFIRMED, failed('no')], [CONFIRMED]])
    expect(await window.publish([])).toEqual([])
  })

  test('wait for the first connection', async () => {
    make()
    const outcomes = window.publish([message('1')])
    await turn()
    expect(ids()).toEqual([])
    window.open()
    await turn()
    answer('1')
    expect(await outcomes).toEqual([CONFIRMED])
  })

  test('are copies of what was given', async () => {
    const given = { ...message('1') }
    const topics: string[] = []
    make({ decide: ({ topic }) => (topics.push(topic), 'send') })
    void window.publish([given])
    given.topic = 'changed'
    window.open()
    await turn()
    expect(topics).toEqual(['orders'])
  })
})

describe('room', () => {
  test('is bounded by number', async () => {
    make({ maxUnconfirmed: 2 })
    window.open()
    void window.publish(['1', '2', '3', '4'].map((id) => message(id)))
    await turn()
    expect(ids()).toEqual(['1', '2'])
    answer('2')
    await turn()
    expect(ids()).toEqual(['1', '2', '3'])
    answer('1')
    answer('3')
    await turn()
    expect(ids()).toEqual(['1', '2', '3', '4'])
  })

  test('is bounded by bytes, and one larger message travels alone', async () => {
    make({ maxUnconfirmedBytes: 10 })
    window.open()
    void window.publish([message('1', 'x'.repeat(6)), message('2', 'x'.repeat(4)), message('3', 'x'.repeat(50)), message('4', 'x')])
    await turn()
    expect(ids()).toEqual(['1', '2'])
    answer('1')
    await turn()
    expect(ids()).toEqual(['1', '2'])
    answer('2')
    await turn()
    expect(ids()).toEqual(['1', '2', '3'])
    answer('3')
    await turn()
    expect(ids()).toEqual(['1', '2', '3', '4'])
  })

  test('taken by a message is given back once, however often it is answered', async () => {
    make({ maxUnconfirmed: 1 })
    window.open()
    const outcomes = window.publish([message('1'), message('2'), message('3')])
    await turn()
    answer('1')
    answer('1', failed('too late'))
    await turn()
    expect(ids()).toEqual(['1', '2'])
    answer('2')
    await turn()
    answer('3')
    expect(await outcomes).toEqual([CONFIRMED, CONFIRMED, CONFIRMED])
  })
})

describe('a decision', () => {
  test('to wait holds back everything behind it, until it is asked again', async () => {
    let decision: 'send' | 'wait' = 'wait'
    make({ decide: ({ id }) => (id === '2' ? decision : 'send') })
    window.open()
    void window.publish([message('1'), message('2'), message('3')])
    await turn()
    expect(ids()).toEqual(['1'])
    decision = 'send'
    window.pump()
    await turn()
    expect(ids()).toEqual(['1', '2', '3'])
  })

  test('may be an outcome: nothing is sent', async () => {
    make({ decide: ({ id }) => (id === '2' ? { kind: 'unroutable' } : 'send') })
    window.open()
    const outcomes = window.publish([message('1'), message('2')])
    await turn()
    answer('1')
    expect(await outcomes).toEqual([CONFIRMED, { kind: 'unroutable' }])
    expect(ids()).toEqual(['1'])
  })
})

describe('a lost connection', () => {
  test('fails what is on its way and what waits, and what comes, until there is another', async () => {
    make({ maxUnconfirmed: 1 })
    window.open()
    const outcomes = window.publish([message('1'), message('2')])
    await turn()
    window.fail('lost')
    expect(await outcomes).toEqual([failed('lost'), failed('lost')])
    expect(await window.publish([message('3')])).toEqual([failed('lost')])
    window.open()
    const again = window.publish([message('4')])
    await turn()
    expect(ids()).toEqual(['1', '4'])
    answer('4')
    expect(await again).toEqual([CONFIRMED])
  })

  test('ends the reason for which messages were held', async () => {
    make()
    window.open()
    window.hold('no disk')
    window.fail('lost')
    window.open()
    void window.publish([message('1')])
    await turn()
    expect(ids()).toEqual(['1'])
  })
})

describe('an end', () => {
  test('comes to what has no answer, without harm to what is younger', async () => {
    make()
    window.open()
    const early = window.publish([message('1')])
    await clock.advance(700)
    const late = window.publish([message('2')])
    await clock.advance(800)
    expect(await early).toEqual([failed('overdue')])
    answer('1')
    answer('2')
    expect(await late).toEqual([CONFIRMED])
  })

  test('comes to what no connection could be found for', async () => {
    make()
    const outcomes = window.publish([message('1')])
    await clock.advance(1_500)
    expect(await outcomes).toEqual([failed('Broker at mq could not be reached within 1000 ms')])
    expect(clock.nextTimerMs()).toBeUndefined()
  })

  test('comes to what is held, with the reason, counted from when it was first held', async () => {
    make()
    window.open()
    await clock.advance(5_000)
    window.hold('no disk')
    let settled = false
    const outcomes = window.publish([message('1')])
    void outcomes.then(() => (settled = true))
    await clock.advance(999)
    expect([ids(), settled]).toEqual([[], false])
    await clock.advance(1)
    expect(await outcomes).toEqual([failed('no disk')])
  })

  test('does not come to what is held back by others on their way', async () => {
    make({ maxUnconfirmed: 1, decide: ({ id }) => (id === '2' ? 'wait' : 'send') })
    window.open()
    let settled = false
    void window.publish([message('2')]).then(() => (settled = true))
    await clock.advance(10_000)
    expect(settled).toBe(false)
  })
})

describe('close()', () => {
  test('waits for what was sent, and fails what was not and what comes', async () => {
    make({ maxUnconfirmed: 1 })
    window.open()
    const outcomes = window.publish([message('1'), message('2')])
    await turn()
    let closed = false
    const closing = window.close().then(() => (closed = true))
    await turn()
    expect(closed).toBe(false)
    answer('1')
    await closing
    expect(await outcomes).toEqual([CONFIRMED, failed('the connection to Broker at mq was closed')])
    window.open()
    expect(await window.publish([message('3')])).toEqual([failed('the connection to Broker at mq was closed')])
    expect(clock.nextTimerMs()).toBeUndefined()
  })

  test('does not wait for ever, and keeps its reason when the connection is lost meanwhile', async () => {
    make({ confirmTimeoutMs: 60_000 })
    window.open()
    const outcomes = window.publish([message('1')])
    await turn()
    const closing = window.close()
    await clock.advance(5_000)
    await closing
    expect(await outcomes).toEqual([failed('the connection to Broker at mq was closed')])
    window.fail('lost')
    expect(await window.publish([message('2')])).toEqual([failed('the connection to Broker at mq was closed')])
  })
})

function make(options: Partial<PublishWindowOptions> = {}): void {
  window = new PublishWindow({
    clock,
    description: 'Broker at mq',
    maxUnconfirmed: 100,
    maxUnconfirmedBytes: 1_000,
    confirmTimeoutMs: 1_000,
    overdue: 'overdue',
    sizeOf: ({ body }) => body.length,
    send(given, answerWith) {
      const one: Sent = { id: given.id, bytes: given.body.length, answer: answerWith }
      sent.push(one)
      window.add(one)
    },
    ...options,
  })
}

function ids(): string[] {
  return sent.map(({ id }) => id)
}

function answer(id: string, outcome: PublishOutcome = CONFIRMED): void {
  window.settle(
    sent.find((one) => one.id === id)!,
    outcome,
  )
}

function failed(reason: string): PublishOutcome {
  return { kind: 'failed', reason }
}

function message(id: string, body = ''): Message {
  return { id, topic: 'orders', type: 'orders.placed', key: 'key', body }
}
