/** What the worker leaves alone: what another host knows better, and what it has in hand itself. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { idSource } from '../base/id.ts'
import { seededRandom } from '../base/random.ts'
import type { Database, Transaction } from '../engine/database.ts'
import { createTransactionRunner } from '../events/transaction-runner.ts'
import { createLog } from '../telemetry/log.ts'
import { migratedDatabases } from '../testing/fixtures/migrated-databases.ts'
import { delegate } from '../testing/test-databases.ts'
import type { SagaDefinition } from './definition.ts'
import { declareSaga } from './definition.ts'
import { SagaWorker } from './saga-worker.ts'

const openDatabase = migratedDatabases()

async function openWith(definition: SagaDefinition) {
  const database = await openDatabase()
  const clock = new VirtualClock()
  const random = seededRandom(1)
  const counts = { looks: 0, renewals: 0, renewed: 0, canRenew: true }
  const counting: Database = {
    ...delegate(database),
    query(sql, parameters) {
      if (sql.includes('min(next_at)')) counts.looks++
      if (sql.includes('renewed')) {
        counts.renewals++
        if (!counts.canRenew) return Promise.reject(new Error('not now'))
        return database.query<never>(sql, parameters).finally(() => counts.renewed++)
      }
      return database.query(sql, parameters)
    },
  }
  const parts = { database: counting, clock, random, newId: idSource(clock, random) }
  const worker = new SagaWorker({
    service: 'shop',
    definitions: [definition],
    exclusive: false,
    transactions: createTransactionRunner({ topic: 'shop', onEmitted: () => {}, onUncertain: () => {}, onDelayed: () => {}, ...parts }),
    log: createLog({ level: 'silent' }),
    remoteContext: () => ({}),
    localContext: ({ transaction }) => ({ transaction }),
    ...parts,
  })
  const insert = (version: number) =>
    database.query(
      `insert into skerry_saga (id, name, version, status, input, traceparent, started_at, next_at)
       values (gen_random_uuid(), 'checkout', $1, 'running', '{}', '', $2, $2)`,
      [version, clock.now()],
    )
  const epochs = async () =>
    (await database.query<{ epoch: number }>(`select epoch from skerry_saga order by version`)).rows.map(({ epoch }) => epoch)
  return { database, clock, worker, insert, epochs, counts }
}
const declare = () => declareSaga<z.ZodObject, unknown, { readonly transaction?: Transaction }>('shop', 'checkout', { input: z.object({}) })

test('a version that it does not know is left to others, without looking for it over and over', async () => {
  const { clock, worker, insert, epochs, counts } = await openWith(declare().step('pay', { run: async () => 1 }).definition)
  await insert(2)
  worker.begin()
  for (let step = 0; step < 100; step++) {
    await expect.poll(() => worker.idle).toBe(true)
    await clock.advance(20)
  }
  expect(await epochs()).toEqual([0])
  expect(counts.looks).toBeLessThanOrEqual(5)
  await worker.stop()
})

test('what it works on itself is not begun again when its lease could not be renewed', async () => {
  let runs = 0
  let letRun: (() => void) | undefined
  const run = () => {
    runs++
    return new Promise<void>((resolve) => (letRun = resolve))
  }
  const { clock, worker, insert, epochs, counts, database } = await openWith(declare().step('pay', { run, timeout: '10m' }).definition)
  await insert(1)
  counts.canRenew = false
  worker.begin()
  await expect.poll(() => runs).toBe(1)
  for (let second = 0; second < 20; second++) {
    await clock.advance(1_000)
    await database.ping()
  }
  expect(counts.renewals).toBeGreaterThan(3)
  expect(runs).toBe(1)
  expect(await epochs()).toEqual([1])
  letRun!()
  await expect.poll(async () => (await database.query(`select status from skerry_saga`)).rows).toEqual([{ status: 'completed' }])
  await worker.stop()
})

// An embedded database has one connection, on which the renewal would wait for the step.
test.runIf(process.env['SKERRY_TEST_DATABASE_URL'])(
  'a local step that outlasts renewals of its lease, and the lease, runs once',
  async () => {
    let runs = 0
    const run = async ({ transaction }: { readonly transaction?: Transaction }) => {
      runs++
      await transaction!.query('select status from skerry_saga')
      for (let times = 1; times <= 5; times++) {
        await clock.advance(1_500)
        await expect.poll(() => counts.renewed).toBeGreaterThanOrEqual(times)
      }
    }
    const { clock, worker, insert, counts, epochs, database } = await openWith(declare().local('note', { run }).definition)
    await insert(1)
    worker.begin()
    await expect.poll(async () => (await database.query(`select status from skerry_saga`)).rows).toEqual([{ status: 'completed' }])
    expect(runs).toBe(1)
    expect(await epochs()).toEqual([1])
    await worker.stop()
  },
)
