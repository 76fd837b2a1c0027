/**
 * The circuit breaker of one operation of one dependency, as a pure state machine. Closed, it lets calls through and
 * counts failures in a row; the fifth opens it and calls fail at once; after 30 s one call is let through as a probe (half-open), whose
 * outcome closes or opens it again.
 *
 *     closed ── failure × threshold ──▶ open ── openMs later, a call ──▶ half-open ── success ──▶ closed
 *                                        ▲                                   │  ▲
 *                                        └───────────── failure ─────────────┘  └── openMs without a report: another probe
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

/**
 * How a call is treated that arrives now: let through, or refused with the time until the next probe. `probe` is given
 * to `record` when the call has ended: undefined for an ordinary call, else when the probe left, by which a late one is known.
 */
export type Admission =
  | { readonly admitted: true; readonly probe: number | undefined; readonly state: BreakerState }
  | { readonly admitted: false; readonly retryAfterMs: number; readonly state: BreakerState }

export function admit(state: BreakerState, nowMs: number, settings: BreakerSettings): Admission {
  if (state.kind === 'closed') return { admitted: true, probe: undefined, state }
  const probeAtMs = state.kind === 'open' ? state.untilMs : state.sinceMs + settings.openMs
  if (nowMs < probeAtMs) return { admitted: false, retryAfterMs: probeAtMs - nowMs, state }
  return { admitted: true, probe: nowMs, state: { kind: 'half-open', sinceMs: nowMs } }
}

/** Open from now on. */
export function open(nowMs: number, settings: BreakerSettings): BreakerState {
  return { kind: 'open', untilMs: nowMs + settings.openMs }
}

/** The state after a call has ended. A call that began before the breaker opened does not close it, nor does a probe that was replaced. */
export function record(
  state: BreakerState,
  outcome: CallOutcome,
  probe: number | undefined,
  nowMs: number,
  settings: BreakerSettings,
): BreakerState {
  if (state.kind === 'closed') {
    if (outcome === 'ignored') return state
    if (outcome === 'success') return state.failures === 0 ? state : CLOSED
    const failures = state.failures + 1
    return failures >= settings.failureThreshold ? open(nowMs, settings) : { kind: 'closed', failures }
  }
  if (state.kind === 'open' || state.sinceMs !== probe) return state
  if (outcome === 'success') return CLOSED
  // A probe that proved nothing gives its place to the next call at once.
  return { kind: 'open', untilMs: outcome === 'failure' ? nowMs + settings.openMs : nowMs }
}
