/**
 * The global order on real PostgreSQL, under the load that breaks the ways one thinks of first: reading by the number that
 * an event draws loses what commits late; two who number without a fence collide.
 */
import type { Database } from 'skerry/engine'
import { systemClock, systemRandom } from 'skerry/engine'
import { createLog } from 'skerry/runtime'
import { seededRandom } from 'skerry/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { order } from '../../packages/skerry/src/event-store/fixtures/orders.ts'
import { openStore } from '../../packages/skerry/src/event-store/fixtures/store.ts'
import { headOf, NUMBER, numberPending, SEQUENCER_LEASE } from '../../packages/skerry/src/event-store/sequence.ts'
import { startSequencer } from '../../packages/skerry/src/event-store/sequencer.ts'
import { takeLease } from '../../packages/skerry/src/events/whole-lease.ts'
import { waitUntil } from '../services/wait-until.ts'
import type { PostgresStore } from './postgres-store.ts'
import { openPostgresStore } from './postgres-store.ts'

const ANN = '00000000-0000-7000-8000-00000000000a'
const BOB = '00000000-0000-7000-8000-00000000000b'
const PATIENCE_MS = 60_000
const silent = createLog({ level: 'silent' })

let held: PostgresStore
let database: Database

beforeAll(async () => {
  held = await openPostgresStore()
  database = held.database
})
afterAll(() => held[Symbol.asyncDispose]())
beforeEach(() => held.clear())

const line = { type: 'lineAdded', data: { sku: 'cup', quantity: 1 } } as const
const store = () => openStore(database, { order }, { clock: systemClock })
const lease = (owner: string, atMs: number) => takeLease(database, { ...SEQUENCER_LEASE, owner, now: new Date(atMs), ttlMs: 5_000 })
const places = async () =>
  (
    await database.query<{ pos: number; eid: number; id: string; version: number }>(
      `select pos, eid, id, version from skerry_stream_order join skerry_stream_event using (eid) order by pos`,
    )
  ).rows
const count = async (table: string): Promise<number> =>
  (await database.query<{ count: number }>(`select count(*) as count from ${table}`)).rows[0]!.count

/** Places are 1, 2, 3 …; every event has one; the events of a stream have them in the order of their versions. */
async function expectSound(): Promise<void> {
  const rows = await places()
  expect(rows.map(({ pos }) => pos)).toEqual(rows.map((_, index) => index + 1))
  expect(rows.length).toBe(await count('skerry_stream_event'))
  const versions = new Map<string, number>()
  for (const { id, version } of rows) {
    expect(version).toBe((versions.get(id) ?? 0) + 1)
    versions.set(id, version)
  }
}

/** What a reader sees that goes by the number an event drew: all above the last that it saw. */
class NaiveReader {
  readonly seen = new Set<number>()
  #cursor = 0

  async read(): Promise<void> {
    const { rows } = await database.query<{ eid: number }>(`select eid from skerry_stream_event where eid > $1 order by eid limit 500`, [
      this.#cursor,
    ])
    for (const { eid } of rows) this.seen.add(eid)
    this.#cursor = rows.at(-1)?.eid ?? this.#cursor
  }
}

/** Reads by place, which is what projections do. */
class PlaceReader {
  readonly seen: number[] = []
  #cursor = 0

  async read(): Promise<void> {
    const { rows } = await database.query<{ pos: number; eid: number }>(
      `select pos, eid from skerry_stream_order where pos > $1 order by pos limit 500`,
      [this.#cursor],
    )
    for (const { eid } of rows) this.seen.push(eid)
    this.#cursor = rows.at(-1)?.pos ?? this.#cursor
  }
}

/** Many who append to the same streams at once; some take their time to commit, some think better of it. */
async function writeALot(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const { transaction } = store()
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let round = 0; round < 12; round++) {
        const id = String(random.int(1, 24))
        const dawdles = random.next() < 0.3 ? random.int(1, 20) : 0
        const fails = random.next() < 0.05
        await transaction(async (streams) => {
          await streams.order.decide(id, () => (dawdles > 10 ? [line, line] : line))
          for (let statement = 0; statement < dawdles; statement++) await streams.order.load('nobody')
          if (fails) throw new Error('thought better of it')
        }).catch((error: unknown) => {
          if (!(error instanceof Error) || error.message !== 'thought better of it') throw error
        })
      }
    }),
  )
}

test('two sequencers at once, many writers: no event is lost and none misplaced, where reading by number loses some', async () => {
  const naive = new NaiveReader()
  const reader = new PlaceReader()
  const sequencers = await Promise.all(
    [ANN, BOB].map(async (owner) =>
      startSequencer({
        database: await held.open(),
        clock: systemClock,
        log: silent,
        owner,
        exclusive: false,
        onNumbered: () => undefined,
      }),
    ),
  )
  let writing = true
  const reading = (async () => {
    while (writing) {
      await naive.read()
      await reader.read()
      for (const sequencer of sequencers) sequencer.wake()
    }
  })()
  let lost = 0
  // Chance decides when a late commit is overtaken: go on until it has happened, which it does in the first round as a rule.
  for (let round = 0; round < 20 && lost === 0; round++) {
    await writeALot(systemRandom.int(1, 1_000_000))
    const { rows } = await database.query<{ eid: number }>(`select eid from skerry_stream_event`)
    await naive.read()
    lost = rows.filter(({ eid }) => !naive.seen.has(eid)).length
  }
  writing = false
  await reading
  await waitUntil('every event has its place', PATIENCE_MS, async () => ((await count('skerry_stream_pending')) === 0 ? true : undefined))
  for (let before = -1; before !== reader.seen.length;) {
    before = reader.seen.length
    await reader.read()
  }
  await Promise.all(sequencers.map((sequencer) => sequencer.stop()))
  await expectSound()
  expect(reader.seen).toEqual((await places()).map(({ eid }) => eid))
  expect(lost).toBeGreaterThan(0)
})

describe('an event that commits late', () => {
  test('is passed by for ever by who reads by number, and gets the next place', async () => {
    const naive = new NaiveReader()
    await lease(ANN, 0)
    const { transaction } = store()
    await transaction(async (late) => {
      await late.order.append('late', { expected: 0 }, [line])
      await transaction((streams) => streams.order.append('quick', { expected: 0 }, [line]))
      await naive.read()
      expect(await numberPending(database, { owner: ANN, epoch: 1 })).toBe(1)
    })
    await naive.read()
    expect(await numberPending(database, { owner: ANN, epoch: 1 })).toBe(1)
    expect((await places()).map(({ id, eid }) => [id, eid])).toEqual([
      ['quick', 2],
      ['late', 1],
    ])
    expect([...naive.seen]).toEqual([2])
    await expectSound()
  })
})

describe('a sequencer that was paused beyond its lease', () => {
  test('numbers nothing when it wakes, for its epoch is over', async () => {
    const { transaction } = store()
    expect(await lease(ANN, 0)).toBe(1)
    expect(await lease(BOB, 4_000)).toBeUndefined()
    expect(await lease(BOB, 5_001)).toBe(2)
    await transaction((streams) => streams.order.append('7', { expected: 0 }, [line]))
    expect(await numberPending(database, { owner: ANN, epoch: 1 })).toBe('lost')
    expect(await headOf(database)).toBe(0)
    expect(await numberPending(database, { owner: BOB, epoch: 2 })).toBe(1)
    expect(await lease(ANN, 6_000)).toBeUndefined()
    await expectSound()
  })

  test('in the middle of its transaction holds its successor up until it has committed', async () => {
    const { transaction } = store()
    await lease(ANN, 0)
    await transaction((streams) => streams.order.append('7', { expected: 0 }, [line, line]))
    const other = await held.open()
    let takenOver: Promise<number | undefined> | undefined
    await database.transaction('read committed', async (paused) => {
      const fenced = await paused.query(`select from skerry_lease where name = 'sequencer' and owner = $1 and epoch = 1 for update`, [ANN])
      expect(fenced.rows).toHaveLength(1)
      takenOver = takeLease(other, { ...SEQUENCER_LEASE, owner: BOB, now: new Date(60_000), ttlMs: 5_000 })
      await waitUntil('the successor waits', PATIENCE_MS, async () => {
        const { rows } = await database.query(
          `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
        return rows.length > 0 ? true : undefined
      })
      await paused.query(NUMBER, [1])
    })
    expect(await takenOver).toBe(2)
    expect(await numberPending(other, { owner: BOB, epoch: 2 })).toBe(1)
    expect(await numberPending(database, { owner: ANN, epoch: 1 })).toBe('lost')
    await expectSound()
  })
})
