import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { migrate } from '../service/migrations.ts'
import { testDatabaseEngine } from '../testing/test-databases.ts'
import { sweep } from './sweep.ts'

const NOW = new Date('2026-06-01T00:00:00Z')

let engine: DatabaseEngine
let database: Database
beforeAll(async () => {
  engine = await testDatabaseEngine()
  database = await engine.open({ service: 'notes', shared: true })
  await migrate({ service: 'notes', database, folder: undefined, clock: new VirtualClock() })
})
afterAll(() => engine.close())
beforeEach(async () => {
  for (const table of ['inbox', 'dead_letter_audit', 'dead_letter']) await database.query(`delete from skerry_${table}`)
})

const ago = (days: number) => new Date(NOW.getTime() - days * 24 * 3_600_000)

async function count(table: string): Promise<number> {
  return (await database.query<{ count: number }>(`select count(*) as count from skerry_${table}`)).rows[0]!.count
}

async function remember(messages: number, at: Date, consumer = 'notes'): Promise<void> {
  await database.query(`insert into skerry_inbox select $1, $1 || $2::timestamptz || n, $2 from generate_series(1, $3) n`, [
    consumer,
    at,
    messages,
  ])
}

it('forgets a thousand rows at a time, the oldest first, and says whether there may be more', async () => {
  await remember(2_500, ago(31))
  await remember(10, ago(29))
  await remember(10, ago(31), 'other')
  expect([await sweep(database, 'notes', NOW), await count('inbox')]).toEqual([true, 1_520])
  expect([await sweep(database, 'notes', NOW), await count('inbox')]).toEqual([true, 520])
  expect([await sweep(database, 'notes', NOW), await count('inbox')]).toEqual([false, 20])
})

it('keeps the audit for more than a year, and dead letters for ever', async () => {
  const letter = `'notes', 'm' || $1, 'orders', 't', '/services/orders', 'k', 1`
  for (const [days, id] of [
    [401, '1'],
    [399, '2'],
  ] as const) {
    const uuid = `019b76da-a800-7000-8000-00000000000${id}`
    await database.query(
      `insert into skerry_dead_letter_audit (id, at, action, by, letter, consumer, message_id, topic, type, source, key, seq, cause, error_hash)
       values ('${uuid}', $2, 'replay', 'ann', '${uuid}', ${letter}, 'invalid', 'h')`,
      [id, ago(days)],
    )
    await database.query(
      `insert into skerry_dead_letter (id, died_at, consumer, message_id, topic, type, source, key, seq, envelope, cause, error, error_hash, attempts)
       values ('${uuid}', $2, ${letter}, '{}', 'invalid', 'e', 'h', 1)`,
      [id, ago(10 * days)],
    )
  }
  await sweep(database, 'notes', NOW)
  expect((await database.query('select message_id from skerry_dead_letter_audit')).rows).toEqual([{ message_id: 'm2' }])
  expect(await count('dead_letter')).toBe(2)
})
