/** When scheduled work is due: `every` so often, or at the times of a cron expression. Pure: the times come in and go out. */
import { Cron } from 'croner'
import type { Duration } from '../base/duration.ts'
import { milliseconds } from '../base/duration.ts'

export type Timing =
  /** So long after the last time it was due. */
  | { readonly every: Duration }
  /** Five fields, or six with seconds first, as crontab(5) has them: `0 3 * * *`. In UTC unless `timeZone` (IANA) says otherwise. */
  | { readonly cron: string; readonly timeZone?: string }

const MIN_EVERY_MS = 1_000

/** Throws a `TypeError` that says what is wrong with the timing. */
export function checkTiming(timing: Timing): void {
  if ('every' in timing) {
    if (milliseconds(timing.every) < MIN_EVERY_MS) throw new TypeError(`every: '${timing.every}' is shorter than ${MIN_EVERY_MS} ms`)
    return
  }
  if (cronOf(timing).nextRun(new Date(0)) === null) throw new TypeError(`cron: '${timing.cron}' names no time that ever comes`)
}

/**
 * The next time after `nowMs`, in milliseconds since the epoch. Times that were missed while no host ran are not made up for. For `every`
 * the times keep their distance to `lastDueMs`, so that the work's own duration does not add up.
 */
export function nextDueMs(timing: Timing, lastDueMs: number | undefined, nowMs: number): number {
  if ('cron' in timing) return cronOf(timing).nextRun(new Date(nowMs))?.getTime() ?? Infinity
  const everyMs = milliseconds(timing.every)
  if (lastDueMs === undefined) return nowMs + everyMs
  return lastDueMs + (Math.floor(Math.max(0, nowMs - lastDueMs) / everyMs) + 1) * everyMs
}

/** The timing as text: another text means that the times have to be reckoned anew. */
export function timingText(timing: Timing): string {
  return 'every' in timing ? `every ${timing.every}` : `${timing.cron} ${timing.timeZone ?? 'UTC'}`
}

function cronOf({ cron, timeZone = 'UTC' }: { cron: string; timeZone?: string }): Cron {
  try {
    return new Cron(cron, { timezone: timeZone, paused: true })
  } catch (error) {
    throw new TypeError(
      `cron: '${cron}' (${timeZone}) is not a cron expression: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
}
