/** The rules of one caller for one operation: what its policies declare, with the state that goes with it. Absent where nothing is declared. */
import type { Duration } from '../base/duration.ts'
import { milliseconds } from '../base/duration.ts'
import { BREAKER_DEFAULTS } from '../resilience/circuit-breaker.ts'
import { ConcurrencyLimit } from '../resilience/concurrency-limit.ts'
import { FAILURE_RATE_DEFAULTS } from '../resilience/failure-rate.ts'
import { HedgeDelay } from '../resilience/hedge-delay.ts'
import { LastAnswers } from '../resilience/last-answers.ts'
import { RetryBudget } from '../resilience/retry-budget.ts'
import type { RetryPolicy } from '../resilience/retry.ts'
import { RETRY_POLICY_DEFAULTS } from '../resilience/retry.ts'
import type { BreakerRules } from './breaker.ts'
import type { Fallback } from './fallback.ts'
import type { CallPolicies, OperationPolicies, Using } from './policies.ts'

export interface CallRules {
  readonly retry: RetryPolicy | undefined
  /** Itself what the breakers of these calls are known by: whoever has other settings has others. */
  readonly breaker: BreakerRules | undefined
  readonly limits: readonly ConcurrencyLimit[]
  readonly deadlineMs: number | undefined
  readonly hedge: HedgeRules | undefined
  readonly fallback: FallbackRules | undefined
}

export interface HedgeRules {
  readonly delay: HedgeDelay
  /** How much may be asked twice, besides what the dependency allows. */
  readonly budget: RetryBudget
}

export interface FallbackRules {
  readonly known: LastAnswers | undefined
  readonly otherwise: Fallback | undefined
}

/** Of what is asked once, so much is asked twice at most. */
const HEDGE_BUDGET = { ratio: 0.05, minPerSecond: 0, windowMs: 10_000 }
const DEFAULT_ENTRIES = 1_000
const DEFAULT_MAX_AGE = '10m'
const DEFAULT_MAX_BYTES = 16_777_216

/** The rules by the name of the operation, for one caller; they share the limits that are meant for the whole. */
export function callRules({ policies, operations }: Using): (operation: string) => CallRules {
  const whole = limitOf(policies)
  return (name) => {
    const own = operations[name] ?? {}
    return {
      retry: retryOf(policies, own),
      breaker: breakerOf(policies, own),
      limits: [whole, limitOf(own)].filter((limit) => limit !== undefined),
      deadlineMs: own.deadline === undefined ? undefined : milliseconds(own.deadline),
      hedge: own.hedge === true ? { delay: new HedgeDelay(), budget: new RetryBudget(HEDGE_BUDGET) } : undefined,
      fallback: fallbackOf(own),
    }
  }
}

function limitOf({ maxConcurrent }: CallPolicies): ConcurrencyLimit | undefined {
  return maxConcurrent === undefined ? undefined : new ConcurrencyLimit(maxConcurrent)
}

function retryOf(whole: CallPolicies, own: CallPolicies): RetryPolicy | undefined {
  const { attempts, backoff } = { ...whole.retry, ...own.retry }
  if (attempts === undefined && backoff === undefined) return undefined
  const [min, max] = (backoff?.split('..') ?? []) as Duration[]
  return {
    attempts: attempts ?? RETRY_POLICY_DEFAULTS.attempts,
    minBackoffMs: min === undefined ? RETRY_POLICY_DEFAULTS.minBackoffMs : milliseconds(min),
    maxBackoffMs: max === undefined ? RETRY_POLICY_DEFAULTS.maxBackoffMs : milliseconds(max),
  }
}

function breakerOf(whole: CallPolicies, own: CallPolicies): BreakerRules | undefined {
  const declared = { ...whole.breaker, ...own.breaker }
  if (Object.keys(declared).length === 0) return undefined
  const { failures = BREAKER_DEFAULTS.failureThreshold, openFor, failureRate = FAILURE_RATE_DEFAULTS.failureRate } = declared
  return {
    settings: { failureThreshold: failures, openMs: openFor === undefined ? BREAKER_DEFAULTS.openMs : milliseconds(openFor) },
    rate: { ...FAILURE_RATE_DEFAULTS, failureRate },
  }
}

function fallbackOf({ lastKnown, fallback }: OperationPolicies): FallbackRules | undefined {
  if (lastKnown === undefined && fallback === undefined) return undefined
  if (lastKnown === undefined) return { known: undefined, otherwise: fallback }
  const { entries = DEFAULT_ENTRIES, maxBytes = DEFAULT_MAX_BYTES, maxAge = DEFAULT_MAX_AGE } = lastKnown === true ? {} : lastKnown
  return { known: new LastAnswers({ maxEntries: entries, maxBytes, maxAgeMs: milliseconds(maxAge) }), otherwise: fallback }
}
