/** The last good answers by what was asked, bounded in number and in age. Kept as text, so that nobody changes what others are given. */
export interface LastAnswer {
  readonly value: unknown
  readonly ageMs: number
}

interface Kept {
  readonly text: string | undefined
  readonly atMs: number
}

export class LastAnswers {
  readonly #maxEntries: number
  readonly #maxAgeMs: number
  /** The longest unused first. */
  readonly #kept = new Map<string, Kept>()

  constructor(maxEntries: number, maxAgeMs: number) {
    this.#maxEntries = maxEntries
    this.#maxAgeMs = maxAgeMs
  }

  remember(asked: unknown, value: unknown, nowMs: number): void {
    const key = keyOf(asked)
    this.#kept.delete(key)
    this.#kept.set(key, { text: JSON.stringify(value), atMs: nowMs })
    if (this.#kept.size > this.#maxEntries) this.#kept.delete(this.#kept.keys().next().value!)
  }

  /** A copy; undefined when nothing is known, or nothing recent enough. */
  find(asked: unknown, nowMs: number): LastAnswer | undefined {
    const key = keyOf(asked)
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    const ageMs = Math.max(0, nowMs - kept.atMs)
    this.#kept.delete(key)
    if (ageMs > this.#maxAgeMs) return undefined
    this.#kept.set(key, kept)
    return { value: kept.text === undefined ? undefined : JSON.parse(kept.text), ageMs }
  }
}

function keyOf(asked: unknown): string {
  return JSON.stringify(asked) ?? ''
}
