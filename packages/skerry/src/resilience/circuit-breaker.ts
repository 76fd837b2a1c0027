/**
 * The circuit breaker of one operation of one dependency, as a pure state machine. Closed, it lets calls through and
 * counts failures in a row; the fifth opens it and calls fail at once; after 30 s one call is let through as a probe (half-open), whose
 * outcome closes or opens it again.
 */
export interface BreakerSettings {
  /** Failures in a row that open it. Default: 5. */
  readonly failureThreshold: number
  /** How long it stays open before a probe. Default: 30 000. */
  readonly openMs: number
}

export const BREAKER_DEFAULTS: BreakerSettings = { failureThreshold: 5, openMs: 30_000 }

export type BreakerState =
  | { readonly kind: 'closed'; readonly failures: number }
  | { readonly kind: 'open'; readonly untilMs: number }
  /** `sinceMs`: when the probe left; a probe that never reports is replaced after `openMs`. */
  | { readonly kind: 'half-open'; readonly sinceMs: number }

export type CallOutcome =
  | 'success'
  | 'failure'
  /** The caller gave up or its own input was refused: it says nothing about the dependency. */
  | 'ignored'

export const CLOSED: BreakerState = { kind: 'closed', failures: 0 }

/** How a call is treated that arrives now: let through (`probe` tells whether alone), or refused with the time until the next probe. */
export type Admission =
  | { readonly admitted: true; readonly probe: boolean; readonly state: BreakerState }
  | { readonly admitted: false; readonly retryAfterMs: number; readonly state: BreakerState }

export function admit(state: BreakerState, nowMs: number, settings: BreakerSettings): Admission {
  switch (state.kind) {
    case 'closed':
      return { admitted: true, probe: false, state }
    case 'open':
      if (nowMs < state.untilMs) return { admitted: false, retryAfterMs: state.untilMs - nowMs, state }
      return { admitted: true, probe: true, state: { kind: 'half-open', sinceMs: nowMs } }
    case 'half-open':
      if (nowMs < state.sinceMs + settings.openMs) return { admitted: false, retryAfterMs: state.sinceMs + settings.openMs - nowMs, state }
      return { admitted: true, probe: true, state: { kind: 'half-open', sinceMs: nowMs } }
  }
}

/** The state after a call has ended. A call that began before the breaker opened does not close it. */
export function record(state: BreakerState, outcome: CallOutcome, probe: boolean, nowMs: number, settings: BreakerSettings): BreakerState {
  const open: BreakerState = { kind: 'open', untilMs: nowMs + settings.openMs }
  if (state.kind === 'closed') {
    if (outcome === 'ignored') return state
    if (outcome === 'success') return state.failures === 0 ? state : CLOSED
    return state.failures + 1 >= settings.failureThreshold ? open : { kind: 'closed', failures: state.failures + 1 }
  }
  if (!probe || state.kind === 'open') return state
  if (outcome === 'success') return CLOSED
  // A probe that proved nothing gives its place to the next call at once.
  return outcome === 'failure' ? open : { kind: 'open', untilMs: nowMs }
}
