import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { contract, event, get } from '../contract/index.ts'
import { service, tables } from '../service/index.ts'
import { fake, testSystem } from '../testing/index.ts'
import { recordedEvent, recording } from './recording.ts'

const payments = contract('payments', {
  version: '2.0.0',
  operations: {},
  events: {
    // Its schema gives something else than it takes: what is recorded must not go through it twice.
    captured: event(
      z.object({
        order: z.string(),
        amount: z
          .string()
          .regex(/^\d+ct$/)
          .transform((text) => Number.parseInt(text, 10))
          .pipe(z.int()),
      }),
      { key: 'order' },
    ),
    refunded: event(z.object({ order: z.string(), cents: z.int() }), { key: 'order', version: 2 }),
  },
})
const balances = contract('balances', {
  version: '1.0.0',
  operations: {
    list: get('/balances', { output: z.array(z.object({ order: z.string(), cents: z.int() })) }),
    handled: get('/handled', { output: z.array(z.string()) }),
  },
})
const heard = recording('payments', {
  captured: recordedEvent(payments.events.captured),
  refunded: recordedEvent(payments.events.refunded, { upcast: { 1: (old: { amount: number }) => ({ ...old, cents: old.amount }) } }),
})

function balanceService(handled: string[] = []) {
  const definition = service(balances, {
    listens: [payments],
    streams: { heard },
    tables: tables<{ balances: { order: string; cents: number } }>(),
  })
  const projection = definition.projection('balances', {
    from: [heard],
    tables: { balances: (table) => `create table ${table} ("order" text primary key, cents int not null)` },
    async apply({ event: { type, data }, db }) {
      const cents = type === 'captured' ? data.amount : -data.cents
      await db
        .insertInto('balances')
        .values({ order: data.order, cents })
        .onConflict((conflict) => conflict.column('order').doUpdateSet((update) => ({ cents: update('balances.cents', '+', cents) })))
        .execute()
    },
  })
  const implementation = definition.implement(
    { list: ({ db }) => db.selectFrom('balances').selectAll().orderBy('order').execute(), handled: async () => handled },
    {
      on: [
        definition.effect(payments.events.refunded, async ({ event: { order }, meta }) => {
          if (meta.attempt === 1) throw new Error('not at the first attempt')
          handled.push(order)
        }),
      ],
      projections: [projection],
    },
  )
  return { implementation, projection, definition }
}

describe('a recording', () => {
  it('keeps what others publish, once and in order, whether it is handled too or not; read models of it can be built anew', async () => {
    const handled: string[] = []
    const { implementation, projection } = balanceService(handled)
    await using app = await testSystem({ services: [implementation], fakes: [fake(payments, {})] })
    await app.publish(payments.events.captured, { order: 'a', amount: '500ct' })
    await app.publish(payments.events.captured, { order: 'b', amount: '300ct' })
    await app.publish(payments.events.refunded, { order: 'a', cents: 200 })
    await app.settled()
    const expected = [
      { order: 'a', cents: 300 },
      { order: 'b', cents: 300 },
    ]
    expect(await app.call.balances.list({})).toEqual(expected)
    expect(handled).toEqual(['a'])
    const instance = app.host.instances.get('balances')!
    await instance.projections.rebuild(projection)
    await app.settled()
    expect(await app.call.balances.list({})).toEqual(expected)
    const { rows } = await instance.database!.query<{ meta: { cause: string } }>(
      `select stream, id, version, type, schema, meta from skerry_stream_event where id = 'a' order by version`,
    )
    expect(rows).toMatchObject([
      { stream: 'payments', version: 1, type: 'captured', schema: 1, meta: { cause: 'payments-a-1' } },
      { stream: 'payments', version: 2, type: 'refunded', schema: 2, meta: { cause: 'payments-a-2' } },
    ])
  })

  it('is refused for an event that nobody listens to, or that it keeps twice', () => {
    const handlers = { list: async () => [], handled: async () => [] }
    expect(() => service(balances, { streams: { heard } }).implement(handlers)).toThrow('without naming the contract "payments"')
    expect(() => recording('twice', { a: recordedEvent(payments.events.captured), b: recordedEvent(payments.events.captured) })).toThrow(
      'twice',
    )
  })
})
