/** The answer to the COMMIT that starts a saga is lost: whether the saga is there is not known, and it calls nobody before it is. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { systemClock } from '../base/clock.ts'
import { idSource } from '../base/id.ts'
import { systemRandom } from '../base/random.ts'
import type { Database } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import { createTransactionRunner } from '../events/transaction-runner.ts'
import { createLog } from '../telemetry/log.ts'
import { runInScope } from '../telemetry/scope.ts'
import { childTrace } from '../telemetry/trace-context.ts'
import { migratedDatabases } from '../testing/fixtures/migrated-databases.ts'
import { declareSaga } from './definition.ts'
import { Sagas } from './sagas.ts'

const openDatabase = migratedDatabases()

/** A database that loses the answer to its first COMMIT, which was or was not carried out. */
function losingAnswers(database: Database, committed: boolean): Database {
  let lose = true
  return {
    query: (sql, parameters) => database.query(sql, parameters),
    ping: () => database.ping(),
    close: async () => {},
    async transaction(isolation, work) {
      if (!lose) return database.transaction(isolation, work)
      lose = false
      const lost = new DatabaseError('outcome-unknown', 'the answer to COMMIT was lost')
      await database
        .transaction(isolation, async (transaction) => {
          const query = transaction.query.bind(transaction)
          await work(committed ? transaction : { query, queryLast: query, script: transaction.script.bind(transaction) })
          if (!committed) throw lost
        })
        .catch((error: unknown) => expect(error).toBe(lost))
      throw lost
    },
  }
}

test.each([
  [false, 0],
  [true, 1],
])('committed: %s, its first step runs %i times', async (committed, times) => {
  const database = await openDatabase()
  let ran = 0
  const saga = declareSaga('shop', 'checkout', { input: z.object({}) }).step('pay', { run: async () => ++ran })
  const parts = { clock: systemClock, random: systemRandom, newId: idSource(systemClock, systemRandom) }
  const scope = { service: 'shop', trace: childTrace(undefined, systemRandom), deadlineAtMs: Infinity }
  const silent = { onEmitted: () => {}, onUncertain: () => {}, onDelayed: () => {} }
  const losing = losingAnswers(database, committed)
  const transactions = createTransactionRunner({ topic: 'shop', database: losing, ...parts, ...silent })
  const contexts = { remoteContext: () => ({}), localContext: () => ({}) }
  const options = { service: 'shop', definitions: [saga.definition], database, exclusive: true, transactions, ...parts, ...contexts }
  const sagas = new Sagas({ ...options, log: createLog({ level: 'silent' }) })
  sagas.worker.begin()
  await expect.poll(() => sagas.worker.idle).toBe(true)
  const started = runInScope(scope, () => transactions(scope, 'repeatable read', async (open) => sagas.start(open, saga, {}, {})))
  await expect(started).rejects.toThrow('the answer to COMMIT was lost')
  await expect.poll(() => sagas.worker.idle).toBe(true)
  expect(ran).toBe(times)
  await sagas.worker.stop()
})
