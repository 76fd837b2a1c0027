/** The crash points of placing an order and of consuming its events, from the platform's own list: a new one is tested without anyone writing a test. */
import { CRASH_POINTS as ALL_POINTS } from 'skerry/runtime'

export type CrashPoint = (typeof ALL_POINTS)[number]

/** Those of sagas are passed by systems of their own: see test/sagas and test/faults. */
export const CRASH_POINTS = ALL_POINTS.filter((point) => !point.startsWith('saga.'))

export const SYSTEM = 'test/delivery/fixtures/system.ts'

/** Not at the first pass, so that work is under way all around; but these are rare. */
const RARE: readonly CrashPoint[] = [
  'later.before-commit',
  'inbox.attempt-counted',
  'inbox.failure-recorded',
  'inbox.early-parked',
  'inbox.dead-lettered',
]
export const passesOf = (point: CrashPoint): number => (RARE.includes(point) ? 1 : 4)

/** Bounds for what hangs. */
export const LIFE_MS = 120_000
export const ALL_LIVES_MS = 600_000
