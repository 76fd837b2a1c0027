/** What TypeScript infers from a stream, and which mistakes it refuses. Checked by tsc, never run. */
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import { contract, event, post } from '../contract/index.ts'
import { service, tables } from '../service/index.ts'
import type { OrderState } from './fixtures/orders.ts'
import { order } from './fixtures/orders.ts'
import { recordedEvent, recording } from './recording.ts'
import { storedEvent } from './stored-event.ts'
import type { EventsOf, StateOf } from './stream.ts'
import { stream } from './stream.ts'
import type { StreamReader, StreamWriter } from './streams.ts'

expectTypeOf(order.name).toEqualTypeOf<'order'>()
expectTypeOf<StateOf<typeof order>>().toEqualTypeOf<OrderState>()
expectTypeOf<keyof EventsOf<typeof order>>().toEqualTypeOf<'placed' | 'lineAdded' | 'closed'>()

// A state needs no annotation where TypeScript can tell, and keeps its literals where it has one.
const counter = stream('counter', {
  events: { counted: storedEvent(z.object({ by: z.int() })) },
  initial: 0,
  evolve(count, event) {
    expectTypeOf(count).toEqualTypeOf<number>()
    expectTypeOf(event.type).toEqualTypeOf<'counted'>()
    return count + event.data.by
  },
})
expectTypeOf<StateOf<typeof counter>>().toEqualTypeOf<number>()

const unopened: { status: 'none' | 'open' } = { status: 'none' }
void stream('wrong', {
  events: { opened: storedEvent(z.object({})) },
  initial: unopened,
  // @ts-expect-error no such status
  evolve: (state) => ({ ...state, status: 'opened' }),
})
const empty: { list: string[] } = { list: [] }
void stream('mutable', {
  events: { opened: storedEvent(z.object({})) },
  initial: empty,
  evolve: (state) => ({ list: [...state.list, 'x'] }),
})
void stream('unknownType', {
  events: { opened: storedEvent(z.object({})) },
  initial: 0,
  // @ts-expect-error no such type
  evolve: (count, event) => (event.type === 'closed' ? 0 : count),
})
// The old form may be named, or looked at field by field.
void storedEvent(z.object({}), { schema: 3, upcast: { 1: (old: { sku: string }) => old, 2: (old) => ({ sku: old['sku'] }) } })

const orders = contract('orders', {
  version: '1.0.0',
  operations: { add: post('/orders/{id}/lines', { input: z.object({ id: z.string() }), output: z.object({ version: z.int() }) }) },
})
const orderService = service(orders, { streams: { order, counter } })
void orderService.implement({
  async add({ input, streams, transaction }) {
    expectTypeOf(streams.counter).toEqualTypeOf<StreamReader<EventsOf<typeof counter>, number>>()
    // @ts-expect-error only a transaction can append
    void streams.order.append
    // @ts-expect-error no such stream
    void streams.orders
    const { state } = await streams.order.load(input.id, { version: 3 })
    expectTypeOf(state).toEqualTypeOf<OrderState>()
    for await (const event of streams.order.events(input.id))
      if (event.type === 'lineAdded') expectTypeOf(event.data).toEqualTypeOf<{ sku: string; quantity: number }>()
    const { version } = await transaction(async (inside) => {
      expectTypeOf(inside.streams.order).toEqualTypeOf<StreamWriter<EventsOf<typeof order>, OrderState>>()
      // The input of the schema: a default may be left out.
      await inside.streams.order.append(input.id, { expected: 0 }, [{ type: 'placed', data: {} }])
      // @ts-expect-error the expected version is what makes it safe
      await inside.streams.order.append(input.id, {}, [{ type: 'placed', data: {} }])
      // @ts-expect-error data of another event
      await inside.streams.order.append(input.id, { expected: 1 }, [{ type: 'lineAdded', data: { customer: 'ann' } }])
      return inside.streams.order.decide(input.id, (now, at) => {
        expectTypeOf(now).toEqualTypeOf<OrderState>()
        expectTypeOf(at).toEqualTypeOf<number>()
        return now.status === 'open' ? [{ type: 'lineAdded', data: { sku: 'cup', quantity: 1 } }] : { type: 'placed', data: {} }
      })
    })
    return { version }
  },
})

// A projection knows each event by its stream and type, and writes to its own tables alone.
const invoice = stream('invoice', { events: { sent: storedEvent(z.object({ cents: z.int() })) }, initial: 0, evolve: (count) => count })
interface Rows {
  totals: { id: string; cents: number }
  others: { id: string }
}
const totalling = service(orders, { streams: { order, invoice }, tables: tables<Rows>() })
void totalling.projection('totals', {
  from: [order, invoice],
  tables: { totals: (name) => `create table ${name} (id text primary key, cents int not null)` },
  async apply({ event, db }) {
    expectTypeOf(event.position).toEqualTypeOf<number>()
    if (event.stream === 'invoice') expectTypeOf(event.data).toEqualTypeOf<{ cents: number }>()
    else if (event.type === 'lineAdded') expectTypeOf(event.data).toEqualTypeOf<{ sku: string; quantity: number }>()
    await db.insertInto('totals').values({ id: event.id, cents: 0 }).execute()
    // @ts-expect-error a table that is not the projection's
    await db.selectFrom('others').selectAll().execute()
  },
})
void totalling.projection('unknown', {
  from: [order],
  // @ts-expect-error the service has no such table
  tables: { unknown: (name) => `create table ${name} (id text)` },
  apply: async () => undefined,
})

// Only what was published gets into a recording.
const payments = contract('payments', {
  version: '1.0.0',
  operations: {},
  events: { captured: event(z.object({ order: z.string() }), { key: 'order' }) },
})
const heard = recording('payments', { captured: recordedEvent(payments.events.captured) })
const recordingService = service(orders, { listens: [payments], streams: { heard, counter } })
void recordingService.on(payments.events.captured, async ({ streams }) => {
  expectTypeOf<keyof typeof streams>().toEqualTypeOf<'counter'>()
})
