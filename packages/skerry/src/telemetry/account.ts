/**
 * What a piece of work has to say of itself besides its answer: whom it asked and for how long, and what it had to do without. Kept with its
 * scope, so that it is there whenever the answer is due, also when the work is not done by then.
 */
import type { Clock } from '../base/clock.ts'
import type { Degradation } from '../contract/degradation.ts'
import { MAX_DEGRADATIONS } from '../contract/degradation.ts'
import type { TimeSpent } from '../contract/time-spent.ts'
import { MAX_CALLS_TOLD } from '../contract/time-spent.ts'

/** A call while it is made and afterwards. */
export interface CallRecord {
  readonly operation: string
  readonly startMs: number
  endMs?: number
  outcome?: TimeSpent['outcome']
  /** When there is more than one. */
  attempts?: { readonly pauseMs: number; readonly startMs: number; endMs?: number }[]
  /** Of the callee, when it runs in this process. */
  inside?: { readonly account?: Account | undefined }
  /** What the callee has said of its own calls. */
  told?: readonly TimeSpent[]
}

export class Account {
  readonly #clock: Clock
  readonly #calls: CallRecord[] = []
  #degraded: Degradation[] | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What the answer cannot be relied on for; undefined when nothing is amiss. */
  get degraded(): readonly Degradation[] | undefined {
    return this.#degraded
  }

  /** A call is being made; whoever makes it fills in the rest. */
  add(call: CallRecord): void {
    if (this.#calls.length < MAX_CALLS_TOLD) this.#calls.push(call)
  }

  /** A part of the answer stands in for another. */
  degrade(by: readonly Degradation[]): void {
    const known = (this.#degraded ??= [])
    for (const one of by)
      if (known.length < MAX_DEGRADATIONS && !known.some(({ operation }) => operation === one.operation)) known.push(one)
  }

  /** Where the time went, as of now. */
  timing(): readonly TimeSpent[] {
    const nowMs = this.#clock.nowMs()
    return this.#calls.map((call) => timeSpent(call, nowMs))
  }
}

/** What is known of a call as of now. */
export function timeSpent({ operation, startMs, endMs, outcome, attempts, inside, told }: CallRecord, nowMs: number): TimeSpent {
  const waitedFor = told ?? inside?.account?.timing() ?? []
  return {
    operation,
    ms: Math.max(0, (endMs ?? nowMs) - startMs),
    outcome: endMs === undefined ? 'waiting' : (outcome ?? 'answered'),
    ...(attempts === undefined
      ? {}
      : { attempts: attempts.map(({ pauseMs, startMs: from, endMs: to = nowMs }) => ({ pauseMs, ms: Math.max(0, to - from) })) }),
    ...(waitedFor.length === 0 ? {} : { waitedFor }),
  }
}
