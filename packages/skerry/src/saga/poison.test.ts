/** What ends the process that works on it: counted where that process cannot forget it, and given up after some times, with nothing else. */
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { sleep, VirtualClock } from '../base/clock.ts'
import { idSource } from '../base/id.ts'
import { seededRandom } from '../base/random.ts'
import type { Database, Transaction } from '../engine/database.ts'
import { createTransactionRunner } from '../events/transaction-runner.ts'
import { createLog } from '../telemetry/log.ts'
import { migratedDatabases } from '../testing/fixtures/migrated-databases.ts'
import type { SagaBuilder } from './definition.ts'
import { declareSaga } from './definition.ts'
import { retrySaga } from './saga-admin.ts'
import { readSagas } from './saga-rows.ts'
import { MAX_UNFINISHED, SagaWorker } from './saga-worker.ts'

const openDatabase = migratedDatabases()

const MAX_LIVES = 60
const steps: string[] = []
/** Steps of this life that wait for the clock. */
let sleeping = new Set<object>()
const NEVER = new Promise<never>(() => {})
const input = z.object({ poison: z.boolean() })
type Declare = (
  saga: SagaBuilder<typeof input, unknown, { readonly transaction: Transaction }, Record<never, never>>,
  die: () => Promise<never>,
) => object

/** The database as a process sees it that may end at any moment: from then on it hears nothing, and its transaction is rolled back. */
function mortal(database: Database): { readonly database: Database; readonly die: () => void; readonly dead: () => boolean } {
  let isDead = false
  const death = Promise.withResolvers<never>()
  death.promise.catch(() => undefined)
  const unlessDead = <T>(work: () => Promise<T>): Promise<T> =>
    isDead
      ? NEVER
      : work().then(
          (value) => (isDead ? NEVER : value),
          (error: unknown) => (isDead ? NEVER : Promise.reject(error as Error)),
        )
  return {
    dead: () => isDead,
    die() {
      isDead = true
      death.reject(new Error('the process has ended'))
    },
    database: {
      query: (sql, parameters) => unlessDead(() => database.query(sql, parameters)),
      transaction: (isolation, work) =>
        unlessDead(() => database.transaction(isolation, (transaction) => Promise.race([work(transaction), death.promise]))),
      ping: () => unlessDead(() => database.ping()),
      close: async () => {},
    },
  }
}

/** A service whose host is started again whenever it has ended, as a supervisor does. */
async function open(declare: Declare, exclusive: boolean) {
  const database = await openDatabase()
  const clock = new VirtualClock()
  const random = seededRandom(1)
  const newId = idSource(clock, random)
  const insert = (poison: boolean) =>
    database.query(
      `insert into skerry_saga (id, name, version, status, input, traceparent, started_at, next_at) values ($1, 'checkout', 1, 'running', $2, '', $3, $3)`,
      [newId(), JSON.stringify({ poison }), clock.now()],
    )

  /** One life of the host. True when it has ended before everything was done. */
  async function live(): Promise<boolean> {
    const life = mortal(database)
    sleeping = new Set()
    const begun = declareSaga<typeof input, unknown, { readonly transaction: Transaction }>('shop', 'checkout', { input })
    const saga = declare(begun, () => {
      life.die()
      return NEVER
    }) as typeof begun
    const parts = { database: life.database, clock, random, newId }
    const silent = { onEmitted: () => {}, onUncertain: () => {}, onDelayed: () => {} }
    const worker = new SagaWorker({
      service: 'shop',
      definitions: [saga.definition],
      exclusive,
      transactions: createTransactionRunner({ topic: 'shop', ...silent, ...parts }),
      log: createLog({ level: 'silent' }),
      remoteContext: () => ({}),
      localContext: ({ transaction }) => ({ transaction }),
      ...parts,
    })
    worker.begin()
    for (;;) {
      await expect.poll(() => life.dead() || worker.idle || sleeping.size > 0).toBe(true)
      const { rows } = await database.query(`select from skerry_saga where next_at is not null`)
      if (life.dead() || rows.length === 0) break
      await clock.advance(1_000)
    }
    if (!life.dead()) await worker.stop()
    return life.dead()
  }
  const liveUntilDone = async (): Promise<number> => {
    for (let lives = 1; lives <= MAX_LIVES; lives++) {
      if (!(await live())) return lives - 1
      if (!exclusive) await clock.advance(6_000)
    }
    throw new Error(`the host still ends after ${MAX_LIVES} lives`)
  }
  const sagas = () => readSagas(database, {}, undefined, 100)
  return { database, clock, insert, live, liveUntilDone, sagas }
}

const did = (what: string) => async () => void steps.push(what)
let endings = 0
const endsBadly: Declare = (saga, die) => {
  const completed = async (): Promise<void> => {
    if (endings++ === 0) throw new Error('a mistake')
    return die()
  }
  return saga.step('first', first).finally({ completed })
}
const first = { run: did('first'), undo: did('undo first') }

describe.each([
  ['this process alone has the database', true],
  ['several hosts share the database', false],
])('where %s', (_, exclusive) => {
  const opened = async (declare: Declare) => {
    steps.length = 0
    endings = 0
    const host = await open(declare, exclusive)
    await host.insert(true)
    return host
  }

  test('a step that ends its process is undone after some times, with all before it', async () => {
    const host = await opened((saga, die) =>
      saga.step('first', first).step('poison', {
        run: async () => {
          steps.push('poison')
          return die()
        },
        undo: did('undo poison'),
      }),
    )
    expect(await host.liveUntilDone()).toBe(MAX_UNFINISHED)
    expect(steps).toEqual(['first', ...Array.from({ length: MAX_UNFINISHED }, () => 'poison'), 'undo poison', 'undo first'])
    expect(await host.sagas()).toMatchObject([{ status: 'compensated' }])
  })

  test('a local step that ends its process is given up, and not undone, for nothing is left of it', async () => {
    const host = await opened((saga, die) => saga.step('first', first).local('poison', { run: () => die(), undo: did('undo poison') }))
    // The first time what came before it was lost with it.
    expect(await host.liveUntilDone()).toBe(MAX_UNFINISHED + 1)
    expect(steps).toEqual(['first', 'first', 'undo first'])
    expect(await host.sagas()).toMatchObject([{ status: 'compensated' }])
  })

  test('one that does so only at first is done', async () => {
    let times = 0
    const host = await opened((saga, die) =>
      saga
        .step('first', first)
        .step('shaky', { run: async () => (++times < MAX_UNFINISHED ? die() : undefined) })
        .step('shakyAgain', { run: async () => (++times < 2 * MAX_UNFINISHED - 1 ? die() : undefined) }),
    )
    await host.liveUntilDone()
    expect(await host.sagas()).toMatchObject([{ status: 'completed' }])
  })

  test.each([
    [
      'behind the pivot',
      (saga, die) => saga.step('pivot', { run: did('pivot'), pivot: true }).step('poison', { run: () => die() }),
      /poison/,
    ],
    ['that is the pivot', (saga, die) => saga.step('first', first).step('poison', { run: () => die(), pivot: true }), /poison/],
    [
      'of an undo',
      (saga, die) =>
        saga.step('poison', { run: did('x'), undo: () => die() }).local('no', { run: async ({ abort }) => Promise.reject(abort('no')) }),
      /poison/,
    ],
    [
      'of a local undo',
      (saga, die) =>
        saga.local('poison', { run: did('x'), undo: () => die() }).local('no', { run: async ({ abort }) => Promise.reject(abort('no')) }),
      /poison/,
    ],
    ['of an end', endsBadly, /end/],
  ] satisfies [string, Declare, RegExp][])('a poison %s waits for a person, who can have it tried again', async (_place, declare, why) => {
    const host = await opened(declare)
    const deaths = await host.liveUntilDone()
    expect([MAX_UNFINISHED, MAX_UNFINISHED + 1]).toContain(deaths)
    const [saga] = await host.sagas()
    expect(saga).toMatchObject({ status: 'parked', parkedBecause: expect.stringMatching(why) as string })
    expect(saga!.parkedBecause).toContain(`${MAX_UNFINISHED} times`)
    expect(await retrySaga(host.database, saga!.id, { by: 'ann', now: host.clock.now() })).toMatchObject({ done: true })
    expect(await host.liveUntilDone()).toBe(MAX_UNFINISHED)
  })

  test('what was merely at work beside it is done', async () => {
    let poisons = 0
    let begun = 0
    const host = await opened((saga, die) =>
      saga.step('work', {
        run: async ({ input: { poison } }) => {
          if (!poison) return begun++ % 2 === 0 ? slowly() : undefined
          poisons++
          return die()
        },
      }),
    )
    const slowly = async (): Promise<void> => {
      const ofThisLife = sleeping
      const sleeper = {}
      ofThisLife.add(sleeper)
      await sleep(host.clock, 3_000)
      ofThisLife.delete(sleeper)
    }
    for (let count = 0; count < 20; count++) await host.insert(false)
    expect(await host.liveUntilDone()).toBe(MAX_UNFINISHED)
    expect(poisons).toBe(MAX_UNFINISHED)
    const ends = (await host.sagas()).map(({ status }) => status)
    expect(ends.filter((status) => status === 'compensated')).toHaveLength(1)
    expect(ends.filter((status) => status === 'completed')).toHaveLength(20)
  })
})
