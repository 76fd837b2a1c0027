import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { contract, event, get, post, problem } from '../contract/index.ts'
import { service } from '../service/index.ts'
import { testSystem } from '../testing/index.ts'
import { order } from './fixtures/orders.ts'

const Line = z.object({ id: z.string(), sku: z.string(), quantity: z.int() })
const orders = contract('orders', {
  version: '1.0.0',
  operations: {
    add: post('/lines', {
      input: Line,
      output: z.object({ version: z.int() }),
      errors: { closed: problem(409, 'Closed') },
      deadline: '20s',
    }),
    addAt: post('/lines/{version}', { input: Line.extend({ version: z.int() }), output: z.object({ version: z.int() }) }),
    close: post('/close', { input: z.object({ id: z.string() }), output: z.object({ version: z.int() }) }),
    find: get('/orders/{id}', {
      input: z.object({ id: z.string() }),
      output: z.object({ status: z.string(), lines: z.record(z.string(), z.int()) }),
    }),
  },
  events: { lineAdded: event(Line, { key: 'id' }) },
})
const orderService = service(orders, { streams: { order } })
const implementation = orderService.implement({
  add: ({ input: { id, ...line }, transaction, fail }) =>
    transaction(async ({ streams, emit }) => {
      emit.lineAdded({ id, ...line })
      return streams.order.decide(id, (state) => {
        if (state.status === 'closed') throw fail.closed()
        return { type: 'lineAdded', data: line }
      })
    }),
  addAt: ({ input: { id, version, ...line }, transaction }) =>
    transaction(async ({ streams }) => streams.order.append(id, { expected: version }, [{ type: 'lineAdded', data: line }])),
  close: ({ input: { id }, transaction }) =>
    transaction(async ({ streams }) => streams.order.decide(id, () => ({ type: 'closed', data: {} }))),
  find: async ({ input: { id }, streams }) => (await streams.order.load(id)).state,
})

describe('a service with streams', () => {
  it('decides on what has happened; contract events are published beside, and neither without the other', async () => {
    await using app = await testSystem({ services: [implementation] })
    const cup = { id: '7', sku: 'cup', quantity: 2 }
    expect(await app.call.orders.add(cup)).toEqual({ version: 1 })
    expect(await app.call.orders.close({ id: '7' })).toEqual({ version: 2 })
    expect(await app.call.orders.add.try(cup)).toMatchObject({ ok: false, error: { code: 'closed' } })
    await app.settled()
    expect(await app.call.orders.find({ id: '7' })).toEqual({ status: 'closed', lines: { cup: 2 } })
    expect(app.published(orders.events.lineAdded)).toEqual([cup])
  })

  it('answers a conflict as one, to a caller who can load again', async () => {
    await using app = await testSystem({ services: [implementation], forceWire: true })
    await app.call.orders.addAt({ id: '7', version: 0, sku: 'cup', quantity: 1 })
    await expect(app.call.orders.addAt({ id: '7', version: 0, sku: 'cup', quantity: 1 })).rejects.toMatchObject({
      code: 'streamConflict',
      status: 409,
    })
  })

  it('loses nothing when many decide on the same thing at once', async () => {
    await using app = await testSystem({ services: [implementation] })
    await Promise.all(Array.from({ length: 20 }, () => app.call.orders.add({ id: '7', sku: 'cup', quantity: 1 })))
    expect(await app.call.orders.find({ id: '7' })).toEqual({ status: 'none', lines: { cup: 20 } })
  })
})
