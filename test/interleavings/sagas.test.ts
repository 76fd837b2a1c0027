/** Hosts at work on one saga, and what others do to it meanwhile, in every order of their statements, on real PostgreSQL. */
import { contract, event } from 'skerry/contract'
import type { Database } from 'skerry/engine'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { turn } from '../../packages/skerry/src/base/clock.ts'
import { idSource } from '../../packages/skerry/src/base/id.ts'
import { seededRandom } from '../../packages/skerry/src/base/random.ts'
import type { OpenTransaction } from '../../packages/skerry/src/events/transaction-runner.ts'
import { createTransactionRunner } from '../../packages/skerry/src/events/transaction-runner.ts'
import type { Saga, SagaBuilder } from '../../packages/skerry/src/saga/definition.ts'
import { declareSaga } from '../../packages/skerry/src/saga/definition.ts'
import * as store from '../../packages/skerry/src/saga/saga-store.ts'
import { SagaWorker } from '../../packages/skerry/src/saga/saga-worker.ts'
import type { SagaState } from '../../packages/skerry/src/saga/saga.ts'
import { childTrace } from '../../packages/skerry/src/telemetry/trace-context.ts'
import type { PlatformDatabase } from './platform-database.ts'
import { openPlatformDatabase, silent, standingClock } from './platform-database.ts'
import type { Actor } from './schedules.ts'
import { exploreSchedules } from './schedules.ts'

let held: PlatformDatabase
beforeAll(async () => void (held = await openPlatformDatabase()))
afterAll(() => held[Symbol.asyncDispose]())

const { events } = contract('stock', {
  version: '1.0.0',
  operations: {},
  events: { picked: event(z.object({ order: z.string() }), { key: 'order' }) },
})
type Local = { readonly effect: (what: string) => Promise<void> }
const declare = (): SagaBuilder<z.ZodObject, unknown, Local, Record<never, never>> =>
  declareSaga('orders', 'checkout', { input: z.object({}) })

const ID = '00000000-0000-7000-8000-000000000001'
const ANN = '00000000-0000-7000-8000-00000000000a'
const BOB = '00000000-0000-7000-8000-00000000000b'
const NOBODY = '00000000-0000-7000-8000-0000000000ff'
const random = seededRandom(1)
/** What remote steps did in the present order. */
const did: string[] = []
const doing = (what: string) => async () => void did.push(what)

function parts(database: Database, laterMs = 0) {
  const clock = standingClock(laterMs)
  const told = { onEmitted: () => {}, onUncertain: () => {}, onDelayed: () => {} }
  const newId = idSource(clock, random)
  return {
    database,
    clock,
    random,
    newId,
    transactions: createTransactionRunner({ topic: 'orders', database, clock, random, newId, ...told }),
  }
}

function workerOn(database: Database, saga: object, laterMs = 0): SagaWorker {
  return new SagaWorker({
    service: 'orders',
    definitions: [(saga as Saga).definition],
    exclusive: false,
    log: silent,
    remoteContext: () => ({}),
    localContext: ({ transaction }) => ({
      effect: async (what: string) => void (await transaction.query(`insert into effect (what) values ($1)`, [what])),
    }),
    ...parts(database, laterMs),
  })
}

async function untilIdle(worker: SagaWorker): Promise<void> {
  while (!worker.idle) await turn()
  await worker.stop()
}

/** A host that looks once for what is due, and works on it. */
const host =
  (saga: object, laterMs = 0): Actor =>
  async (database) => {
    const worker = workerOn(database, saga, laterMs)
    worker.begin()
    await untilIdle(worker)
  }

/** A host that believes that it still holds the saga. */
const zombie =
  (saga: object): Actor =>
  async (database) => {
    const worker = workerOn(database, saga)
    const state: SagaState = { status: 'running', input: {}, startedAtMs: 0, steps: {} }
    worker.take({ id: ID, name: 'checkout', version: 1, epoch: 1, unfinished: 0, traceparent: '', state }, false)
    await untilIdle(worker)
  }

const inTransaction =
  <T>(work: (open: OpenTransaction) => Promise<T>) =>
  (database: Database): Promise<T> =>
    parts(database).transactions(
      { service: 'orders', trace: childTrace(undefined, random), deadlineAtMs: Infinity },
      'repeatable read',
      work,
    )
const cancels = inTransaction(({ transaction }) => store.requestCancel(transaction, 'checkout', ID, 'customer'))
const arrives = inTransaction(async ({ transaction }) => {
  // The handler of the event comes first, and with it what the transaction sees.
  await transaction.query(`select count(*) from effect`)
  await store.arrive(transaction, { type: events.picked.type, key: 'a', messageId: 'm', data: { order: 'a' }, at: new Date() })
})

async function statusOf(): Promise<string> {
  return (await held.database.query<{ status: string }>(`select status from skerry_saga`)).rows[0]!.status
}

interface Exploring {
  readonly actors: () => Readonly<Record<string, Actor>>
  /** Who has the saga when it begins. */
  readonly owner?: string
  readonly without?: (sql: string) => string
  readonly untilRefused?: boolean
  /** How long after it begins the saga is taken up. */
  readonly laterMs?: number
}
/** Explores, and has the saga taken up after a while by a host that finds it; then it must be as is said. */
const explore = (
  saga: object,
  { actors, owner, laterMs = 60_000, ...how }: Exploring,
  check: (values: Readonly<Record<string, unknown>>) => Promise<void>,
) =>
  exploreSchedules({
    database: held.database,
    ...how,
    async prepare() {
      await held.clear()
      did.length = 0
      await held.database.query(
        `insert into skerry_saga (id, name, version, status, input, traceparent, started_at, epoch, owner, next_at)
         values ($1, 'checkout', 1, 'running', '{}', '', $2, 1, $3, $2)`,
        [ID, new Date(0), owner ?? null],
      )
      return actors()
    },
    async check(outcomes) {
      for (const outcome of Object.values(outcomes)) expect(outcome).toMatchObject({ ok: true })
      for (let times = 0; times < 3; times++) await host(saga, laterMs)(held.database)
      await check(Object.fromEntries(Object.entries(outcomes).map(([name, outcome]) => [name, outcome.ok ? outcome.value : undefined])))
    },
  })

describe('two hosts that look for work', () => {
  const saga = declare()
    .step('pay', { run: doing('pay') })
    .local('note', { run: ({ effect }) => effect('note') })
  const both = () => ({ a: host(saga), b: host(saga) })
  const check = async () => {
    expect(await statusOf()).toBe('completed')
    expect(did).toEqual(['pay'])
    expect(await held.effects()).toEqual(['note'])
  }

  test('do not both work on one saga', async () => {
    expect(await explore(saga, { actors: both }, check)).toMatchObject({ violations: [] })
  })
  test('do so where a claim does not say until when, and its epoch is not compared', async () => {
    const without = (sql: string): string =>
      sql
        .replace('next_at = $3, unfinished', 'next_at = case when $3::timestamptz is null then null else next_at end, unfinished')
        .replaceAll('and epoch = $2', 'and $2::bigint is not null')
    expect((await explore(saga, { actors: both, without }, check)).violations).not.toEqual([])
  })

  /** As two servers' processes may be in the middle of one statement each: what a claim has locked it holds until the other is done too. */
  const claims = (owner: string) => (database: Database) =>
    database.transaction('read committed', (transaction) => {
      const now = new Date(Date.UTC(2026, 0))
      const until = new Date(now.getTime() + 5_000)
      const claim = { owner, known: ['checkout@1'], except: [], now, until, limit: 10, suspectAfter: 2, suspects: 1 }
      return store.claimDue(transaction, claim)
    })
  const atOnce = () => ({ a: claims(ANN), b: claims(BOB) })
  const once = async ({ a, b }: Readonly<Record<string, unknown>>) => expect([a, b].flat()).toHaveLength(1)

  test('and do so in one moment do not both get a saga', async () => {
    expect(await explore(saga, { actors: atOnce }, once)).toMatchObject({ all: true, violations: [] })
  })
  test('both get it where a claim does not leave out what is being claimed', async () => {
    const without = (sql: string): string => sql.replaceAll('for update skip locked', '')
    expect((await explore(saga, { actors: atOnce, without }, once)).violations).not.toEqual([])
  })
})

describe('a host that was thought dead, and the one that took over', () => {
  const saga = declare().local('note', { run: ({ effect }) => effect('note') })
  const both = () => ({ z: zombie(saga), n: host(saga) })
  const check = async () => {
    expect(await statusOf()).toBe('completed')
    expect(await held.effects()).toEqual(['note'])
  }

  test('do a local step once', async () => {
    expect(await explore(saga, { actors: both, owner: NOBODY }, check)).toMatchObject({ violations: [] })
  })
  test('do it twice without the epoch, where what has ended may be written', async () => {
    const without = (sql: string): string => sql.replaceAll('and epoch = $2 and ended_at is null', 'and $2::bigint is not null')
    expect((await explore(saga, { actors: both, owner: NOBODY, without }, check)).violations).not.toEqual([])
  })
})

describe('an event, and the saga that begins to wait for it', () => {
  const saga = declare().waitFor('picked', events.picked, { key: () => 'a', timeout: '2h' })
  const both = () => ({ w: host(saga), e: arrives })
  const check = async () => expect(await statusOf()).toBe('completed')

  test('meet, in whichever order they come', async () => {
    expect(await explore(saga, { actors: both, laterMs: 3_000 }, check)).toMatchObject({ violations: [] })
  })
  test('may miss each other at first: that is why the saga looks again', async () => {
    expect((await explore(saga, { actors: both, laterMs: 1_000, untilRefused: true }, check)).violations).not.toEqual([])
  })
})

describe('a cancel', () => {
  const undo = { undo: async () => undefined }
  const kinds = {
    'a pivot elsewhere': declare()
      .step('first', { run: doing('first'), ...undo })
      .step('pay', { run: doing('pay'), pivot: true }),
    'a pivot in the own database': declare()
      .step('first', { run: doing('first'), ...undo })
      .local('pay', { run: ({ effect }) => effect('pay'), pivot: true }),
    'the last step': declare().step('first', { run: doing('first'), undo: doing('undo') }),
  }
  /** Whoever is told that it will be undone finds it undone, and the pivot not taken; else all is done. */
  const checkFor =
    (pivot: boolean) =>
    async ({ c: answer }: Readonly<Record<string, unknown>>) => {
      const paid = [...did, ...(await held.effects())].includes('pay')
      expect([answer, await statusOf()]).toEqual(answer === 'cancelling' ? ['cancelling', 'compensated'] : ['tooLate', 'completed'])
      if (pivot) expect(paid).toBe(answer === 'tooLate')
    }

  test.each(Object.entries(kinds))('and %s: it is answered as it comes to be', async (kind, saga) => {
    const actors = () => ({ w: host(saga), c: cancels })
    expect(await explore(saga, { actors }, checkFor(kind !== 'the last step'))).toMatchObject({ violations: [] })
  })

  test.each([
    ['a pivot elsewhere', 'and not past_pivot', ''],
    ['the last step', 'and (cancel_code is null or not $13)', 'and $13::boolean is not null'],
    // What a local step finds when it takes the lock that it holds until its end.
    ['a pivot in the own database', 'select cancel_code from', 'select null::text as cancel_code from'],
  ] as const)('and %s: it is not without "%s"', async (kind, protection, instead) => {
    const saga = kinds[kind]
    const without = (sql: string): string => sql.replaceAll(protection, instead)
    const actors = () => ({ w: host(saga), c: cancels })
    expect((await explore(saga, { actors, without }, checkFor(kind !== 'the last step'))).violations).not.toEqual([])
  })
})
