/** When an instance that has died is started again. Pure: what has happened goes in, the pause comes out. */
import type { Random } from 'skerry/engine'

/** When it died, within the time that counts, in milliseconds since the epoch. */
export type Deaths = readonly number[]

export interface Restart {
  readonly deaths: Deaths
  readonly pauseMs: number
  /** It dies again and again: starting it is unlikely to help. It is tried nevertheless, slowly. */
  readonly crashLoop: boolean
}

const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000
const CRASH_LOOP_DEATHS = 5
const CRASH_LOOP_WITHIN_MS = 60_000

/** What follows from one more death. Pauses double while deaths come within a minute of each other, and are shortened by up to a fifth. */
export function afterDeath(before: Deaths, nowMs: number, random: Pick<Random, 'next'>): Restart {
  // Pauses alone take longer than the minute: what counts is the time since the one before.
  const last = before.at(-1)
  const lasted = last !== undefined && nowMs - last > CRASH_LOOP_WITHIN_MS
  const deaths = [...(lasted ? [] : before), nowMs].slice(-2 * CRASH_LOOP_DEATHS)
  const crashLoop = deaths.length >= CRASH_LOOP_DEATHS
  const longestMs = crashLoop ? LONGEST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (deaths.length - 1))
  return { deaths, crashLoop, pauseMs: longestMs * (0.8 + random.next() / 5) }
}
