/**
 * How much a caller may add to the load of a dependency by calling it again. Retries and hedged calls share it. When everything fails, the
 * dependency sees at most the first attempts and this much more: without it, retries make an overload of their own that outlives its cause.
 * As Finagle and Linkerd have it.
 */
import { RollingCounts } from './rolling-counts.ts'

export interface RetryBudgetSettings {
  /** For each first attempt so much of an extra one. Default: 0.2. */
  readonly ratio: number
  /** What there is besides, so that callers with little traffic can retry at all. Default: 10. */
  readonly minPerSecond: number
  /** How long what was not spent is kept. Default: 10 000. */
  readonly windowMs: number
}

export const RETRY_BUDGET_DEFAULTS: RetryBudgetSettings = { ratio: 0.2, minPerSecond: 10, windowMs: 10_000 }

const FIRST = 0
const EXTRA = 1

export class RetryBudget {
  readonly #settings: RetryBudgetSettings
  readonly #counts: RollingCounts

  constructor(settings: RetryBudgetSettings = RETRY_BUDGET_DEFAULTS) {
    this.#settings = settings
    this.#counts = new RollingCounts(settings.windowMs, 2)
  }

  /** A first attempt is being made. */
  deposit(nowMs: number): void {
    this.#counts.add(FIRST, 1, nowMs)
  }

  /** Takes what one extra attempt costs; false when there is not enough. */
  withdraw(nowMs: number): boolean {
    const { ratio, minPerSecond, windowMs } = this.#settings
    const allowed = this.#counts.total(FIRST, nowMs) * ratio + (minPerSecond * windowMs) / 1_000
    if (this.#counts.total(EXTRA, nowMs) + 1 > allowed) return false
    this.#counts.add(EXTRA, 1, nowMs)
    return true
  }
}
