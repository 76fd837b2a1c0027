/**
 * What a listener takes on. A bounded number of requests is in progress, as many as do not slow each other down; a bounded number waits, as
 * many as will have their turn in time. Everybody else is told at once to come back later, so that under any load the work that is done is work
 * that somebody still waits for. Bulk is refused first, what is critical last.
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

export interface Turn {
  /** The request has been answered. */
  end(): void
}

export class Admission {
  readonly #clock: Clock
  readonly #limit: AdaptiveLimit
  readonly #maxWaitMs: number
  readonly #waiting: Readonly<Record<Priority, Fifo<() => void>>> = { critical: new Fifo(), normal: new Fifo(), bulk: new Fifo() }
  #waitingCount = 0
  #inProgress = 0
  #averageMs = FIRST_GUESS_MS

  constructor(clock: Clock, { limit, maxWaitMs }: AdmissionSettings = ADMISSION_DEFAULTS) {
    this.#clock = clock
    this.#limit = new AdaptiveLimit(limit)
    this.#maxWaitMs = maxWaitMs
  }

  /** A turn, at once or after others; or after how many milliseconds to come back, when there is too much to do. */
  enter(priority: Priority): Turn | Promise<Turn> | number {
    if (this.#inProgress < this.#limit.limit) return this.#begin()
    const waitMs = ((this.#waitingCount + 1) * this.#averageMs) / this.#limit.limit
    if (waitMs > this.#maxWaitMs * SHARE[priority]) return Math.ceil(waitMs)
    this.#waitingCount++
    return new Promise((resolve) => this.#waiting[priority].push(() => resolve(this.#begin())))
  }

  #begin(): Turn {
    const atOnce = ++this.#inProgress
    const startMs = this.#clock.nowMs()
    return {
      end: () => {
        const nowMs = this.#clock.nowMs()
        this.#inProgress--
        this.#averageMs += (nowMs - startMs - this.#averageMs) * NEWEST
        this.#limit.record(nowMs - startMs, atOnce, nowMs)
        while (this.#waitingCount > 0 && this.#inProgress < this.#limit.limit) this.#next()
      },
    }
  }

  #next(): void {
    for (const priority of PRIORITIES) {
      const begin = this.#waiting[priority].shift()
      if (begin === undefined) continue
      this.#waitingCount--
      begin()
      return
    }
  }
}
