/** Whether a call that failed is made again, and when. Pure: what is known goes in, the pause comes out. */
import type { Random } from '../base/random.ts'

export interface RetryPolicy {
  /** All attempts together, the first included. 1 never retries. Default: 2. */
  readonly attempts: number
  /** The longest pause before the second attempt; doubled for each further one. Default: 25. */
  readonly minBackoffMs: number
  /** No pause is longer. Default: 250. */
  readonly maxBackoffMs: number
}

export const RETRY_POLICY_DEFAULTS: RetryPolicy = { attempts: 2, minBackoffMs: 25, maxBackoffMs: 250 }

/** For tests, in which a call fails as often as they say. */
export const NO_RETRY: RetryPolicy = { ...RETRY_POLICY_DEFAULTS, attempts: 1 }

/** How an attempt failed, as far as it decides whether another one may be made. */
export type AttemptFailure =
  /** It provably never left: nobody could be connected to. Safe to make again whatever the operation does. */
  | 'unsent'
  /** No answer, or 502, 503 or 504: it may or may not have taken effect. */
  | 'unavailable'
  /** Its answer is the answer. */
  | 'final'

export interface RetryFacts {
  readonly failure: AttemptFailure
  /** How many attempts have been made. */
  readonly made: number
  /** The operation may be made twice: it is a GET, or declared `idempotent`. */
  readonly repeatable: boolean
  /** What the callee asked to be left in peace for. */
  readonly retryAfterMs: number | undefined
  /** How long the caller still waits. */
  readonly remainingMs: number
}

/** How long to wait before the next attempt, in milliseconds; undefined when there is none. Full jitter: anything up to the backoff. */
export function pauseBeforeRetry(facts: RetryFacts, policy: RetryPolicy, random: Pick<Random, 'next'>): number | undefined {
  const { failure, made, repeatable, retryAfterMs, remainingMs } = facts
  if (failure === 'final' || made >= policy.attempts || (failure === 'unavailable' && !repeatable)) return undefined
  const backoffMs = Math.min(policy.maxBackoffMs, policy.minBackoffMs * 2 ** (made - 1))
  // Also behind what it was told: others were told the same at the same time.
  const pauseMs = (retryAfterMs ?? 0) + random.next() * backoffMs
  return pauseMs < remainingMs ? pauseMs : undefined
}
