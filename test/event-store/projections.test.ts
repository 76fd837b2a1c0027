/** Projections of several hosts on one PostgreSQL: shared by lease, taken over from the dead, safe from those who only seemed dead, built anew under load. */
import type { Database } from 'skerry/engine'
import { systemClock, systemRandom } from 'skerry/engine'
import { createLog, projectionAccess } from 'skerry/runtime'
import { VirtualClock } from 'skerry/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Apply, BuildOutcome } from '../../packages/skerry/src/event-store/builder.ts'
import { Builder } from '../../packages/skerry/src/event-store/builder.ts'
import { order } from '../../packages/skerry/src/event-store/fixtures/orders.ts'
import { openStore } from '../../packages/skerry/src/event-store/fixtures/store.ts'
import { prepareProjections, swapIn } from '../../packages/skerry/src/event-store/generations.ts'
import { projectionStatuses } from '../../packages/skerry/src/event-store/projection-access.ts'
import { readState, shareProjections } from '../../packages/skerry/src/event-store/projection-store.ts'
import type { RunningProjections } from '../../packages/skerry/src/event-store/projection-worker.ts'
import { startProjections } from '../../packages/skerry/src/event-store/projection-worker.ts'
import type { Projection } from '../../packages/skerry/src/event-store/projection.ts'
import { defineProjection } from '../../packages/skerry/src/event-store/projection.ts'
import { numberPending } from '../../packages/skerry/src/event-store/sequence.ts'
import { startSequencer } from '../../packages/skerry/src/event-store/sequencer.ts'
import { currentScope } from '../../packages/skerry/src/telemetry/scope.ts'
import { waitUntil } from '../services/wait-until.ts'
import type { PostgresStore } from './postgres-store.ts'
import { openPostgresStore } from './postgres-store.ts'

const ANN = '00000000-0000-7000-8000-00000000000a'
const BOB = '00000000-0000-7000-8000-00000000000b'
const TTL_MS = 5_000
const PATIENCE_MS = 60_000
const silent = createLog({ level: 'silent' })
const line = { type: 'lineAdded', data: { sku: 'cup', quantity: 1 } } as const

let held: PostgresStore
let database: Database

beforeAll(async () => {
  held = await openPostgresStore()
  database = held.database
})
afterAll(() => held[Symbol.asyncDispose]())
beforeEach(async () => {
  await held.clear()
  const { rows } = await database.query<{ name: string; kind: string }>(
    `select relname as name, relkind::text as kind from pg_class where relnamespace = current_schema()::regnamespace and relname like 'seen%' and relkind in ('r', 'v')`,
  )
  for (const { name } of rows.filter(({ kind }) => kind === 'v')) await database.query(`drop view "${name}"`)
  for (const { name } of rows.filter(({ kind }) => kind === 'r')) await database.query(`drop table "${name}"`)
})

/** Writes down each event that it sees, twice over: a second time would break the primary key. */
function seeing(table: string, version = 1): { projection: Projection; apply: Apply } {
  const projection = defineProjection(
    table.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
    {
      version,
      from: [order],
      tables: { [table]: (name) => `create table ${name} (position bigint primary key, id text not null, generation int not null)` },
      apply: async () => undefined,
    },
  )
  return {
    projection,
    async apply({ position, id }, generation) {
      await currentScope()!.transaction!.query(`insert into ${table}__${generation} values ($1, $2, $3)`, [position, id, generation])
    },
  }
}

const write = async (events: number): Promise<void> => {
  const { transaction } = openStore(database, { order }, { clock: systemClock })
  for (let n = 0; n < events; n++) await transaction((streams) => streams.order.decide(String(n % 5), () => line))
}
const numbered = async (events: number): Promise<void> => {
  await write(events)
  await numberPending(database, undefined)
}
const positions = async (table: string): Promise<readonly number[]> =>
  (await database.query<{ position: number }>(`select position from ${table} order by position`)).rows.map(({ position }) => position)
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)

describe('two hosts', () => {
  const projections = ['seen_a', 'seen_b', 'seen_c', 'seen_d'].map((table) => seeing(table))
  const host = async (owner: string, clock: VirtualClock): Promise<RunningProjections> =>
    startProjections({
      service: 'orders',
      projections,
      database: await held.open(),
      clock,
      random: systemRandom,
      log: silent,
      owner,
      exclusive: false,
      onAdvanced: () => undefined,
    })
  const ownersOf = async () =>
    Object.fromEntries(
      (
        await database.query<{ owner: string | null; count: number }>(
          `select owner, count(*) as count from skerry_projection group by owner`,
        )
      ).rows.map(({ owner, count }) => [owner ?? 'nobody', count]),
    )

  test('share the projections; when one is paused the other takes over, and the late one changes nothing', async () => {
    await prepareProjections(
      database,
      projections.map(({ projection }) => projection),
      systemClock.now(),
    )
    const annClock = new VirtualClock()
    const bobClock = new VirtualClock()
    const ann = await host(ANN, annClock)
    const bob = await host(BOB, bobClock)
    const bothLive = async (): Promise<void> => {
      await annClock.advance(1_500)
      await bobClock.advance(1_500)
    }
    await waitUntil('each has its share', PATIENCE_MS, async () => {
      await bothLive()
      const owners = await ownersOf()
      return (owners[ANN] === 2 && owners[BOB] === 2) || undefined
    })
    await numbered(40)
    await waitUntil('all have caught up', PATIENCE_MS, async () => {
      await bothLive()
      return (await projectionStatuses(database)).every(({ lag }) => lag === 0) || undefined
    })
    // Ann's process stands still: her clock does not move, and neither does she.
    await numbered(40)
    await waitUntil('Bob has them all', PATIENCE_MS, async () => {
      await bobClock.advance(1_500)
      return ((await ownersOf())[BOB] === 4 && (await projectionStatuses(database)).every(({ lag }) => lag === 0)) || undefined
    })
    await numbered(40)
    ann.wake()
    await waitUntil('all have caught up again', PATIENCE_MS, async () => {
      await bobClock.advance(1_500)
      return (await projectionStatuses(database)).every(({ lag }) => lag === 0) || undefined
    })
    for (const table of ['seen_a', 'seen_b', 'seen_c', 'seen_d']) expect(await positions(table)).toEqual(upTo(120))
    expect((await projectionStatuses(database)).map(({ failure }) => failure)).toEqual([undefined, undefined, undefined, undefined])
    await ann.stop()
    await bob.stop()
    expect(await ownersOf()).toEqual({ nobody: 4 })
  })
})

describe('a builder', () => {
  const { projection, apply } = seeing('seen')
  const known = [{ name: projection.name, version: 1 }]
  const take = async (owner: string, atMs: number) =>
    (await shareProjections(await held.open(), { owner, known, now: new Date(atMs), ttlMs: TTL_MS }))[0]
  const build = (generation: NonNullable<Awaited<ReturnType<typeof take>>>, with_: Apply = apply, on = database): Promise<BuildOutcome> =>
    new Builder({
      service: 'orders',
      projection,
      apply: with_,
      held: generation,
      database: on,
      clock: systemClock,
      random: systemRandom,
      log: silent,
      onAdvanced: () => undefined,
    }).build(() => false)

  test('that was paused in its transaction beyond its lease keeps its successor waiting, and nothing is applied twice', async () => {
    await prepareProjections(database, [projection], systemClock.now())
    await numbered(3)
    const ann = (await take(ANN, 0))!
    let bob: ReturnType<typeof take> | undefined
    const outcome = await build(ann, async (event, generation) => {
      // It is holding the row while Bob believes it dead.
      bob ??= take(BOB, 60_000)
      await apply(event, generation)
    })
    expect(outcome).toBe('caughtUp')
    // Skipping what is locked, Bob came away with nothing; asking again he gets it.
    expect((await bob) ?? (await take(BOB, 60_000))).toMatchObject({ epoch: ann.epoch + 1 })
    await numbered(1)
    expect(await build(ann)).toBe('lost')
    expect(await positions('seen')).toEqual(upTo(3))
    expect(await projectionStatuses(database)).toMatchObject([{ position: 3, failure: undefined }])
  })

  test('that lost its lease between reading and writing applies nothing, and takes nobody else’s rows for a failure', async () => {
    await prepareProjections(database, [projection], systemClock.now())
    await numbered(3)
    const ann = (await take(ANN, 0))!
    let bob: Awaited<ReturnType<typeof take>>
    // She has read what to apply, and stands still before she begins the transaction.
    const standstill: Database = {
      query: (statement, parameters) => database.query(statement, parameters),
      ping: () => database.ping(),
      close: () => database.close(),
      async transaction(isolation, work) {
        bob = await take(BOB, 60_000)
        expect(await build(bob!)).toBe('caughtUp')
        return database.transaction(isolation, work)
      },
    }
    expect(await build(ann, apply, standstill)).toBe('lost')
    expect(bob).toMatchObject({ epoch: ann.epoch + 1 })
    expect(await build(ann)).toBe('lost')
    expect(await projectionStatuses(database)).toMatchObject([{ position: 3, failure: undefined }])
    expect(await readState(database, ann)).toBeUndefined()
    expect(await swapIn(database, projection, ann.generation, ann.epoch, 3)).toBe(false)
    expect(await positions('seen')).toEqual(upTo(3))
  })
})

describe('built anew under load', () => {
  test('the old one answers and goes on, until the new one takes its place with everything in it', async () => {
    const { projection, apply } = seeing('seen')
    let letGo = (): void => undefined
    const gate = new Promise<void>((resolve) => (letGo = resolve))
    await prepareProjections(database, [projection], systemClock.now())
    const gated: Apply = async (event, generation) => {
      if (generation === 2 && event.position > 20) await gate
      await apply(event, generation)
    }
    const shared = { database, clock: systemClock, log: silent, exclusive: true }
    const running = startProjections({
      ...shared,
      service: 'orders',
      projections: [{ projection, apply: gated }],
      random: systemRandom,
      owner: ANN,
      onAdvanced: () => undefined,
    })
    const sequencer = startSequencer({ ...shared, owner: BOB, onNumbered: () => running.wake() })
    const { transaction } = openStore(database, { order }, { clock: systemClock, onAppended: () => sequencer.wake() })
    const append = (id: number) => transaction((streams) => streams.order.decide(String(id % 7), () => line))
    for (let n = 0; n < 50; n++) await append(n)
    const access = projectionAccess({ projections: [projection], database, clock: systemClock, onChanged: () => running.refresh() })
    const { token } = await append(50)
    await access.waitFor(projection, token!, { deadline: '30s' })
    expect(await access.rebuild(projection)).toBe(2)

    let writing = true
    let written = 51
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (writing) {
          const mine = await append(written++)
          // Writers who never look back could outrun any reader on a busy machine.
          await access.waitFor(projection, mine.token!, { deadline: '30s' })
        }
      }),
    )
    // The old one keeps up with what is written meanwhile, and a reader that waits for his own write has it.
    for (let n = 0; n < 5; n++) {
      const mine = await append(written++)
      await access.waitFor(projection, mine.token!, { deadline: '30s' })
      const { rows } = await database.query<{ old: boolean }>(`select bool_and(generation = 1) as old from seen`)
      expect(rows[0]!.old).toBe(true)
    }
    expect(await access.status(projection)).toMatchObject([
      { generation: 1, status: 'live' },
      { generation: 2, status: 'building' },
    ])
    letGo()
    await waitUntil('the new one answers', PATIENCE_MS, async () =>
      (await access.status(projection))[0]?.generation === 2 ? true : undefined,
    )
    const atSwap = await database.query<{ generation: number; count: number }>(
      `select generation, count(*) as count from seen group by generation`,
    )
    expect(atSwap.rows.map(({ generation }) => generation)).toEqual([2])
    writing = false
    await load
    const last = await append(0)
    await access.waitFor(projection, last.token!, { deadline: '30s' })
    const seen = await positions('seen')
    expect(seen).toEqual(upTo(seen.length))
    expect(await access.status(projection)).toMatchObject([{ generation: 2, lag: 0 }])
    await sequencer.stop()
    await running.stop()
  })
})

describe('a newer release', () => {
  test('builds its version beside the old one, which older hosts go on with; older code leaves it alone', async () => {
    const old = seeing('seen')
    const newer = seeing('seen', 2)
    await prepareProjections(database, [old.projection], systemClock.now())
    await numbered(5)
    await prepareProjections(database, [newer.projection], systemClock.now())
    await prepareProjections(database, [newer.projection], systemClock.now())
    await prepareProjections(database, [old.projection], systemClock.now())
    const statuses = await projectionStatuses(database)
    expect(statuses).toMatchObject([
      { generation: 1, version: 1, status: 'live' },
      { generation: 2, version: 2, status: 'building' },
    ])
    const running = [old, newer].map((one, index) =>
      startProjections({
        service: 'orders',
        projections: [one],
        database,
        clock: systemClock,
        random: systemRandom,
        log: silent,
        owner: index === 0 ? ANN : BOB,
        exclusive: false,
        onAdvanced: () => undefined,
      }),
    )
    await waitUntil('the newer one answers', PATIENCE_MS, async () => {
      const now = await projectionStatuses(database)
      return (now.length === 1 && now[0]!.version === 2) || undefined
    })
    const { rows } = await database.query<{ generation: number }>(`select distinct generation from seen`)
    expect(rows).toEqual([{ generation: 2 }])
    for (const one of running) await one.stop()
    // A third release gives up what the second was still building.
    await prepareProjections(database, [seeing('seen', 3).projection], systemClock.now())
    await prepareProjections(database, [seeing('seen', 4).projection], systemClock.now())
    expect((await projectionStatuses(database)).map(({ generation, version }) => [generation, version])).toEqual([
      [2, 2],
      [4, 4],
    ])
  })
})
