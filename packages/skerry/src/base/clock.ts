/**
 * The boundary to time. Platform and service code reads time and waits only through a `Clock`, so that tests and
 * the simulator can own it: `systemClock` is the machine's, `VirtualClock` moves only when it is told to.
 */
import type { Duration } from './duration.ts'
import { milliseconds } from './duration.ts'

export interface Timer {
  cancel(): void
}

export interface Clock {
  now(): Date
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
  /** The same with fractions, for measuring how long something takes. */
  preciseMs(): number
  /** Runs `action` once after `delayMs`, however long (`Infinity` is never). A pending timer does not keep the process alive. */
  setTimer(delayMs: number, action: () => void): Timer
}

/** setTimeout counts in 32 bits: it would run the action of a longer delay at once. */
const LONGEST_TIMEOUT_MS = 2_147_483_647

export const systemClock: Clock = {
  now: () => new Date(),
  nowMs: () => Date.now(),
  preciseMs: preciseMs(),
  setTimer(delayMs, action) {
    refuseNotANumber(delayMs)
    let handle: NodeJS.Timeout
    const wait = (leftMs: number): void => {
      handle =
        leftMs > LONGEST_TIMEOUT_MS ? setTimeout(() => wait(leftMs - LONGEST_TIMEOUT_MS), LONGEST_TIMEOUT_MS) : setTimeout(action, leftMs)
      handle.unref()
    }
    wait(delayMs)
    return { cancel: () => clearTimeout(handle) }
  },
}

/** How far the fine clock, which does not follow when the time of day is set, may be from it. */
const MAX_DRIFT_MS = 20

function preciseMs(): () => number {
  let beginMs = performance.timeOrigin
  return () => {
    const nowMs = beginMs + performance.now()
    const aheadMs = nowMs - Date.now()
    if (Math.abs(aheadMs) <= MAX_DRIFT_MS) return nowMs
    beginMs -= aheadMs
    return nowMs - aheadMs
  }
}

/** Resolves after `delayMs` on this clock, or at once when `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const end = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.setTimer(delayMs, end)
    signal?.addEventListener('abort', end, { once: true })
  })
}

interface VirtualTimer extends Timer {
  readonly dueMs: number
  readonly order: number
  readonly action: () => void
}

/** A clock that stands still until `advance` moves it; timers fire in the order of their due times. */
export class VirtualClock implements Clock {
  #nowMs: number
  #order = 0
  readonly #timers = new Set<VirtualTimer>()

  constructor(start: Date = new Date('2026-01-01T00:00:00Z')) {
    this.#nowMs = start.getTime()
  }

  now(): Date {
    return new Date(this.#nowMs)
  }

  nowMs(): number {
    return this.#nowMs
  }

  preciseMs(): number {
    return this.#nowMs
  }

  setTimer(delayMs: number, action: () => void): Timer {
    refuseNotANumber(delayMs)
    const timer: VirtualTimer = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      action,
      cancel: () => this.#timers.delete(timer),
    }
    this.#timers.add(timer)
    return timer
  }

  /** When the next timer is due, in milliseconds since the epoch; undefined when none is pending. */
  nextTimerMs(): number | undefined {
    return this.#next()?.dueMs
  }

  /**
   * Moves time forward and runs every timer that falls due. Promises settle before time moves and after each timer, so
   * that work already begun waits from now and not from the end. Throws a `RangeError` unless `by` is zero or more milliseconds.
   */
  async advance(by: Duration | number): Promise<void> {
    const endMs = this.#nowMs + forwardMs(by)
    await turn()
    for (let timer = this.#next(); timer !== undefined && timer.dueMs <= endMs; timer = this.#next()) {
      this.#timers.delete(timer)
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
      timer.action()
      await turn()
    }
    this.#nowMs = Math.max(this.#nowMs, endMs)
    await turn()
  }

  /**
   * Moves time forward at once, as it does for a machine that has slept: what fell due meanwhile runs late, now, and once. Throws a
   * `RangeError` unless `by` is zero or more milliseconds.
   */
  async skip(by: Duration | number): Promise<void> {
    await turn()
    this.#nowMs += forwardMs(by)
    await this.advance(0)
  }

  #next(): VirtualTimer | undefined {
    let first: VirtualTimer | undefined
    for (const timer of this.#timers)
      if (first === undefined || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order)) first = timer
    return first
  }
}

function forwardMs(by: Duration | number): number {
  const byMs = typeof by === 'number' ? by : milliseconds(by)
  if (!(byMs >= 0)) throw new RangeError(`Cannot advance the clock by ${byMs} ms: time only moves forward`)
  return byMs
}

function refuseNotANumber(delayMs: number): void {
  if (Number.isNaN(delayMs)) throw new TypeError('A timer needs a delay in milliseconds, not NaN')
}

/** One real turn of the event loop: every promise that waits for nothing real has settled, and what had arrived from outside is here. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
