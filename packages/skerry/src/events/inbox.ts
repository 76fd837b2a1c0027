/**
 * The inbox's decisions, as pure functions: what to do with a message that arrives, given how far its key has been
 * handled, and what to do when handling it failed. Effects (SQL, broker, timers) are in `consumer.ts`.
 */
import type { Random } from '../base/random.ts'

export type Arrival =
  /** It is the next of its key. */
  | 'handle'
  /** It was handled before. */
  | 'duplicate'
  /** One before it has not been handled yet. */
  | 'early'
  /** One before it will never come, because this consumer did not exist when it was published: begin here. */
  | 'begin'

export interface ArrivalFacts {
  /** The number handled last of this key; undefined when none was. */
  readonly cursor: number | undefined
  readonly sequence: number
  /** When the event before this one was made; undefined for the first of a key. */
  readonly previousAtMs: number | undefined
  /** Since when this consumer holds what is published; undefined while that is being arranged. */
  readonly subscribedSinceMs: number | undefined
  /** When this message was first seen by the consumer. */
  readonly firstSeenMs: number
}

/** How long a message that a new consumer seems unable to have missed anything before must still wait for it. */
export const BEGIN_GRACE_MS = 5_000

export function arrival(facts: ArrivalFacts, nowMs: number): Arrival {
  const { cursor, sequence } = facts
  if (cursor !== undefined && sequence <= cursor) return 'duplicate'
  if (sequence === (cursor ?? 0) + 1) return 'handle'
  const missedTheOneBefore =
    cursor === undefined && facts.previousAtMs !== undefined && facts.subscribedSinceMs !== undefined && facts.previousAtMs < facts.subscribedSinceMs
  return missedTheOneBefore && nowMs >= facts.firstSeenMs + BEGIN_GRACE_MS ? 'begin' : 'early'
}

export type FailureKind =
  /** Trying again may help: most errors. Counts as an attempt. */
  | 'transient'
  /** A dependency was unreachable: says nothing about the message, so it is not an attempt. */
  | 'infrastructure'
  /** It will fail every time. */
  | 'permanent'

export interface RetrySettings {
  readonly maxAttempts: number
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
}

/** 12 attempts, from 1 s doubling to 10 min: about 50 minutes in all. */
export const RETRY_DEFAULTS: RetrySettings = { maxAttempts: 12, minBackoffMs: 1_000, maxBackoffMs: 600_000 }

export type AfterFailure = { readonly retryAtMs: number } | { readonly deadLetter: 'rejected' | 'exhausted' }

/** What follows a failure. `attempts` counts this one; `deferrals` the times a dependency was missing. */
export function afterFailure(kind: FailureKind, attempts: number, deferrals: number, nowMs: number, random: Random, settings: RetrySettings): AfterFailure {
  if (kind === 'permanent') return { deadLetter: 'rejected' }
  if (kind === 'transient' && attempts >= settings.maxAttempts) return { deadLetter: 'exhausted' }
  const backoffMs = Math.min(settings.maxBackoffMs, settings.minBackoffMs * 2 ** Math.min(20, Math.max(0, attempts + deferrals - 1)))
  // Equal jitter: half fixed, half random, so that messages that failed together do not come back together.
  return { retryAtMs: nowMs + Math.round(backoffMs / 2 + random.next() * (backoffMs / 2)) }
}
