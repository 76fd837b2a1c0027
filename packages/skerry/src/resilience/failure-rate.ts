/** Which share of the last calls has failed: opens a circuit breaker whose failures never come in a row. */
import { RollingCounts } from './rolling-counts.ts'

export interface FailureRateSettings {
  /** The share of failures that is too much, above 0 and at most 1. Default: 0.5. */
  readonly failureRate: number
  /** Of fewer calls within the window no share is taken. Default: 20. */
  readonly minCalls: number
  /** Default: 10 000. */
  readonly windowMs: number
}

export const FAILURE_RATE_DEFAULTS: FailureRateSettings = { failureRate: 0.5, minCalls: 20, windowMs: 10_000 }

const ALL = 0
const FAILED = 1

export class FailureRate {
  readonly #settings: FailureRateSettings
  readonly #counts: RollingCounts

  constructor(settings: FailureRateSettings = FAILURE_RATE_DEFAULTS) {
    this.#settings = settings
    this.#counts = new RollingCounts(settings.windowMs, 2)
  }

  /** Counts a call; true when too many have failed. */
  record(failed: boolean, nowMs: number): boolean {
    this.#counts.add(ALL, 1, nowMs)
    if (!failed) return false
    this.#counts.add(FAILED, 1, nowMs)
    const calls = this.#counts.total(ALL, nowMs)
    return calls >= this.#settings.minCalls && this.#counts.total(FAILED, nowMs) >= calls * this.#settings.failureRate
  }

  /** What was before says nothing any more. */
  clear(): void {
    this.#counts.clear()
  }
}
