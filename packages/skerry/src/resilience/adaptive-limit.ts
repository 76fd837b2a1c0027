/**
 * How much a service takes on at once, found out by itself: as long as answers take as long as they usually do the limit grows, when they take
 * longer something queues and it shrinks. Netflix's Gradient2, per window instead of per answer so that one slow answer decides nothing.
 */

export interface AdaptiveLimitSettings {
  /** Default: 100. */
  readonly initial: number
  /** Default: 64: handlers mostly wait, and one that waits for something that hangs must not shut the others out. */
  readonly min: number
  /** Default: 1 000. */
  readonly max: number
  /** How much of each change is taken. Default: 0.2. */
  readonly smoothing: number
  /** How much longer than usual is not yet too long. Default: 1.5. */
  readonly tolerance: number
  /** What may wait besides: how much the limit may grow by at once. Default: 4. */
  readonly queue: number
  /** Default: 1 000. */
  readonly windowMs: number
  /** Of fewer answers a window says nothing. Default: 10. */
  readonly minSamples: number
  /** Over so many windows goes what is usual. Default: 600. */
  readonly longWindow: number
}

export const ADAPTIVE_LIMIT_DEFAULTS: AdaptiveLimitSettings = {
  initial: 100,
  min: 64,
  max: 1_000,
  smoothing: 0.2,
  tolerance: 1.5,
  queue: 4,
  windowMs: 1_000,
  minSamples: 10,
  longWindow: 600,
}
const SHORTEST_MS = 0.1
/** Until then what is usual is the plain average: the first answers of a process are its slowest. */
const WARM_UP_WINDOWS = 10

export class AdaptiveLimit {
  readonly #settings: AdaptiveLimitSettings
  #limit: number
  #usualMs = 0
  #windows = 0
  #windowEndsMs: number | undefined
  #samples = 0
  #sumMs = 0
  #mostAtOnce = 0

  constructor(settings: AdaptiveLimitSettings = ADAPTIVE_LIMIT_DEFAULTS) {
    this.#settings = settings
    this.#limit = settings.initial
  }

  /** How many at once. */
  get limit(): number {
    return Math.floor(this.#limit)
  }

  /** An answer was given. `atOnce`: how many were in progress, with it. */
  record(tookMs: number, atOnce: number, nowMs: number): void {
    this.#windowEndsMs ??= nowMs + this.#settings.windowMs
    this.#samples++
    this.#sumMs += tookMs
    this.#mostAtOnce = Math.max(this.#mostAtOnce, atOnce)
    if (nowMs < this.#windowEndsMs || this.#samples < this.#settings.minSamples) return
    this.#update(this.#sumMs / this.#samples, this.#mostAtOnce)
    this.#windowEndsMs = nowMs + this.#settings.windowMs
    this.#samples = this.#sumMs = this.#mostAtOnce = 0
  }

  #update(averageMs: number, atOnce: number): void {
    // Of what takes no time at all no share can be taken.
    const tookMs = Math.max(SHORTEST_MS, averageMs)
    const { min, max, smoothing, tolerance, queue } = this.#settings
    this.#learn(tookMs)
    // Far below the limit nothing is learnt about it.
    if (atOnce < this.#limit / 2) return
    const gradient = Math.max(0.5, Math.min(1, (tolerance * this.#usualMs) / tookMs))
    const next = this.#limit * gradient + (gradient === 1 ? queue : 0)
    this.#limit = Math.max(min, Math.min(max, this.#limit * (1 - smoothing) + next * smoothing))
  }

  #learn(tookMs: number): void {
    this.#windows++
    const factor = this.#windows <= WARM_UP_WINDOWS ? 1 / this.#windows : 2 / (this.#settings.longWindow + 1)
    this.#usualMs += (tookMs - this.#usualMs) * factor
    // After an overload it comes down faster than it went up.
    if (this.#usualMs > 2 * tookMs) this.#usualMs *= 0.95
  }
}
