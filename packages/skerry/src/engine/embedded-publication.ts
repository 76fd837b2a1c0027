/**
 * What an embedded broker owes its publishers: each message of a batch is settled once, when every queue that took it has
 * been answered, or when the broker gives it up.
 */
import type { PublishOutcome } from './broker.ts'

const CONFIRMED: PublishOutcome = Object.freeze({ kind: 'confirmed' })
export const BROKER_CLOSED: PublishOutcome = Object.freeze({
  kind: 'failed',
  reason: 'the embedded broker was closed before every consumer had answered',
})

/** One `publish()` call: resolves when each of its publications is settled. */
export class Batch {
  readonly publications: readonly Publication[]
  readonly #outcomes: PublishOutcome[]
  readonly #resolve: (outcomes: readonly PublishOutcome[]) => void
  #unsettled: number

  constructor(length: number, resolve: (outcomes: readonly PublishOutcome[]) => void) {
    this.#unsettled = length
    this.#resolve = resolve
    this.#outcomes = Array.from<PublishOutcome>({ length }).fill(CONFIRMED)
    this.publications = Array.from({ length }, (_, index) => new Publication(this, index))
  }

  settle(index: number, outcome: PublishOutcome): void {
    this.#outcomes[index] = outcome
    if (--this.#unsettled === 0) this.#resolve(this.#outcomes)
  }

  failQueued(): void {
    for (const publication of this.publications) if (publication.queued > 0) publication.settle(BROKER_CLOSED)
  }

  fail(): void {
    for (const publication of this.publications) publication.settle(BROKER_CLOSED)
  }
}

/** One message of a batch, until every queue that took it has been answered. */
export class Publication {
  /** Queues in which it still waits; the others have delivered it. */
  queued = 0
  unanswered = 0
  settled = false
  readonly #batch: Batch
  readonly #index: number

  constructor(batch: Batch, index: number) {
    this.#batch = batch
    this.#index = index
  }

  acknowledge(): void {
    if (--this.unanswered === 0) this.settle(CONFIRMED)
  }

  settle(outcome: PublishOutcome): void {
    if (this.settled) return
    this.settled = true
    this.#batch.settle(this.#index, outcome)
  }
}
