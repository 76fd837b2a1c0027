import { sql } from 'kysely'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ServiceInstance } from '../runtime/service-instance.ts'
import { service, tables } from '../service/index.ts'
import type { Log } from '../telemetry/log.ts'
import { createLog } from '../telemetry/log.ts'
import { testSystem } from '../testing/index.ts'
import { order } from './fixtures/orders.ts'
import type { Release } from './fixtures/summaries.ts'
import { orders, summaryService } from './fixtures/summaries.ts'
import type { Projection } from './projection.ts'
import { storedEvent } from './stored-event.ts'
import { stream } from './stream.ts'

async function scene(release: Release = {}) {
  const alarms: string[] = []
  const log: Log = {
    ...createLog({ level: 'silent' }),
    error: (message, fields) => alarms.push(`${message} (${String(fields?.['position'])})`),
    with: () => log,
  }
  const built = summaryService(release)
  const app = await testSystem({ services: [built.implementation], log })
  const instance: ServiceInstance = app.host.instances.get('orders')!
  return {
    ...built,
    app,
    alarms,
    instance,
    projections: instance.projections,
    add: app.call.orders.add,
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}

describe('a projection', () => {
  it('applies each event once, in the global order, and is there when the system has settled', async () => {
    await using it = await scene()
    await Promise.all(Array.from({ length: 30 }, (_, n) => it.add({ id: `order-${n % 4}`, quantity: 2 })))
    await it.app.settled()
    expect(await it.app.call.orders.summary({ id: 'order-1' })).toEqual({ id: 'order-1', items: 16, applied: 8 })
    const history = await it.app.call.orders.history({})
    expect(history.map(({ position }) => position)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1))
    for (const id of ['order-0', 'all'])
      expect(history.filter((row) => row.id === id).map(({ version }) => version)).toEqual(
        history.filter((row) => row.id === id).map((_, index) => index + 1),
      )
    expect(await it.projections.status(it.summaries)).toMatchObject([
      { status: 'live', generation: 1, position: 60, lag: 0, failure: undefined },
    ])
  })

  it('answers with what its caller has written, when it is asked to wait for it', async () => {
    await using it = await scene()
    for (let n = 1; n <= 5; n++) {
      const { token } = await it.add({ id: '7' })
      expect(await it.app.call.orders.summary({ id: '7', token })).toMatchObject({ items: n })
    }
  })

  it('that does not get there in time says so, and that the caller may try again', async () => {
    await using it = await scene()
    const { token } = await it.add({ id: '7' })
    const asking = it.app.call.orders.summary.try({ id: '7', token: String(Number(token) + 1_000), deadline: '1s' })
    await it.app.clock.advance('2s')
    expect(await asking).toMatchObject({ ok: false, error: { status: 503 } })
  })

  it('refuses what is no token, and to wait inside a transaction', async () => {
    await using it = await scene()
    await expect(it.projections.waitFor(it.summaries, '1; drop')).rejects.toMatchObject({ code: 'projectionInvalid' })
    await expect(it.projections.waitFor(summaryService().summaries, '1')).rejects.toThrow('not among those')
  })

  it('refuses to name its table in raw SQL, and finds it through sql.table', async () => {
    await using it = await scene({
      async onApply(event, db) {
        if (event.version === 1) await sql`select * from ${sql.table('summaries')}`.execute(db)
        else await sql`select * from summaries`.execute(db)
      },
    })
    await it.add({ id: '7' })
    await it.add({ id: '7' })
    await it.app.settled()
    const [status] = await it.projections.status(it.summaries)
    expect(status).toMatchObject({
      position: 2,
      failure: { position: 4, stopped: true, error: expect.stringContaining("sql.table('summaries')") },
    })
  })
})

describe('an event that cannot be applied', () => {
  const poisonous = (): Release => ({
    onApply(event) {
      if (event.type === 'lineAdded' && event.data.sku === 'poison') throw new Error('never')
    },
  })

  it('is tried again, then stops that projection with an alarm, and no other; nothing behind it is lost', async () => {
    await using it = await scene(poisonous())
    await it.add({ id: '7' })
    await it.add({ id: '7', sku: 'poison' })
    await it.add({ id: '8' })
    await it.app.settled()
    expect(it.alarms).toEqual(['A projection has stopped at an event that it cannot apply: correct it and restart, or skip the event (4)'])
    expect(await it.app.call.orders.summary({ id: '7' })).toMatchObject({ applied: 1 })
    expect(await it.app.call.orders.summary({ id: '8' })).toBeUndefined()
    expect(await it.projections.status(it.summaries)).toMatchObject([
      { position: 2, lag: 4, failure: { position: 4, error: 'never', stopped: true } },
    ])
    expect(await it.projections.status(it.history)).toMatchObject([{ lag: 0 }])
    const { token } = await it.add({ id: '8' })
    expect(await it.app.call.orders.summary.try({ id: '8', token })).toMatchObject({ ok: false, error: { status: 503 } })
  })

  it('can be skipped, for a reason that is kept; anything else cannot', async () => {
    await using it = await scene(poisonous())
    await it.add({ id: '7', sku: 'poison' })
    await it.add({ id: '7' })
    await it.app.settled()
    await expect(it.projections.skip(it.summaries, 4, 'a try')).rejects.toThrow('does not fail at 4')
    await expect(it.projections.skip(it.summaries, 2, ' ')).rejects.toThrow('reason')
    await it.projections.skip(it.summaries, 2, 'ticket 12: line of a test')
    await it.app.settled()
    expect(await it.app.call.orders.summary({ id: '7' })).toMatchObject({ applied: 1 })
    expect((await it.instance.database!.query('select name, version, pos, reason, at from skerry_projection_skip')).rows).toEqual([
      { name: 'summaries', version: 1, pos: 2, reason: 'ticket 12: line of a test', at: expect.any(Date) },
    ])
    // The same version leaves it out when it is built anew, too.
    await it.projections.rebuild(it.summaries)
    await it.app.settled()
    expect(await it.app.call.orders.summary({ id: '7' })).toMatchObject({ applied: 1 })
  })

  it('is found although its error was caught: the database has not forgotten it', async () => {
    await using it = await scene({
      async onApply(event, db) {
        if (event.type === 'lineAdded' && event.data.sku === 'poison') await sql`select 1 / 0`.execute(db).catch(() => undefined)
      },
    })
    for (const sku of ['cup', 'cup', 'poison', 'cup']) await it.add({ id: '7', sku })
    await it.app.settled()
    expect(await it.projections.status(it.summaries)).toMatchObject([{ position: 5, failure: { position: 6, stopped: true } }])
  })

  it('of which its code knows nothing yet is left to newer code, and nothing is skipped', async () => {
    const { lineAdded: _, ...others } = order.events
    const older = stream('order', {
      events: {
        ...others,
        lineAdded: storedEvent(z.object({ sku: z.string(), quantity: z.int() }), { schema: 2, upcast: { 1: (old) => old } }),
      },
      initial: order.initial,
      evolve: (state) => state,
    }) as unknown as typeof order
    await using it = await scene({ from: older })
    for (const id of ['7', '8', '7']) await it.add({ id })
    await it.app.settled()
    await it.instance.database!.query(`update skerry_stream_event set schema = 3 where stream = 'order' and id = '8'`)
    await it.projections.rebuild(it.summaries)
    await it.app.settled()
    const message = 'Event 1 of order "8" cannot be read: "lineAdded" was written under schema 3, and this code knows schemas up to 2'
    expect(await it.projections.status(it.summaries)).toMatchObject([
      { generation: 1, status: 'live', lag: 0 },
      { generation: 2, status: 'building', position: 3, failure: { position: 4, stopped: false, error: message } },
    ])
    expect(it.alarms).toEqual(['A projection waits for newer code: this one does not know an event (4)'])
    expect(await it.app.call.orders.summary({ id: '8' })).toMatchObject({ applied: 1 })
  })
})

describe('a projection that is built anew', () => {
  it('takes the place of the one before, whose tables go', async () => {
    const release = { factor: 1 }
    await using it = await scene(release)
    for (let n = 0; n < 20; n++) await it.add({ id: '7' })
    await it.app.settled()
    release.factor = 2
    expect(await it.projections.rebuild(it.summaries)).toBe(2)
    await it.add({ id: '7' })
    await it.app.settled()
    expect(await it.projections.status(it.summaries)).toMatchObject([{ generation: 2, status: 'live', lag: 0 }])
    expect(await it.app.call.orders.summary({ id: '7' })).toEqual({ id: '7', items: 42, applied: 21 })
    const { rows } = await it.instance.database!.query(
      `select relname from pg_class where relname like 'summaries%' and relkind in ('r', 'v') and relnamespace = current_schema()::regnamespace order by 1`,
    )
    expect(rows.map(({ relname }) => relname)).toEqual(['summaries', 'summaries__2'])
  })
})

describe('a definition is refused', () => {
  const definition = service(orders, { streams: { order }, tables: tables<{ a: { id: string }; b: { id: string } }>() })
  const create = (table: string): string => `create table ${table} (id text primary key)`
  const foreign = stream('foreign', { events: { happened: storedEvent(z.object({})) }, initial: 0, evolve: (count) => count })
  const apply = async (): Promise<void> => undefined
  const project = (name: string, options: object = {}) =>
    definition.projection(name, { from: [order], tables: { a: create }, apply, ...options })

  it.each([
    ['a name that is none', () => project('Summaries 1'), 'a name is'],
    ['a version that is none', () => project('a', { version: 0 }), 'version is 0'],
    ['no streams', () => project('a', { from: [] }), 'no streams'],
    ['no tables', () => project('a', { tables: {} }), 'no tables'],
    ['a table whose name would need quoting', () => project('a', { tables: { 'a"b': create } }), 'lower-case'],
    ['two of one name', () => implement(project('a'), project('a', { tables: { b: create } })), 'named "a"'],
    ['two with one table', () => implement(project('a'), project('b')), 'have a table "a"'],
    ["a stream that is not the service's", () => implement(project('a', { from: [foreign] })), 'follows the stream "foreign"'],
  ])('with %s', (_, define, message) => expect(define).toThrow(message))

  function implement(...projections: Projection[]) {
    return definition.implement({} as never, { projections })
  }

  it('when its table cannot be made, as soon as it starts', async () => {
    const implementation = (sqlText: string) =>
      service(orders, { streams: { order }, tables: tables<{ a: { id: string } }>() }).implement(
        { add: async () => ({ version: 1, token: '1' }), summary: async () => undefined, history: async () => [] },
        { projections: [definition.projection('a', { from: [order], tables: { a: () => sqlText }, apply })] },
      )
    await expect(testSystem({ services: [implementation('create tabel a (id text)')] })).rejects.toMatchObject({
      code: 'projectionInvalid',
    })
    await expect(testSystem({ services: [implementation('create table a (id text)')] })).rejects.toMatchObject({
      code: 'projectionInvalid',
    })
  })
})
