/** A circuit breaker in use: failures in a row, or too large a share of them, open it. The machines of `resilience/` with their state and a clock. */
import type { Clock } from '../base/clock.ts'
import type { BreakerSettings, BreakerState, CallOutcome } from '../resilience/circuit-breaker.ts'
import { admit, BREAKER_DEFAULTS, CLOSED, open, record } from '../resilience/circuit-breaker.ts'
import type { FailureRateSettings } from '../resilience/failure-rate.ts'
import { FAILURE_RATE_DEFAULTS, FailureRate } from '../resilience/failure-rate.ts'

export interface Breaker {
  /** Whether a call could go through now, without sending one. */
  readonly isOpen: boolean
  admit(): Admitted | { readonly admitted: false; readonly retryAfterMs: number }
}

/** Settings of one caller; itself what his breakers are known by. */
export interface BreakerRules {
  readonly settings: BreakerSettings
  readonly rate: FailureRateSettings
}

/** What has become of a circuit breaker through a call. */
export type BreakerChange = 'opened' | 'closed'

export interface Admitted {
  readonly admitted: true
  report(outcome: CallOutcome, nowMs: number): BreakerChange | undefined
}

export function createBreaker(
  clock: Clock,
  settings: BreakerSettings = BREAKER_DEFAULTS,
  rate: FailureRateSettings = FAILURE_RATE_DEFAULTS,
): Breaker {
  const failures = new FailureRate(rate)
  let state: BreakerState = CLOSED
  const reportFor = (probe: number | undefined) => (outcome: CallOutcome, nowMs: number) => {
    const before = state.kind
    state = record(state, outcome, probe, nowMs, settings)
    if (state.kind === 'closed') {
      // What failed before the probe succeeded says nothing of what comes after it.
      if (before !== 'closed') failures.clear()
      else if (outcome !== 'ignored' && failures.record(outcome === 'failure', nowMs)) state = open(nowMs, settings)
    }
    return changeFrom(before, state)
  }
  const admitted = { admitted: true, report: reportFor(undefined) } as const
  return {
    get isOpen() {
      return state.kind !== 'closed' && !admit(state, clock.nowMs(), settings).admitted
    },
    admit() {
      if (state.kind === 'closed') return admitted
      const admission = admit(state, clock.nowMs(), settings)
      state = admission.state
      if (!admission.admitted) return { admitted: false, retryAfterMs: admission.retryAfterMs }
      return admission.probe === undefined ? admitted : { admitted: true, report: reportFor(admission.probe) }
    },
  }
}

function changeFrom(before: BreakerState['kind'], { kind }: BreakerState): BreakerChange | undefined {
  if (kind === before) return undefined
  if (kind === 'open') return 'opened'
  return kind === 'closed' ? 'closed' : undefined
}
