/**
 * What a listener takes on. A bounded number of requests is in progress, as many as do not slow each other down; a bounded number waits, as
 * many as will have their turn in time. Everybody else is told at once to come back later, so that under any load the work that is done is work
 * that somebody still waits for. Bulk is refused first, what is critical last; and whoever could not be answered in time, whatever he is.
 */
import type { Clock } from '../base/clock.ts'
import { Fifo } from '../base/fifo.ts'
import type { Priority } from '../base/priority.ts'
import { PRIORITIES } from '../base/priority.ts'
import type { AdaptiveLimitSettings } from './adaptive-limit.ts'
import { ADAPTIVE_LIMIT_DEFAULTS, AdaptiveLimit } from './adaptive-limit.ts'

export interface AdmissionSettings {
  readonly limit: AdaptiveLimitSettings
  /** How long a critical request may have to wait for its turn; a normal one 80 %, bulk half of it. Default: 500. */
  readonly maxWaitMs: number
}

export const ADMISSION_DEFAULTS: AdmissionSettings = { limit: ADAPTIVE_LIMIT_DEFAULTS, maxWaitMs: 500 }

const SHARE: Readonly<Record<Priority, number>> = { critical: 1, normal: 0.8, bulk: 0.5 }
/** How long an answer takes, before there has been one. */
const FIRST_GUESS_MS = 10
/** How much the last answer counts. */
const NEWEST = 0.1
/** How much longer than on average an answer may take for its work to be worth beginning. */
const MARGIN = 1.5

export interface Turn {
  /** The request has been answered. */
  end(): void
}

interface Waiting {
  readonly untilMs: number
  /** When he stops waiting for his answer. */
  readonly deadlineAtMs: number
  readonly begin: () => void
  readonly refuse: () => void
}

export class Admission {
  readonly #clock: Clock
  readonly #limit: AdaptiveLimit
  readonly #maxWaitMs: number
  readonly #waiting: Readonly<Record<Priority, Fifo<Waiting>>> = { critical: new Fifo(), normal: new Fifo(), bulk: new Fifo() }
  #inProgress = 0
  #averageMs = FIRST_GUESS_MS

  constructor(clock: Clock, { limit, maxWaitMs }: AdmissionSettings = ADMISSION_DEFAULTS) {
    this.#clock = clock
    this.#limit = new AdaptiveLimit(limit)
    this.#maxWaitMs = maxWaitMs
  }

  /**
   * A turn, at once or after others; or after how many milliseconds to come back, when there is too much to do, or when others came first
   * that matter more. `remainingMs`: how long he waits for his answer.
   */
  enter(priority: Priority, remainingMs = Infinity): Turn | Promise<Turn | number> | number {
    if (this.#inProgress < this.#limit.limit) return this.#begin()
    const mayWaitMs = this.#maxWaitMs * SHARE[priority]
    const waitMs = ((this.#before(priority) + 1) * this.#averageMs) / this.#limit.limit
    if (waitMs > Math.min(mayWaitMs, remainingMs - MARGIN * this.#averageMs)) return Math.ceil(waitMs)
    const nowMs = this.#clock.nowMs()
    return new Promise((resolve) =>
      this.#waiting[priority].push({
        // What was reckoned with may come otherwise.
        untilMs: nowMs + 2 * mayWaitMs,
        deadlineAtMs: nowMs + remainingMs,
        begin: () => resolve(this.#begin()),
        refuse: () => resolve(Math.ceil(mayWaitMs)),
      }),
    )
  }

  /** Those that have their turn before one that comes now. */
  #before(priority: Priority): number {
    return PRIORITIES.slice(0, PRIORITIES.indexOf(priority) + 1).reduce((sum, other) => sum + this.#waiting[other].size, 0)
  }

  #begin(): Turn {
    const atOnce = ++this.#inProgress
    const startMs = this.#clock.nowMs()
    return {
      end: () => {
        const nowMs = this.#clock.nowMs()
        const tookMs = Math.max(0, nowMs - startMs)
        this.#inProgress--
        this.#averageMs += (tookMs - this.#averageMs) * NEWEST
        this.#limit.record(tookMs, atOnce, nowMs)
        if (this.#nobodyWaits) return
        this.#refuseLate(nowMs)
        while (this.#inProgress < this.#limit.limit && this.#next(nowMs));
      },
    }
  }

  get #nobodyWaits(): boolean {
    const { critical, normal, bulk } = this.#waiting
    return critical.size === 0 && normal.size === 0 && bulk.size === 0
  }

  #refuseLate(nowMs: number): void {
    for (const waiting of Object.values(this.#waiting))
      while (waiting.first !== undefined && waiting.first.untilMs < nowMs) waiting.shift()!.refuse()
  }

  /** False when nobody waits. Work for somebody who would not wait for its end is time taken from all the others. */
  #next(nowMs: number): boolean {
    const next = PRIORITIES.map((priority) => this.#waiting[priority])
      .find(({ size }) => size > 0)
      ?.shift()
    if (next === undefined) return false
    if (nowMs + MARGIN * this.#averageMs > next.deadlineAtMs) next.refuse()
    else next.begin()
    return true
  }
}
