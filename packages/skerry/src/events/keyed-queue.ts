/** Runs work one after the other for each key, and side by side for different keys. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<unknown>>()

  /** Keys with work in progress or waiting. */
  get size(): number {
    return this.#tails.size
  }

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key)
    const mine = before === undefined ? work() : before.then(work, work)
    this.#tails.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#tails.get(key) === mine) this.#tails.delete(key)
    }
  }
}
