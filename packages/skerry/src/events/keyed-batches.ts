/**
 * Gathers work for which it pays to be done together: what comes in while one batch is being done makes the next, so that
 * nothing waits for the sake of a batch. A key is in one batch at a time, and its items keep their order, also among work that the same
 * `KeyedQueue` does for that key in other ways.
 */
import type { KeyedQueue } from './keyed-queue.ts'

/** Items of one key, in the order in which they came. */
export type Group<T> = readonly [T, ...T[]]

export interface KeyedBatchesOptions<T> {
  readonly queue: KeyedQueue
  /** Asked for each batch anew. */
  readonly maxItems: () => number
  /** Does what it can of these at once; the items that it leaves are done alone. Never rejects. */
  readonly together: (groups: readonly Group<T>[]) => Promise<ReadonlySet<Group<T>>>
  readonly alone: (item: T) => Promise<void>
}

interface Waiting {
  resolve(): void
  reject(error: unknown): void
}

interface Gathered<T> {
  readonly key: string
  readonly items: [T, ...T[]]
  readonly waiting: Waiting[]
  isDone: (together: boolean) => void
}

export class KeyedBatches<T> {
  readonly #options: KeyedBatchesOptions<T>
  /** Those that may still grow. */
  readonly #growing = new Map<string, Gathered<T>>()
  /** Those whose turn it is in their key. */
  #ready: Gathered<T>[] = []
  #atWork = false

  constructor(options: KeyedBatchesOptions<T>) {
    this.#options = options
  }

  /** Resolves when the item is done, and rejects with what doing it alone rejected with. */
  run(key: string, item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      const growing = this.#growing.get(key)
      if (growing !== undefined && growing.items.length < this.#options.maxItems()) {
        growing.items.push(item)
        growing.waiting.push({ resolve, reject })
        return
      }
      const gathered: Gathered<T> = { key, items: [item], waiting: [{ resolve, reject }], isDone: () => {} }
      this.#growing.set(key, gathered)
      void this.#options.queue.run(key, () => this.#do(gathered))
    })
  }

  async #do(gathered: Gathered<T>): Promise<void> {
    const isDone = await new Promise<boolean>((resolve) => {
      gathered.isDone = resolve
      this.#ready.push(gathered)
      void this.#work()
    })
    for (const [index, waiting] of gathered.waiting.entries())
      if (isDone) waiting.resolve()
      else
        await this.#options.alone(gathered.items[index]!).then(
          () => waiting.resolve(),
          (error: unknown) => waiting.reject(error),
        )
  }

  async #work(): Promise<void> {
    if (this.#atWork) return
    this.#atWork = true
    while (this.#ready.length > 0) {
      const batch = this.#take()
      const done = await this.#options.together(batch.map(({ items }) => items))
      for (const { items, isDone } of batch) isDone(done.has(items))
    }
    this.#atWork = false
  }

  #take(): readonly Gathered<T>[] {
    const maxItems = this.#options.maxItems()
    let items = 0
    let groups = 0
    while (groups < this.#ready.length && (items += this.#ready[groups]!.items.length) <= maxItems) groups++
    // A single one always fits.
    const batch = this.#ready.splice(0, Math.max(1, groups))
    for (const gathered of batch) if (this.#growing.get(gathered.key) === gathered) this.#growing.delete(gathered.key)
    return batch
  }
}
