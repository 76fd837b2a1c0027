/** Rows come and go, and the space they take stays the same. */
import type { Database } from 'skerry/engine'
import { VirtualClock } from 'skerry/testing'
import { expect, test, vi } from 'vitest'
import { migrate, newDirectory, open } from './fixtures/scene.ts'

vi.setConfig({ testTimeout: 120_000 })

const ROWS = 2_000

async function comeAndGo(database: Database): Promise<void> {
  await database.query(`insert into passers (words) select repeat('word ', 40) from generate_series(1, ${ROWS})`)
  await database.query('delete from passers')
}

interface Table {
  readonly bytes: number
  readonly vacuums: number
}

async function look(database: Database): Promise<Table> {
  const { rows } = await database.query<Table>(
    `select pg_total_relation_size(relid) as bytes, vacuum_count as vacuums from pg_stat_user_tables where relname = 'passers'`,
  )
  return rows[0]!
}

test('a table that rows come to and leave does not grow', async () => {
  const clock = new VirtualClock()
  const [database] = (await open({ dataDir: await newDirectory(), clock }, 'orders')) as [Database]
  await migrate(database, 'create table passers (id int8 generated always as identity primary key, words text)')
  await comeAndGo(database)
  const once = await look(database)
  for (let round = 1; round <= 4; round++) {
    const { vacuums } = await look(database)
    // PGlite counts with a second's delay.
    await vi.waitFor(
      async () => {
        await clock.advance(5_000)
        expect((await look(database)).vacuums).toBeGreaterThan(vacuums)
      },
      { timeout: 60_000 },
    )
    await comeAndGo(database)
  }
  expect((await look(database)).bytes).toBeLessThan(2 * once.bytes)
})
