/** Counts over the last seconds: what is older is forgotten bucket by bucket, so that a burst weighs for as long as the window and no longer. */

const BUCKETS = 10

export class RollingCounts {
  readonly #bucketMs: number
  readonly #kinds: number
  readonly #counts: Float64Array
  readonly #totals: Float64Array
  /** The number of the newest bucket since the epoch. */
  #newest = -Infinity

  /** `kinds` different things are counted, each over `windowMs`. */
  constructor(windowMs: number, kinds: number) {
    this.#bucketMs = windowMs / BUCKETS
    this.#kinds = kinds
    this.#counts = new Float64Array(BUCKETS * kinds)
    this.#totals = new Float64Array(kinds)
  }

  add(kind: number, amount: number, nowMs: number): void {
    this.#moveTo(nowMs)
    const at = (((this.#newest % BUCKETS) + BUCKETS) % BUCKETS) * this.#kinds + kind
    this.#counts[at]! += amount
    this.#totals[kind]! += amount
  }

  /** How much of a kind there has been within the window. */
  total(kind: number, nowMs: number): number {
    this.#moveTo(nowMs)
    return this.#totals[kind]!
  }

  clear(): void {
    this.#counts.fill(0)
    this.#totals.fill(0)
  }

  /** A clock that is set back counts into the newest bucket. */
  #moveTo(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.#bucketMs)
    if (bucket <= this.#newest) return
    if (bucket - this.#newest >= BUCKETS) this.clear()
    else for (let number = this.#newest + 1; number <= bucket; number++) this.#forget(((number % BUCKETS) + BUCKETS) % BUCKETS)
    this.#newest = bucket
  }

  #forget(index: number): void {
    for (let kind = 0; kind < this.#kinds; kind++) {
      const at = index * this.#kinds + kind
      this.#totals[kind]! -= this.#counts[at]!
      this.#counts[at] = 0
    }
  }
}
