/**
 * For engines: one status made of many parts. The broker is up when no part has a problem. Parts are named by whatever tells
 * them apart; `publish` has one from the start, because nothing is connected yet.
 */
import type { BrokerStatus } from './broker.ts'

const UP: BrokerStatus = Object.freeze({ up: true })

export class BrokerHealth {
  readonly #onStatus: ((status: BrokerStatus) => void) | undefined
  readonly #problems = new Map<unknown, string>([['publish', 'connecting']])
  #status: BrokerStatus = Object.freeze({ up: false, reason: 'connecting' })
  #closed = false

  constructor(onStatus: ((status: BrokerStatus) => void) | undefined) {
    this.#onStatus = onStatus
  }

  get status(): BrokerStatus {
    return this.#status
  }

  /** Says what is wrong with a part, or `undefined` when nothing is. */
  report(part: unknown, problem: string | undefined): void {
    if (this.#closed) return
    if (problem === undefined) this.#problems.delete(part)
    else this.#problems.set(part, problem)
    const [reason] = this.#problems.values()
    this.#change(reason === undefined ? UP : { up: false, reason })
  }

  close(): void {
    this.#closed = true
    this.#change({ up: false, reason: 'closed' })
  }

  #change(status: BrokerStatus): void {
    const before = this.#status
    if (before.up === status.up && (before.up || status.up || before.reason === status.reason)) return
    this.#status = Object.freeze(status)
    this.#onStatus?.(this.#status)
  }
}
