/** Instances of a service that write who called its deprecated operations, in every order of their statements, on real PostgreSQL. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addDeprecatedCalls, readDeprecatedCalls } from '../../packages/skerry/src/service/deprecated-call-rows.ts'
import type { PlatformDatabase } from './platform-database.ts'
import { openPlatformDatabase, standingClock } from './platform-database.ts'
import type { Actor } from './schedules.ts'
import { exploreSchedules } from './schedules.ts'

let held: PlatformDatabase
beforeAll(async () => void (held = await openPlatformDatabase()))
afterAll(() => held[Symbol.asyncDispose]())

const now = standingClock().now()
const called = (caller: string) => ({ operation: 'find', caller, calls: 1, firstAt: now, lastAt: now })
const writes =
  (...callers: readonly string[]): Actor =>
  (database) =>
    addDeprecatedCalls(
      database,
      callers.map((caller) => called(caller)),
      now,
    )

/** Two instances, each with a caller of its own and one that is kept already, where there is room for one more. */
const explore = (without?: (sql: string) => string) =>
  exploreSchedules({
    database: held.database,
    ...(without && { without }),
    async prepare() {
      await held.clear()
      await writes(...Array.from({ length: 99 }, (_, index) => `caller/${index}`))(held.database)
      return { a: writes('a/1', 'caller/0'), b: writes('caller/0', 'b/1') }
    },
    async check(outcomes) {
      for (const outcome of Object.values(outcomes)) expect(outcome).toMatchObject({ ok: true })
      const rows = await readDeprecatedCalls(held.database)
      const callsOf = (caller: string) => rows.find((row) => row.caller === caller)?.calls
      expect([rows.length, callsOf('caller/0'), callsOf('(others)')]).toEqual([101, 3, 1])
    },
  })

test('keep no more callers than there is room for, and lose no call', async () => {
  const { violations, ordersWithWaits, all } = await explore()
  expect(violations).toEqual([])
  expect(all).toBe(true)
  expect(ordersWithWaits).toBeGreaterThan(0)
})

test('are found to keep too many when they do not wait for each other', async () => {
  const together = (sql: string): string => (sql.includes('pg_advisory_xact_lock') ? 'select 1' : sql)
  expect((await explore(together)).violations).not.toEqual([])
})
