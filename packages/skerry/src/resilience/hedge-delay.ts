/**
 * After how long a second instance is asked: what 95 % of the answers of the last 30 s have taken at most, so that one call in twenty is asked
 * twice (Dean and Barroso, The Tail at Scale, 2013). Nobody knows before there have been enough answers.
 */
export interface HedgeDelaySettings {
  /** Default: 0.95. */
  readonly percentile: number
  /** What is faster is not worth asking twice. Default: 10. */
  readonly minMs: number
  /** Default: 30 000. */
  readonly windowMs: number
  /** Of fewer answers within the window nothing is known. Default: 20. */
  readonly minSamples: number
}

export const HEDGE_DELAY_DEFAULTS: HedgeDelaySettings = { percentile: 0.95, minMs: 10, windowMs: 30_000, minSamples: 20 }

/** More are not kept: the newest say it. */
const MAX_SAMPLES = 1_000
/** So often it is reckoned anew. */
const REFRESH_MS = 1_000

interface Sample {
  readonly tookMs: number
  readonly atMs: number
}

export class HedgeDelay {
  readonly #settings: HedgeDelaySettings
  readonly #samples: Sample[] = []
  #oldest = 0
  #delayMs: number | undefined
  #refreshAtMs = -Infinity

  constructor(settings: HedgeDelaySettings = HEDGE_DELAY_DEFAULTS) {
    this.#settings = settings
  }

  /** An answer came. */
  record(tookMs: number, nowMs: number): void {
    this.#samples[this.#oldest] = { tookMs, atMs: nowMs }
    this.#oldest = (this.#oldest + 1) % MAX_SAMPLES
  }

  /** In milliseconds; undefined while too little is known. */
  delayMs(nowMs: number): number | undefined {
    if (this.#delayMs !== undefined && nowMs < this.#refreshAtMs) return this.#delayMs
    this.#refreshAtMs = nowMs + REFRESH_MS
    const { percentile, minMs, windowMs, minSamples } = this.#settings
    const times = this.#samples.filter(({ atMs }) => atMs > nowMs - windowMs).map(({ tookMs }) => tookMs)
    times.sort((one, other) => one - other)
    this.#delayMs = times.length < minSamples ? undefined : Math.max(minMs, times[Math.ceil(times.length * percentile) - 1]!)
    return this.#delayMs
  }
}
