/** What later workers do where they share a database with others, and with what earlier versions of the service have left in it. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { idSource } from '../base/id.ts'
import { seededRandom } from '../base/random.ts'
import { contract } from '../contract/contract.ts'
import { event } from '../contract/event.ts'
import type { Database } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import { createLog } from '../telemetry/log.ts'
import { migratedDatabases } from '../testing/fixtures/migrated-databases.ts'
import { delegate } from '../testing/test-databases.ts'
import type { ScheduledWork } from './later-worker.ts'
import { startLaterWorker } from './later-worker.ts'
import { createTransactionRunner } from './transaction-runner.ts'

const openDatabase = migratedDatabases()

const shop = contract('shop', { version: '1.0.0', operations: {}, events: { sold: event(z.object({ sku: z.string() }), { key: 'sku' }) } })

async function openWith(run: ScheduledWork['run'], losesAnswer = false) {
  const database = await openDatabase()
  const clock = new VirtualClock()
  const random = seededRandom(1)
  let looks = 0
  const counting: Database = {
    ...delegate(database),
    query(sql, parameters) {
      if (sql.includes('min(')) looks++
      return database.query(sql, parameters)
    },
  }
  const losing: Database = {
    ...counting,
    async transaction(isolation, work) {
      const result = await database.transaction(isolation, work)
      if (losesAnswer) throw new DatabaseError('outcome-unknown', 'the answer to COMMIT was lost')
      return result
    },
  }
  let uncertain = 0
  const parts = { clock, random, onEmitted: () => {}, onUncertain: () => void uncertain++ }
  const transactions = createTransactionRunner({
    topic: 'shop',
    database: losing,
    newId: idSource(clock, random),
    onDelayed: () => {},
    ...parts,
  })
  const start = () =>
    startLaterWorker({
      service: 'shop',
      events: Object.values(shop.events),
      schedules: [{ name: 'sweep', timing: { every: '10m' }, run }],
      database: losing,
      exclusive: false,
      transactions,
      log: createLog({ level: 'silent' }),
      ...parts,
    })
  return { database, clock, start, looks: () => looks, uncertain: () => uncertain }
}

test('what nobody knows any more, and what another host is at, is not looked for over and over', async () => {
  const { database, clock, start, looks } = await openWith(async () => {})
  const past = new Date(clock.nowMs() - 60_000)
  await database.query(`insert into skerry_schedule (name, timing, due_at, next_at) values ('removed', 'every 1h', $1, $1)`, [past])
  await database.query(
    `insert into skerry_delayed_event (id, type, key, payload, traceparent, due_at) values (gen_random_uuid(), 'shop.removed.v1', 'a', '{}', '', $1)`,
    [past],
  )
  const worker = start()
  for (let step = 0; step < 100; step++) {
    await expect.poll(() => worker.idle).toBe(true)
    await clock.advance(10)
  }
  await expect.poll(() => worker.idle).toBe(true)
  expect(looks()).toBeLessThanOrEqual(4)
  await worker.stop()
})

test('a schedule that has run is not run again when the answer to its COMMIT is lost', async () => {
  const runs: Date[] = []
  const { clock, start } = await openWith(async (_, dueAt) => void runs.push(dueAt), true)
  const worker = start()
  const advance = async (byMs: number) => {
    await expect.poll(() => worker.idle).toBe(true)
    await clock.advance(byMs)
    await expect.poll(() => worker.idle).toBe(true)
  }
  await advance(600_000)
  for (let step = 0; step < 60; step++) await advance(5_000)
  expect(runs).toHaveLength(1)
  await worker.stop()
})

test('a delayed event that has come into the outbox unnoticed, because the answer to its COMMIT was lost, is looked for', async () => {
  const { database, clock, start, uncertain } = await openWith(async () => {}, true)
  await database.query(
    `insert into skerry_delayed_event (id, type, key, payload, traceparent, due_at) values (gen_random_uuid(), $1, 'a', '{"sku":"a"}', '', $2)`,
    [shop.events.sold.type, clock.now()],
  )
  const worker = start()
  await expect.poll(() => uncertain()).toBe(1)
  const { rows } = await database.query(`select type from skerry_outbox`)
  expect(rows).toEqual([{ type: shop.events.sold.type }])
  await worker.stop()
})
