/**
 * One transaction for several messages, where they come faster than they are handled: the next of their keys, each key in its order. When
 * anything goes wrong with it, or it takes long, nothing of it remains and they are handled one by one, so that each gets its own outcome.
 */
import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import { within } from '../engine/within.ts'
import type { Scope } from '../telemetry/scope.ts'
import { runInScope } from '../telemetry/scope.ts'
import type { DeliveredMessage } from './delivered-message.ts'
import type { Reach } from './key-cursor.ts'
import { advanceAll } from './key-cursor.ts'
import type { Group } from './keyed-batches.ts'
import { KeyedBatches } from './keyed-batches.ts'
import type { KeyedQueue } from './keyed-queue.ts'
import { keyOf } from './stored-message.ts'
import type { OpenTransaction, TransactionRunner } from './transaction-runner.ts'

export interface SharedTransactionOptions {
  readonly service: string
  readonly transactions: TransactionRunner
  readonly clock: Clock
  /** Keeps messages of one key apart, also from those that are handled in other ways. */
  readonly queue: KeyedQueue
  readonly scopeOf: (message: DeliveredMessage) => Scope
  /** Whether messages of its key wait here for an earlier one. */
  readonly hasEarly: (message: DeliveredMessage) => boolean
  /** What handling it does in the open transaction, besides moving the cursor of its key. */
  readonly effect: (message: DeliveredMessage, open: OpenTransaction) => Promise<void>
  readonly alone: (message: DeliveredMessage) => Promise<void>
}

/** What pays: of more, beginning and COMMIT are a small part. */
const MAX_MESSAGES = 128
/** How long a shared transaction should be open: as many messages as that is time for, going by the last ones. */
const GOAL_MS = 100
/** How long a message may wait for others of its transaction. */
const TOGETHER_MS = 500
/** How long messages are handled one by one after a shared transaction has failed: what failed, or was slow, may well be so again. */
const ALONE_MS = 1_000

export class SharedTransaction {
  readonly #options: SharedTransactionOptions
  readonly #batches: KeyedBatches<DeliveredMessage>
  #aloneUntilMs = 0
  /** How long a message takes, on the average of the last ones. */
  #messageMs = GOAL_MS / 32

  constructor(options: SharedTransactionOptions) {
    this.#options = options
    const { queue, alone } = options
    this.#batches = new KeyedBatches({
      queue,
      maxItems: () => this.#maxMessages,
      together: (groups) => this.#handleTogether(groups),
      alone,
    })
  }

  /** False for a while after one has failed. */
  get isOpen(): boolean {
    return this.#options.clock.nowMs() >= this.#aloneUntilMs
  }

  /** Handles a message that has a sequence and all of whose effect is in the transaction; rejects with what `alone` rejects with. */
  handle(message: DeliveredMessage): Promise<void> {
    return this.#batches.run(keyOf(message.envelope), message)
  }

  get #maxMessages(): number {
    return Math.max(2, Math.min(MAX_MESSAGES, Math.floor(GOAL_MS / this.#messageMs)))
  }

  /** Returns those that were handled: none when anything goes wrong. */
  async #handleTogether(groups: readonly Group<DeliveredMessage>[]): Promise<ReadonlySet<Group<DeliveredMessage>>> {
    const { transactions, service, clock, scopeOf, hasEarly } = this.#options
    const inOrder = groups.filter((group) => isConsecutive(group) && !hasEarly(group[0]))
    const [first] = inOrder
    if (first === undefined || (inOrder.length === 1 && first.length === 1)) return new Set()
    try {
      return await transactions(scopeOf(first[0]), 'repeatable read', async (open) => {
        const moved = await advanceAll(open.transaction, service, inOrder.map(reachOf))
        crashPoint('inbox.cursor-advanced')
        const fresh = inOrder.filter((group) => moved.has(keyOf(group[0].envelope)))
        if (fresh.length > 0) await this.#runAll(fresh.flat(), open)
        crashPoint('inbox.handled')
        return new Set(fresh)
      })
    } catch {
      // Nothing was committed, or nobody knows; what was committed is a duplicate to whoever handles it alone.
      this.#aloneUntilMs = clock.nowMs() + ALONE_MS
      return new Set()
    }
  }

  async #runAll(messages: readonly DeliveredMessage[], open: OpenTransaction): Promise<void> {
    const { clock, scopeOf, effect } = this.#options
    const startMs = clock.nowMs()
    let isLate = false
    const running = (async () => {
      for (const message of messages)
        if (!isLate) await runInScope({ ...scopeOf(message), transaction: open.transaction }, () => effect(message, open))
    })()
    isLate = !(await within(clock, TOGETHER_MS, running))
    const messageMs = (clock.nowMs() - startMs) / messages.length
    if (isLate) {
      this.#messageMs = Math.max(messageMs, 4 * this.#messageMs)
      throw new Error(`${messages.length} messages were not handled together within ${TOGETHER_MS} ms`)
    }
    await running
    this.#messageMs = (3 * this.#messageMs + messageMs) / 4
  }
}

function isConsecutive(group: Group<DeliveredMessage>): boolean {
  return group.every(({ envelope }, index) => envelope.sequence === group[0].envelope.sequence! + index)
}

/** How far the messages of a key reach. */
function reachOf([{ envelope }, ...others]: Group<DeliveredMessage>): Reach {
  const { source, key, sequence } = envelope
  return { source, key, first: sequence!, last: sequence! + others.length }
}
