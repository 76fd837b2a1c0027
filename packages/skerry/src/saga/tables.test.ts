/** The tables of sagas that a database has already, brought up to date with what is in them. */
import { expect, test } from 'vitest'
import { testDatabaseEngine } from '../testing/test-databases.ts'
import { eventsSinceStart } from './saga-store.ts'
import { SAGA_MIGRATIONS } from './tables.ts'

const ID = '00000000-0000-7000-8000-000000000001'

test('the order of what was there is kept, and what comes behind it', async () => {
  const engine = await testDatabaseEngine()
  try {
    const database = await engine.open({ service: 'shop', shared: true })
    const run = (index: number) => database.transaction('read committed', (transaction) => transaction.script(SAGA_MIGRATIONS[index]!.sql))
    const arrive = (id: string, at: Date) =>
      database.query(`insert into skerry_saga_event (type, key, message_id, data, at) values ('picked', 'a', $1, $2, $3)`, [
        id,
        JSON.stringify(id),
        at,
      ])
    await run(0)
    await database.query(
      `insert into skerry_saga (id, name, version, status, input, traceparent, started_at) values ($1, 'checkout', 1, 'running', '{}', '', $2)`,
      [ID, new Date(1_000)],
    )
    await arrive('of the same moment', new Date(1_000))
    await arrive('before', new Date(999))
    await arrive('after', new Date(1_001))
    await run(1)
    // By a clock that is behind.
    await arrive('new', new Date(500))
    expect(await eventsSinceStart(database, ID, 'picked', 'a')).toEqual(['of the same moment', 'after', 'new'])
  } finally {
    await engine.close()
  }
})
