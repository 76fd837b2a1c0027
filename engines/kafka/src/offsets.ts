/**
 * What is known of one partition while it is ours: what was delivered, what of it is settled, and so what may be committed. A commit says
 * "everything before this is done", so only the unbroken run of settled messages at the beginning counts; one that is still in hand holds back all
 * behind it. Decisions only: reading and committing are done elsewhere.
 */

/** How far deliveries may run ahead of what is committed. It is also how much may come twice when a process dies. */
export const MAX_AHEAD = 10_000n

export interface Takeover {
  /** What the group has committed: its members have settled everything before it. Undefined or outside the log: nothing that is of use. */
  readonly committed: bigint | undefined
  /** The first offset the log still holds. */
  readonly earliest: bigint
  /** The offset that the next message will have. */
  readonly end: bigint
}

export class PartitionOffsets {
  /** Where reading begins. */
  readonly start: bigint
  /** How many messages were deleted before the group had settled them. */
  readonly lost: bigint
  /** Whoever had the partition before may have delivered what lies before this. */
  readonly #maybeDeliveredBefore: bigint
  /** Delivered and not settled, ascending. */
  readonly #inHand = new Set<bigint>()
  #next: bigint
  #committed: bigint
  #committing: bigint

  constructor({ committed, earliest, end }: Takeover) {
    const known = committed !== undefined && committed >= 0n && committed <= end
    this.start = known && committed > earliest ? committed : earliest
    this.lost = known && committed < earliest ? earliest - committed : 0n
    this.#maybeDeliveredBefore = end < this.start + MAX_AHEAD ? end : this.start + MAX_AHEAD
    this.#next = this.#committed = this.#committing = this.start
  }

  /** Whether the message at this offset may be delivered now. */
  mayDeliver(offset: bigint): boolean {
    return offset < this.#committed + MAX_AHEAD
  }

  /** It is delivered. Offsets come in ascending order; some may be missing. Returns whether it may have been delivered before. */
  deliver(offset: bigint): boolean {
    if (offset < this.#next) throw new RangeError(`Offset ${offset} was delivered before ${this.#next}`)
    this.#next = offset + 1n
    this.#inHand.add(offset)
    return offset < this.#maybeDeliveredBefore
  }

  settle(offset: bigint): void {
    this.#inHand.delete(offset)
  }

  /** Whether there is something to commit. */
  get isAhead(): boolean {
    return this.#settledBefore() > this.#committing
  }

  /** What to commit now: undefined when that has been done or is being done. */
  commit(): bigint | undefined {
    const offset = this.#settledBefore()
    if (offset <= this.#committing) return undefined
    this.#committing = offset
    return offset
  }

  committed(offset: bigint): void {
    if (offset > this.#committed) this.#committed = offset
  }

  /** A commit failed: what it said is to be said again. */
  notCommitted(): void {
    this.#committing = this.#committed
  }

  #settledBefore(): bigint {
    const [oldest = this.#next] = this.#inHand
    return oldest
  }
}
