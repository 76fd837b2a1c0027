/** For engines: one call of `publish()`, from its messages to one outcome for each, in their places, once all are known. */
import type { Message, PublishOutcome } from './broker.ts'

export const CONFIRMED: PublishOutcome = Object.freeze({ kind: 'confirmed' })

export class PublishBatch {
  readonly messages: readonly Message[]
  /** Index of the first message not sent yet. */
  next = 0
  readonly #outcomes: PublishOutcome[]
  readonly #resolve: (outcomes: readonly PublishOutcome[]) => void
  #unsettled: number

  constructor(messages: readonly Message[], resolve: (outcomes: readonly PublishOutcome[]) => void) {
    // Strings, so that a shallow copy is one: what the caller does to its objects meanwhile is not published.
    this.messages = messages.map((message) => ({ ...message }))
    this.#unsettled = messages.length
    this.#outcomes = Array.from<PublishOutcome>({ length: messages.length }).fill(CONFIRMED)
    this.#resolve = resolve
  }

  settle(index: number, outcome: PublishOutcome): void {
    this.#outcomes[index] = outcome
    if (--this.#unsettled === 0) this.#resolve(this.#outcomes)
  }

  failUnsent(outcome: PublishOutcome): void {
    while (this.next < this.messages.length) this.settle(this.next++, outcome)
  }
}
