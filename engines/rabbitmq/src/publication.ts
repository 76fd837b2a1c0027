/**
 * What a publisher owes its callers: one outcome for each message, when all its copies are answered. A message whose contract
 * also promises it to a foreign queue travels as two copies.
 */
import type { Message, PublishOutcome } from 'skerry/engine'

export const CONFIRMED: PublishOutcome = Object.freeze({ kind: 'confirmed' })

/** What is on its way to one exchange. */
export interface Copy {
  readonly publication: Publication
  readonly exchange: string
  readonly routingKey: string
  readonly id: string
  readonly content: Buffer
  readonly sentMs: number
  returned: boolean
}

/** One `publish()` call. */
export class Batch {
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

/** One message of a batch: settled when all its copies are answered. */
export class Publication {
  readonly #batch: Batch
  readonly #index: number
  #unanswered: number
  #outcome = CONFIRMED
  #tookBy = 0

  constructor(batch: Batch, index: number, copies: number) {
    this.#batch = batch
    this.#index = index
    this.#unanswered = copies
  }

  answer(outcome: PublishOutcome, foreign: boolean): void {
    if (outcome.kind === 'confirmed' && foreign) this.#tookBy++
    if (this.#outcome.kind !== 'failed' && outcome.kind !== 'confirmed') this.#outcome = outcome
    if (--this.#unanswered > 0) return
    // Nobody here wants it, and the foreign consumer for whom it was meant has it.
    const done = this.#outcome.kind === 'unroutable' && this.#tookBy > 0
    this.#batch.settle(this.#index, done ? CONFIRMED : this.#outcome)
  }
}
