import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import { createLog } from '../telemetry/log.ts'
import { delegate, testDatabaseEngine } from '../testing/test-databases.ts'
import { readDeprecatedCalls } from './deprecated-call-rows.ts'
import { DeprecatedCalls } from './deprecated-calls.ts'
import { migrate } from './migrations.ts'

const log = createLog({ level: 'silent' })
const START = '2026-01-01T00:00:00.000Z'

let engine: DatabaseEngine
let database: Database
let clock: VirtualClock
beforeAll(async () => {
  engine = await testDatabaseEngine()
  database = await engine.open({ service: 'shop', shared: true })
  await migrate({ service: 'shop', database, folder: undefined, clock: new VirtualClock() })
})
afterAll(() => engine.close())
beforeEach(async () => {
  clock = new VirtualClock(new Date(START))
  await database.query('delete from skerry_deprecated_call')
})

/** The database, with how often it was asked, and ways to be gone or slow. */
function watched() {
  const seen = { transactions: 0, down: false, slow: Promise.resolve() }
  const watching: Database = {
    ...delegate(database),
    async transaction(isolation, work) {
      seen.transactions++
      await seen.slow
      if (seen.down) throw new DatabaseError('unavailable', 'it is gone')
      return database.transaction(isolation, work)
    },
  }
  return { seen, calls: new DeprecatedCalls({ database: watching, clock, log }) }
}

const counted = async () => (await readDeprecatedCalls(database)).map(({ operation, caller, calls }) => `${operation} ${caller} ${calls}`)

it('writes what it has counted some seconds later, once, and then does nothing until the next call', async () => {
  const { seen, calls } = watched()
  expect(clock.nextTimerMs()).toBeUndefined()
  for (let count = 0; count < 1_000; count++) calls.count('find', 'cart/1.0.0 skerry/0.1.0')
  await clock.advance('1s')
  calls.count('find', 'curl/8.5.0')
  calls.count('list', undefined)
  await clock.advance('3999ms')
  expect([seen.transactions, await counted()]).toEqual([0, []])
  await clock.advance('1ms')
  await expect.poll(counted).toEqual(['find curl/8.5.0 1', 'find cart/1.0.0 skerry/0.1.0 1000', 'list (unnamed) 1'])
  await clock.advance('1d')
  expect([seen.transactions, clock.nextTimerMs()]).toEqual([1, undefined])

  calls.count('find', 'cart/1.0.0 skerry/0.1.0')
  await clock.advance('5s')
  await expect.poll(counted).toContain('find cart/1.0.0 skerry/0.1.0 1001')
  expect(seen.transactions).toBe(2)
  expect(await readDeprecatedCalls(database)).toContainEqual({
    operation: 'find',
    caller: 'cart/1.0.0 skerry/0.1.0',
    calls: 1_001,
    firstAt: new Date(START),
    lastAt: new Date('2026-01-02T00:00:05.000Z'),
  })
})

it('writes what is left when it stops, and sums up what several instances and their successors have counted', async () => {
  const [one, other] = [watched(), watched()]
  one.calls.count('find', 'curl/8.5.0')
  await clock.advance('1s')
  other.calls.count('find', 'curl/8.5.0')
  other.calls.count('find', 'wget/1.21')
  await Promise.all([other.calls.stop(), one.calls.stop()])
  const successor = watched()
  await clock.advance('1s')
  successor.calls.count('find', 'curl/8.5.0')
  await successor.calls.stop()
  expect(await readDeprecatedCalls(database)).toMatchObject([
    { caller: 'curl/8.5.0', calls: 3, firstAt: new Date(START), lastAt: new Date('2026-01-01T00:00:02.000Z') },
    { caller: 'wget/1.21', calls: 1 },
  ])
  const idle = watched()
  await idle.calls.stop()
  expect(idle.seen.transactions).toBe(0)
})

it('loses nothing while the database is gone, and does not press it', async () => {
  const { seen, calls } = watched()
  seen.down = true
  calls.count('find', 'curl/8.5.0')
  await clock.advance('1s')
  calls.count('find', 'curl/8.5.0')
  await clock.advance('63s')
  expect(seen.transactions).toBe(1)
  calls.count('list', 'curl/8.5.0')
  await clock.advance('999ms')
  expect(seen.transactions).toBe(1)
  seen.down = false
  await clock.advance('1ms')
  await expect.poll(counted).toEqual(['find curl/8.5.0 2', 'list curl/8.5.0 1'])
  expect((await readDeprecatedCalls(database))[0]).toMatchObject({
    firstAt: new Date(START),
    lastAt: new Date('2026-01-01T00:00:01.000Z'),
  })
})

it('counts while it writes, and writes that some seconds later', async () => {
  const { seen, calls } = watched()
  const { promise, resolve } = Promise.withResolvers<void>()
  seen.slow = promise
  calls.count('find', 'curl/8.5.0')
  await clock.advance('5s')
  calls.count('find', 'curl/8.5.0')
  await clock.advance('1m')
  expect([seen.transactions, await counted()]).toEqual([1, []])
  resolve()
  await expect.poll(counted).toEqual(['find curl/8.5.0 1'])
  await expect.poll(() => clock.nextTimerMs()).toBe(Date.parse('2026-01-01T00:01:10.000Z'))
  await clock.advance('5s')
  await expect.poll(counted).toEqual(['find curl/8.5.0 2'])
})

it('keeps a hundred callers of each operation, and counts the others together', async () => {
  const { calls } = watched()
  for (let caller = 0; caller < 150; caller++) calls.count('find', `caller/${caller}`)
  calls.count('list', 'curl/8.5.0')
  await calls.stop()
  const rows = await counted()
  expect([rows.length, rows.filter((row) => row.startsWith('find caller/')).length]).toEqual([102, 100])
  expect(rows).toContain('find (others) 50')

  const next = watched()
  next.calls.count('find', 'caller/0')
  for (let caller = 150; caller < 170; caller++) next.calls.count('find', `caller/${caller}`)
  await next.calls.stop()
  expect(await counted()).toHaveLength(102)
  expect(await counted()).toEqual(expect.arrayContaining(['find caller/0 2', 'find (others) 70', 'list curl/8.5.0 1']))
})

it('counts up to a thousand callers between two writes by their names, so that known ones are found among strangers', async () => {
  const known = watched()
  for (const caller of ['early/1', 'late/1']) known.calls.count('find', caller)
  await known.calls.stop()
  const crowd = watched()
  for (let caller = 0; caller < 999; caller++) crowd.calls.count('find', `caller/${caller}`)
  for (const caller of ['early/1', 'late/1', 'early/1']) crowd.calls.count('find', caller)
  await crowd.calls.stop()
  // 98 of the 999 found room; the others are 901 and the one behind the thousandth.
  expect(await counted()).toEqual(expect.arrayContaining(['find early/1 3', 'find late/1 1', 'find (others) 902']))
})

it('lets whoever has not called for a month give way to new callers, the longest silent one first', async () => {
  const first = watched()
  for (let caller = 0; caller < 100; caller++) {
    first.calls.count('find', `caller/${caller}`)
    await clock.advance('1ms')
  }
  await first.calls.stop()
  await clock.advance('20d')
  const second = watched()
  second.calls.count('find', 'caller/0')
  await second.calls.stop()
  await clock.advance('11d')
  const third = watched()
  for (const caller of ['new/1', 'new/2', 'caller/1']) third.calls.count('find', caller)
  await third.calls.stop()
  const rows = await counted()
  expect(rows).toEqual(expect.arrayContaining(['find new/1 1', 'find new/2 1', 'find caller/0 2', 'find caller/1 2', 'find (others) 2']))
  expect(rows).toHaveLength(101)
  expect(rows.filter((row) => /caller\/[23] /.test(row))).toEqual([])
  expect(await readDeprecatedCalls(database)).toContainEqual({
    operation: 'find',
    caller: '(others)',
    calls: 2,
    firstAt: new Date('2026-01-01T00:00:00.002Z'),
    lastAt: new Date('2026-01-01T00:00:00.003Z'),
  })
})
