/** What is to happen in a simulated world, and when: the earliest first, and at one moment in an order that the seed decides. */
import type { Timer } from '../base/clock.ts'

interface Entry {
  readonly atMs: number
  readonly rank: number
  readonly order: number
  action: (() => void) | undefined
}

export class Agenda {
  readonly #heap: Entry[] = []
  #order = 0

  /** `rank`: among what is due at the same moment, the lowest goes first; then what was added first. */
  add(atMs: number, rank: number, action: () => void): Timer {
    const entry: Entry = { atMs, rank, order: this.#order++, action }
    this.#rise(this.#heap.push(entry) - 1, entry)
    return {
      cancel() {
        entry.action = undefined
      },
    }
  }

  /** When the next entry is due. */
  get nextMs(): number | undefined {
    this.#drop()
    return this.#heap[0]?.atMs
  }

  take(): { readonly atMs: number; readonly action: () => void } | undefined {
    this.#drop()
    const first = this.#shift()
    return first === undefined ? undefined : { atMs: first.atMs, action: first.action! }
  }

  /** Forgets what was cancelled and has come to the top. */
  #drop(): void {
    while (this.#heap.length > 0 && this.#heap[0]!.action === undefined) this.#shift()
  }

  #shift(): Entry | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first !== undefined && last !== undefined && this.#heap.length > 0) this.#sink(last)
    return first
  }

  #rise(from: number, entry: Entry): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(entry, this.#heap[parent]!)) break
      this.#heap[at] = this.#heap[parent]!
      at = parent
    }
    this.#heap[at] = entry
  }

  #sink(entry: Entry): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, entry)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = entry
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs
  return a.rank !== b.rank ? a.rank < b.rank : a.order < b.order
}
