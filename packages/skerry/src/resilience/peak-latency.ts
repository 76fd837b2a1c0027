/**
 * How long an instance takes to answer, as balancing sees it: a peak-sensitive moving average (Finagle's peak EWMA). A slower answer replaces
 * the average at once; faster ones bring it down bit by bit. What is not used decays, so that it gets another chance.
 */

export interface PeakLatencySettings {
  /** After so long an old sample weighs 1/e. Default: 10 000. */
  readonly decayMs: number
  /** Before the first answer. Default: 30. */
  readonly seedMs: number
}

export const PEAK_LATENCY_DEFAULTS: PeakLatencySettings = { decayMs: 10_000, seedMs: 30 }

export class PeakLatency {
  readonly #settings: PeakLatencySettings
  #averageMs: number
  #asOfMs: number

  constructor(nowMs: number, settings: PeakLatencySettings = PEAK_LATENCY_DEFAULTS) {
    this.#settings = settings
    this.#averageMs = settings.seedMs
    this.#asOfMs = nowMs
  }

  /** An answer came, or what a failure weighs. */
  record(tookMs: number, nowMs: number): void {
    const weight = this.#weightOfPast(nowMs)
    this.#averageMs = tookMs > this.#averageMs * weight ? tookMs : this.#averageMs * weight + tookMs * (1 - weight)
    this.#asOfMs = Math.max(this.#asOfMs, nowMs)
  }

  /** As of now. */
  averageMs(nowMs: number): number {
    return this.#averageMs * this.#weightOfPast(nowMs)
  }

  #weightOfPast(nowMs: number): number {
    return Math.exp(-Math.max(0, nowMs - this.#asOfMs) / this.#settings.decayMs)
  }
}
