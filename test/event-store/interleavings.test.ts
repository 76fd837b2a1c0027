/** Statements of the event store against each other, in every order, on real PostgreSQL; and proof that the explorer sees what it looks for. */
import type { Database, Isolation, Transaction } from 'skerry/engine'
import type { InterleavedTransaction, Interleaving } from 'skerry/testing'
import { exploreInterleavings, interleavings } from 'skerry/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appendEvents } from '../../packages/skerry/src/event-store/append.ts'
import { order } from '../../packages/skerry/src/event-store/fixtures/orders.ts'
import { FENCE, NUMBER, numberPending, SEQUENCER_LEASE } from '../../packages/skerry/src/event-store/sequence.ts'
import { takeLease } from '../../packages/skerry/src/events/whole-lease.ts'
import { query } from '../topologies/databases.ts'
import type { PostgresStore } from './postgres-store.ts'
import { openPostgresStore } from './postgres-store.ts'

const ANN = '00000000-0000-7000-8000-00000000000a'
const BOB = '00000000-0000-7000-8000-00000000000b'
const LATER = new Date(60_000)

let held: PostgresStore
let database: Database

beforeAll(async () => {
  held = await openPostgresStore()
  database = held.database
  await database.query(`create table counter (id int primary key, value int not null)`)
})
afterAll(() => held[Symbol.asyncDispose]())

const append =
  (id: string, expected: number, events = 1) =>
  async (transaction: Transaction): Promise<string> => {
    const line = { type: 'lineAdded', data: { sku: 'cup', quantity: 1 } }
    const now = new Date(0)
    const appended = await appendEvents(transaction, {
      stream: order,
      id,
      expected,
      events: Array.from({ length: events }, () => line),
      meta: {},
      now,
    })
    if (appended === undefined) throw new Error('conflict')
    return appended.token
  }
const fence = (owner: string, epoch: number) => async (transaction: Transaction) => {
  const { rows } = await transaction.query(FENCE, [owner, epoch])
  if (rows.length === 0) throw new Error('fenced')
}
const number = async (transaction: Transaction) => (await transaction.query(NUMBER, [2_000])).affected
/** Other work of the transaction, before it locks anything: at REPEATABLE READ its snapshot is taken here. */
const other = (transaction: Transaction) => transaction.query(`select count(*) from skerry_stream_event`)

const transactionOf = (isolation: Isolation, ...steps: InterleavedTransaction['steps']): InterleavedTransaction => ({ isolation, steps })
const committed = ({ outcomes }: Interleaving): number => outcomes.filter((outcome) => outcome.committed).length

/** What is left is given its places; then every event has one, without gaps and in the order of its stream. */
async function expectSound(): Promise<void> {
  const epoch = await takeLease(database, { ...SEQUENCER_LEASE, owner: ANN, now: new Date(1_000_000), ttlMs: 1 })
  await numberPending(database, { owner: ANN, epoch: epoch! })
  const { rows } = await database.query<{ pos: number | null; id: string; version: number }>(
    `select pos, id, version from skerry_stream_event left join skerry_stream_order using (eid) order by pos`,
  )
  expect(rows.map(({ pos }) => pos)).toEqual(rows.map((_, index) => index + 1))
  const versions = new Map<string, number>()
  for (const { id, version } of rows) {
    expect(version).toBe((versions.get(id) ?? 0) + 1)
    versions.set(id, version)
  }
}

describe('the explorer', () => {
  test('goes through every order', () => {
    expect([...interleavings([2, 1])]).toEqual([
      [0, 0, 1],
      [0, 1, 0],
      [1, 0, 0],
    ])
    expect([...interleavings([3, 3])]).toHaveLength(20)
    expect([...interleavings([2, 2, 2])]).toHaveLength(90)
  })

  const read = async (transaction: Transaction): Promise<unknown> =>
    (await transaction.query<{ value: number }>(`select value from counter where id = 1`)).rows[0]!.value
  const write = (transaction: Transaction, results: readonly unknown[]) =>
    transaction.query(`update counter set value = $1 where id = 1`, [Number(results[0]) + 1])
  const counting = (isolation: Isolation) =>
    exploreInterleavings({
      database,
      prepare: async () => {
        await database.query(`delete from counter`)
        await database.query(`insert into counter values (1, 0)`)
      },
      transactions: () => [transactionOf(isolation, read, write), transactionOf(isolation, read, write)],
      async check(interleaving) {
        const { rows } = await database.query<{ value: number }>(`select value from counter`)
        expect(rows[0]!.value).toBe(committed(interleaving))
      },
    })

  test('finds the update that is lost by reading first, and that REPEATABLE READ does not lose it', async () => {
    const careless = await counting('read committed')
    expect(careless).toMatchObject({ orders: 20 })
    expect(careless.violations.length).toBe(18)
    expect(careless.ordersWithWaits).toBeGreaterThan(0)
    expect((await counting('repeatable read')).violations).toEqual([])
  })

  test('comes through deadlocks, of which the server ends one side', async () => {
    // Only a superuser may make the server look for deadlocks sooner than after a second.
    await query(process.env['SKERRY_TEST_POSTGRES_URL']!, `alter role "${held.role}" set deadlock_timeout = '20ms'`)
    const quick = await held.open()
    const lock = (id: number) => (transaction: Transaction) => transaction.query(`update counter set value = value + 1 where id = $1`, [id])
    const { violations, orders } = await exploreInterleavings({
      database: quick,
      prepare: async () => {
        await database.query(`delete from counter`)
        await database.query(`insert into counter values (1, 0), (2, 0)`)
      },
      transactions: () => [transactionOf('read committed', lock(1), lock(2)), transactionOf('read committed', lock(2), lock(1))],
      async check({ order: turns, outcomes }) {
        const deadlocked = turns[0] !== turns[1]
        expect(outcomes.filter((outcome) => outcome.committed)).toHaveLength(deadlocked ? 1 : 2)
        if (deadlocked) throw new Error('deadlock')
      },
    })
    expect(orders).toBe(20)
    expect(violations.map(({ reason }) => reason)).toEqual(Array.from({ length: 12 }, () => 'deadlock'))
  })
})

describe.each<Isolation>(['read committed', 'repeatable read', 'serializable'])('two appends at %s', (isolation) => {
  const explore = (first: readonly [string, number], second: readonly [string, number], winners: number) =>
    exploreInterleavings({
      database,
      prepare: async () => {
        await held.clear()
        await database.transaction('read committed', append('old', 0, 2))
      },
      transactions: () => [transactionOf(isolation, other, append(...first)), transactionOf(isolation, other, append(...second))],
      async check(interleaving) {
        expect(committed(interleaving)).toBe(winners)
        await expectSound()
      },
    })

  test('to one new stream: one is first', async () => {
    expect(await explore(['new', 0], ['new', 0], 1)).toMatchObject({ orders: 20, violations: [] })
  })
  test('after the same version: one is first', async () => {
    expect(await explore(['old', 2], ['old', 2], 1)).toMatchObject({ orders: 20, violations: [] })
  })
  test('to different streams: both succeed, and neither waits', async () => {
    const exploration = await explore(['old', 2], ['new', 0], isolation === 'serializable' ? 1 : 2)
    if (isolation !== 'serializable') expect(exploration).toMatchObject({ orders: 20, ordersWithWaits: 0, violations: [] })
  })
})

describe('numbering', () => {
  const prepare = async (): Promise<void> => {
    await held.clear()
    await takeLease(database, { ...SEQUENCER_LEASE, owner: ANN, now: new Date(0), ttlMs: 1 })
    await database.transaction('read committed', append('old', 0, 2))
  }
  const takeOver = (transaction: Transaction) => takeLease(transaction, { ...SEQUENCER_LEASE, owner: BOB, now: LATER, ttlMs: 1 })

  test('against appends to the stream that is being numbered', async () => {
    const exploration = await exploreInterleavings({
      database,
      prepare,
      transactions: () => [
        transactionOf('read committed', fence(ANN, 1), number),
        transactionOf('repeatable read', other, append('old', 2), append('old', 3)),
      ],
      async check(interleaving) {
        expect(committed(interleaving)).toBe(2)
        await expectSound()
      },
    })
    expect(exploration).toMatchObject({ orders: 35, violations: [] })
  })

  test('against a successor that takes the lease over: one of them numbers at a time, and nothing twice', async () => {
    const exploration = await exploreInterleavings({
      database,
      prepare,
      transactions: () => [
        transactionOf('read committed', fence(ANN, 1), number),
        transactionOf('read committed', takeOver, fence(BOB, 2), number),
      ],
      async check({ outcomes: [ann, bob] }) {
        expect(bob).toMatchObject({ committed: true })
        if (!ann!.committed) expect(String(ann!.error)).toContain('fenced')
        await expectSound()
      },
    })
    expect(exploration.violations).toEqual([])
    expect(exploration.ordersWithWaits).toBeGreaterThan(0)
  })

  test('without the fence would collide: it is what keeps two apart', async () => {
    const exploration = await exploreInterleavings({
      database,
      prepare,
      transactions: () => [
        transactionOf('read committed', append('new', 0), number),
        transactionOf('read committed', append('newer', 0), number),
      ],
      async check(interleaving) {
        expect(committed(interleaving)).toBe(2)
        await expectSound()
      },
    })
    expect(exploration.violations.length).toBeGreaterThan(0)
  })
})
