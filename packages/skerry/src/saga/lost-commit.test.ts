/** The answer to the COMMIT that starts or ends a saga is lost: whether it was carried out, only the database knows, and it is asked. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Clock } from '../base/clock.ts'
import { systemClock, VirtualClock } from '../base/clock.ts'
import { idSource } from '../base/id.ts'
import { systemRandom } from '../base/random.ts'
import type { Database } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import { createTransactionRunner } from '../events/transaction-runner.ts'
import { createLog } from '../telemetry/log.ts'
import { runInScope } from '../telemetry/scope.ts'
import { childTrace } from '../telemetry/trace-context.ts'
import { migratedDatabases } from '../testing/fixtures/migrated-databases.ts'
import type { Saga } from './definition.ts'
import { declareSaga } from './definition.ts'
import { Sagas } from './sagas.ts'

const openDatabase = migratedDatabases()

/** A database that loses the answer to one COMMIT, which was or was not carried out: the first, or the first after `when` says so. */
function losingAnswers(database: Database, committed: boolean, when: () => boolean = () => true): Database {
  let lose = true
  return {
    query: (sql, parameters) => database.query(sql, parameters),
    ping: () => database.ping(),
    close: async () => {},
    async transaction(isolation, work) {
      const lost = new DatabaseError('outcome-unknown', 'the answer to COMMIT was lost')
      let isLost = false
      const loses = (): boolean => lose && when()
      const ending = database.transaction(isolation, async (transaction) => {
        const query = transaction.query.bind(transaction)
        // Not with the last statement, so that there is a moment before it.
        const result = await work({ query, queryLast: query, script: transaction.script.bind(transaction) })
        if (!loses()) return result
        lose = false
        isLost = true
        if (!committed) throw lost
        return result
      })
      const result = await ending
      if (isLost) throw lost
      return result
    },
  }
}

/** The sagas of a host whose transactions may lose an answer, and how one is started there. */
function startSagas(saga: Saga, database: Database, losing: Database, clock: Clock) {
  const parts = { clock, random: systemRandom, newId: idSource(clock, systemRandom) }
  const scope = { service: 'shop', trace: childTrace(undefined, systemRandom), deadlineAtMs: Infinity }
  const silent = { onEmitted: () => {}, onUncertain: () => {}, onDelayed: () => {} }
  const transactions = createTransactionRunner({ topic: 'shop', database: losing, ...parts, ...silent })
  const contexts = { remoteContext: () => ({}), localContext: () => ({}) }
  const options = { service: 'shop', definitions: [saga.definition], database, exclusive: true, transactions, ...parts, ...contexts }
  const sagas = new Sagas({ ...options, log: createLog({ level: 'silent' }) })
  sagas.worker.begin()
  const start = () => runInScope(scope, () => transactions(scope, 'repeatable read', async (open) => sagas.start(open, saga, {}, {})))
  return { worker: sagas.worker, start }
}

test.each([
  [false, 0],
  [true, 1],
])('committed: %s, its first step runs %i times', async (committed, times) => {
  const database = await openDatabase()
  let ran = 0
  const saga = declareSaga('shop', 'checkout', { input: z.object({}) }).step('pay', { run: async () => ++ran })
  const { worker, start } = startSagas(saga, database, losingAnswers(database, committed), systemClock)
  await expect.poll(() => worker.idle).toBe(true)
  await expect(start()).rejects.toThrow('the answer to COMMIT was lost')
  await expect.poll(() => worker.idle).toBe(true)
  expect(ran).toBe(times)
  await worker.stop()
})

test.each([
  [false, 2],
  [true, 1],
])('of the end, committed: %s: it ends %i times, and stays ended', async (committed, times) => {
  const database = await openDatabase()
  let ends = 0
  const saga = declareSaga('shop', 'checkout', { input: z.object({}) })
    .step('pay', { run: async () => 1 })
    .finally({ completed: async () => void ends++ })
  const clock = new VirtualClock()
  const { worker, start } = startSagas(
    saga,
    database,
    losingAnswers(database, committed, () => ends > 0),
    clock,
  )
  await start()
  const ended = async (): Promise<unknown> => {
    await clock.advance(1_000)
    const { rows } = await database.query('select status, ended_at is not null as ended, next_at from skerry_saga')
    return rows
  }
  await expect.poll(ended).toEqual([{ status: 'completed', ended: true, next_at: null }])
  // Long enough for an attempt that was put off.
  await clock.advance('20m')
  expect(await ended()).toEqual([{ status: 'completed', ended: true, next_at: null }])
  expect(ends).toBe(times)
  await worker.stop()
})
