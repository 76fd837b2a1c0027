/**
 * What a publisher owes its callers: one outcome for each message, when all its copies are answered. A message whose contract
 * also promises it to a foreign queue travels as two copies.
 */
import type { PublishBatch, PublishOutcome } from 'skerry/engine'
import { CONFIRMED } from 'skerry/engine'

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

/** One message of a batch: settled when all its copies are answered. */
export class Publication {
  readonly #batch: PublishBatch
  readonly #index: number
  #unanswered: number
  #outcome: PublishOutcome = CONFIRMED
  #tookBy = 0

  constructor(batch: PublishBatch, index: number, copies: number) {
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
