import { expect, test } from 'vitest'
import { nextDueMs, timingText } from './schedule.ts'

const MINUTE_MS = 60_000

test('every so often: the times keep their distance, however long the work took', () => {
  const every = { every: '10m' } as const
  expect(nextDueMs(every, undefined, 5)).toBe(10 * MINUTE_MS + 5)
  expect(nextDueMs(every, 0, 3 * MINUTE_MS)).toBe(10 * MINUTE_MS)
  expect(nextDueMs(every, 0, 0)).toBe(10 * MINUTE_MS)
})

test('times that were missed are not made up for', () => {
  expect(nextDueMs({ every: '10m' }, 0, 65 * MINUTE_MS)).toBe(70 * MINUTE_MS)
  expect(nextDueMs({ every: '10m' }, 0, 70 * MINUTE_MS)).toBe(80 * MINUTE_MS)
})

test('a clock that was set back does not run it again early', () => {
  expect(nextDueMs({ every: '10m' }, 60 * MINUTE_MS, 0)).toBe(70 * MINUTE_MS)
})

test('cron: the next time after now, in its zone, across a change of summer time', () => {
  const nightly = { cron: '30 2 * * *', timeZone: 'Europe/Zurich' }
  const next = (from: string) => new Date(nextDueMs(nightly, undefined, Date.parse(from))).toISOString()
  expect(next('2026-03-27T12:00:00Z')).toBe('2026-03-28T01:30:00.000Z')
  // At 2:00 the clocks go to 3:00: there is no 2:30 on the 29th.
  expect(next('2026-03-29T12:00:00Z')).toBe('2026-03-30T00:30:00.000Z')
})

test('the text changes with what decides the times', () => {
  expect(
    new Set(
      [{ every: '1m' }, { every: '2m' }, { cron: '* * * * *' }, { cron: '* * * * *', timeZone: 'Asia/Tokyo' }].map((timing) =>
        timingText(timing as never),
      ),
    ).size,
  ).toBe(4)
})
