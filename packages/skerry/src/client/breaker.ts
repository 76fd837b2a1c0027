/** A circuit breaker in use: the pure machine of `resilience/` with its state and a clock. */
import type { Clock } from '../base/clock.ts'
import type { BreakerSettings, BreakerState, CallOutcome } from '../resilience/circuit-breaker.ts'
import { admit, BREAKER_DEFAULTS, CLOSED, record } from '../resilience/circuit-breaker.ts'

export interface Breaker {
  admit(): { readonly admitted: true; report(outcome: CallOutcome): void } | { readonly admitted: false; readonly retryAfterMs: number }
}

export function createBreaker(clock: Clock, settings: BreakerSettings = BREAKER_DEFAULTS): Breaker {
  let state: BreakerState = CLOSED
  const reportFor = (probe: number | undefined) => (outcome: CallOutcome) => {
    state = record(state, outcome, probe, clock.nowMs(), settings)
  }
  const admitted = { admitted: true, report: reportFor(undefined) } as const
  return {
    admit() {
      const admission = admit(state, clock.nowMs(), settings)
      state = admission.state
      if (!admission.admitted) return { admitted: false, retryAfterMs: admission.retryAfterMs }
      return admission.probe === undefined ? admitted : { admitted: true, report: reportFor(admission.probe) }
    },
  }
}
