/**
 * The inbox's decisions, as pure functions: what to do with a message that arrives, given how far its key has been
 * handled, and what to do when handling it failed. Effects (SQL, broker, timers) are in `inbox-worker.ts` and `consumer.ts`.
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
  /** The key was begun after it, in the belief that it would never come: its turn is over. */
  | 'overtaken'

/** How far a key has been handled. */
export interface Cursor {
  /** The number handled last. */
  readonly sequence: number
  /** The number it began with: 1, or more where the consumer joined later. Whether older ones were handled is not known any more. */
  readonly began: number
}

export interface ArrivalFacts {
  /** Undefined when no event of this key has been handled. */
  readonly cursor: Cursor | undefined
  readonly sequence: number
  /** When the event before this one was made; undefined for the first of a key. */
  readonly previousAtMs: number | undefined
  /** Since when this consumer holds what is published; undefined while that is being arranged. */
  readonly subscribedSinceMs: number | undefined
  /** An earlier event of this key that has not been handled is here, waiting or dead: so none was missed. */
  readonly earlierIsHere: boolean
  /** When this message was first seen by the consumer. */
  readonly firstSeenMs: number
}

/** How long a message that a new consumer seems unable to have missed anything before must still wait for it. */
export const BEGIN_GRACE_MS = 5_000
/** How far the clocks of publisher and consumer may be apart: so much later an event may seem to have been made, and be missed all the same. */
export const CLOCK_DOUBT_MS = 60_000

export function arrival(facts: ArrivalFacts, nowMs: number): Arrival {
  const { cursor, sequence } = facts
  if (cursor !== undefined && sequence < cursor.began) return 'overtaken'
  if (cursor !== undefined && sequence <= cursor.sequence) return 'duplicate'
  if (sequence === (cursor?.sequence ?? 0) + 1) return 'handle'
  return !facts.earlierIsHere && nowMs >= mayBeginAtMs(facts) ? 'begin' : 'early'
}

/** When a key may be begun with this message, if none before it comes; Infinity when one before it must come. */
function mayBeginAtMs({ previousAtMs, subscribedSinceMs, firstSeenMs }: ArrivalFacts): number {
  if (previousAtMs === undefined || subscribedSinceMs === undefined) return Infinity
  if (previousAtMs < subscribedSinceMs) return firstSeenMs + BEGIN_GRACE_MS
  return previousAtMs < subscribedSinceMs + CLOCK_DOUBT_MS ? firstSeenMs + CLOCK_DOUBT_MS : Infinity
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

/** 12 attempts, from 1 s doubling to 10 min: a quarter to half an hour in all. */
export const RETRY_DEFAULTS: RetrySettings = { maxAttempts: 12, minBackoffMs: 1_000, maxBackoffMs: 600_000 }

export type AfterFailure = { readonly retryAtMs: number } | { readonly deadLetter: 'rejected' | 'exhausted' }

/** What follows a failure. `attempts` counts this one; `deferrals` the times a dependency was missing. */
export function afterFailure(
  kind: FailureKind,
  attempts: number,
  deferrals: number,
  nowMs: number,
  random: Random,
  settings: RetrySettings,
): AfterFailure {
  if (kind === 'permanent') return { deadLetter: 'rejected' }
  if (kind === 'transient' && attempts >= settings.maxAttempts) return { deadLetter: 'exhausted' }
  const backoffMs = Math.min(settings.maxBackoffMs, settings.minBackoffMs * 2 ** Math.min(20, Math.max(0, attempts + deferrals - 1)))
  // Equal jitter: half fixed, half random, so that messages that failed together do not come back together.
  return { retryAtMs: nowMs + Math.round(backoffMs / 2 + random.next() * (backoffMs / 2)) }
}

/** How long an early message has waited before it is worth a word in the log. */
export const GAP_ALARM_MS = 60_000
const MIN_RECHECK_MS = 10_000
const MAX_RECHECK_MS = 600_000

/**
 * When to look again at an early message. The one before it brings it along when it is handled, so this is for what cannot be known
 * here: that another instance has handled that one, or that the key may begin. What has waited long is looked at less often.
 */
export function recheckAtMs(firstSeenMs: number, previousAtMs: number | undefined, nowMs: number): number {
  const waitedMs = Math.max(0, nowMs - firstSeenMs)
  if (previousAtMs !== undefined && waitedMs < BEGIN_GRACE_MS) return firstSeenMs + BEGIN_GRACE_MS
  return nowMs + Math.min(MAX_RECHECK_MS, Math.max(MIN_RECHECK_MS, waitedMs / 2))
}
