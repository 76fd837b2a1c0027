/**
 * Which traces are kept when more spans come than may be written: a share of all, by a hash of their ids, so that what is kept is whole, and all
 * processes keep the same ones as far as their shares are the same. The share follows what came in the second before.
 */

const WINDOW_MS = 1_000
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

export class SpanBudget {
  readonly #maxPerSecond: number
  #share = 1
  #windowStartMs = 0
  #offered = 0
  #admitted = 0

  constructor(maxPerSecond: number) {
    this.#maxPerSecond = maxPerSecond
  }

  /** Which share of traces is kept at present, from 0 to 1. */
  get share(): number {
    return this.#share
  }

  admits(traceId: string, nowMs: number): boolean {
    this.#turn(nowMs)
    this.#offered++
    if (this.#share < 1 && fractionOf(traceId) >= this.#share) return false
    // What comes all at once is not waited for until the second is over.
    if (++this.#admitted <= this.#maxPerSecond) return true
    this.#admitted = 0
    this.#share /= 2
    return fractionOf(traceId) < this.#share
  }

  /** A clock may have been set back: that begins a new second too. */
  #turn(nowMs: number): void {
    const elapsedMs = nowMs - this.#windowStartMs
    if (elapsedMs >= 0 && elapsedMs < WINDOW_MS) return
    // Of what came long ago nothing follows for now.
    const perSecond = elapsedMs >= 0 && elapsedMs < 2 * WINDOW_MS ? (this.#offered * WINDOW_MS) / elapsedMs : 0
    this.#share = Math.min(1, this.#maxPerSecond / perSecond)
    this.#windowStartMs = nowMs
    this.#offered = this.#admitted = 0
  }
}

/** The same for the same id everywhere. All digits count: samplers go by the last ones, and old ids begin with zeros. */
function fractionOf(traceId: string): number {
  let hash = FNV_OFFSET
  for (let index = 0; index < traceId.length; index++) hash = Math.imul(hash ^ traceId.charCodeAt(index), FNV_PRIME)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash ^= hash >>> 13
  return (hash >>> 0) / 2 ** 32
}
