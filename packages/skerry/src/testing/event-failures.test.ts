/** What a failure of a handler comes to, from the call that failed to the dead letter, over the whole path. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { contract, event, post, problem } from '../contract/index.ts'
import { service } from '../service/index.ts'
import { fake } from './fake.ts'
import { testSystem } from './test-system.ts'

const Order = z.object({ id: z.int() })
const orders = contract('orders', { version: '1.0.0', operations: {}, events: { placed: event(Order, { key: 'id' }) } })
const mails = contract('mails', {
  version: '1.0.0',
  operations: {
    send: post('/mails', { input: z.object({ id: z.int().max(99) }), errors: { addressUnknown: problem(409, 'Nobody lives there') } }),
  },
})
const reminders = contract('reminders', { version: '1.0.0', operations: {} })

const definition = service(reminders, { uses: { mails }, listens: [orders] })

/** A service that has a mail sent for each order, by a peer that answers as given. */
async function scene(answer: (id: number) => Promise<void> | void, forceWire: boolean | 'fast' = false) {
  const attempts: number[] = []
  let answered = 0
  const reminderService = definition.implement(
    {},
    {
      on: [
        definition.effect(orders.events.placed, async ({ event: { id }, meta, call }) => {
          attempts.push(meta.attempt)
          await call.mails.send({ id })
        }),
      ],
    },
  )
  const mailService = fake(mails, {
    send: async ({ id }, { fail }) => {
      answered++
      if (id === 2) throw fail.addressUnknown()
      await answer(id)
    },
  })
  const app = await testSystem({ services: [reminderService], fakes: [mailService, fake(orders, {})], forceWire })
  return {
    attempts,
    answered: () => answered,
    order: async (id: number) => {
      await app.publish(orders.events.placed, { id })
      await app.settled()
    },
    letters: () => app.deadLetters(),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}

describe.each([false, true, 'fast'] as const)('an event whose handler calls a peer (over HTTP: %s)', (forceWire) => {
  it('is a dead letter at once when the peer answers with a problem that it declares', async () => {
    await using shop = await scene(() => {}, forceWire)
    await shop.order(2)
    expect(shop.attempts).toEqual([1])
    expect(await shop.letters()).toMatchObject([{ cause: 'rejected', attempts: 1, error: 'mails.send: Nobody lives there' }])
  })

  it('is a dead letter at once when the peer refuses what it is sent', async () => {
    await using shop = await scene(() => {}, forceWire)
    await shop.order(100)
    expect([shop.attempts, shop.answered()]).toEqual([[1], 0])
    expect(await shop.letters()).toMatchObject([{ cause: 'rejected', attempts: 1 }])
  })

  it('is tried until the peer is there again, and none of that is an attempt', async () => {
    let failures = 0
    await using shop = await scene(() => {
      if (failures++ < 40) throw new Error('broken inside')
    }, forceWire)
    await shop.order(1)
    expect(failures).toBe(41)
    expect(new Set(shop.attempts)).toEqual(new Set([1]))
    expect(shop.attempts.length).toBeGreaterThan(40)
    expect(await shop.letters()).toEqual([])
  })
})
