/**
 * What a publisher owes its callers: one outcome for each message, when all its copies are answered. A message whose contract
 * also promises it to a foreign queue travels as two copies.
 */
import type { PublishOutcome, Unconfirmed } from 'skerry/engine'
import { CONFIRMED } from 'skerry/engine'

/** What is on its way to one exchange. */
export interface Copy extends Unconfirmed {
  readonly exchange: string
  readonly routingKey: string
  readonly id: string
  readonly content: Buffer
  returned: boolean
}

/** One message of a batch: settled when all its copies are answered. */
export class Publication {
  readonly #answer: Unconfirmed['answer']
  #unanswered: number
  #outcome: PublishOutcome = CONFIRMED
  #tookBy = 0

  constructor(answer: Unconfirmed['answer'], copies: number) {
    this.#answer = answer
    this.#unanswered = copies
  }

  answer(outcome: PublishOutcome, foreign: boolean): void {
    if (outcome.kind === 'confirmed' && foreign) this.#tookBy++
    if (this.#outcome.kind !== 'failed' && outcome.kind !== 'confirmed') this.#outcome = outcome
    if (--this.#unanswered > 0) return
    // Nobody here wants it, and the foreign consumer for whom it was meant has it.
    const done = this.#outcome.kind === 'unroutable' && this.#tookBy > 0
    this.#answer(done ? CONFIRMED : this.#outcome)
  }
}
