/**
 * Whose turn it is on the one connection. Services take turns, each in the order in which it asked: a service with a
 * thousand transactions waiting delays another's next one by a single transaction.
 */
import { DatabaseError } from 'skerry/engine'

/** Bounds memory: far more than a service should ever let wait. */
const MAX_WAITING_PER_SERVICE = 10_000

export class Turns {
  /** Services with someone waiting, the next one first. */
  readonly #waiting = new Map<string, (() => void)[]>()
  #taken = false

  /** Resolves when it is this one's turn, which lasts until `next` is called. */
  take(service: string): Promise<void> {
    if (!this.#taken) {
      this.#taken = true
      return Promise.resolve()
    }
    const queue = this.#waiting.get(service) ?? []
    if (queue.length >= MAX_WAITING_PER_SERVICE)
      return Promise.reject(
        new DatabaseError(
          'unavailable',
          `Service "${service}" has ${queue.length} transactions waiting for the embedded database: it cannot keep up`,
        ),
      )
    if (queue.length === 0) this.#waiting.set(service, queue)
    return new Promise((resolve) => queue.push(resolve))
  }

  next(): void {
    const first = this.#waiting.entries().next().value
    if (first === undefined) {
      this.#taken = false
      return
    }
    const [service, queue] = first
    const resolve = queue.shift()!
    this.#waiting.delete(service)
    if (queue.length > 0) this.#waiting.set(service, queue)
    resolve()
  }
}
