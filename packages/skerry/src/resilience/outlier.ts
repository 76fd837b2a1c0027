/**
 * Whether an instance is left out of balancing for a while because it keeps failing while others do not: a machine that has gone bad, not a
 * dependency that is down. Longer each time. Defaults as Envoy's and gRPC's (proposal A50).
 */

export interface OutlierSettings {
  /** Failures in a row, of any operation. Default: 5. */
  readonly consecutiveFailures: number
  /** How long the first time; so much longer each further time. Default: 30 000. */
  readonly ejectMs: number
  /** Default: 300 000. */
  readonly maxEjectMs: number
}

export const OUTLIER_DEFAULTS: OutlierSettings = { consecutiveFailures: 5, ejectMs: 30_000, maxEjectMs: 300_000 }

export class Outlier {
  readonly #settings: OutlierSettings
  #failures = 0
  #times = 0
  #untilMs = -Infinity

  constructor(settings: OutlierSettings = OUTLIER_DEFAULTS) {
    this.#settings = settings
  }

  isEjected(nowMs: number): boolean {
    return nowMs < this.#untilMs
  }

  record(failed: boolean, nowMs: number): void {
    if (!failed) {
      this.#failures = 0
      // One good answer after an ejection does not make up for all of them.
      if (this.#times > 0 && nowMs >= this.#untilMs + this.#settings.ejectMs) this.#times--
      return
    }
    // What ends while it is ejected was sent before.
    if (this.isEjected(nowMs) || ++this.#failures < this.#settings.consecutiveFailures) return
    this.#failures = 0
    this.#times++
    this.#untilMs = nowMs + Math.min(this.#settings.maxEjectMs, this.#settings.ejectMs * this.#times)
  }
}

/** At least this share stays: when more are bad, it is not them. */
const MIN_SHARE = 0.5

/** Those to choose from: the ones that are not ejected, or all when too few would be left. */
export function withoutOutliers<T>(all: readonly T[], isEjected: (one: T) => boolean): readonly T[] {
  if (all.length < 2) return all
  const left = all.filter((one) => !isEjected(one))
  return left.length >= all.length * MIN_SHARE ? left : all
}
