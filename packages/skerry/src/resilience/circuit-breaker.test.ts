import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BreakerState, CallOutcome } from './circuit-breaker.ts'
import { admit, BREAKER_DEFAULTS, CLOSED, record } from './circuit-breaker.ts'

const SETTINGS = { failureThreshold: 3, openMs: 1_000 }
const closed = (failures: number): BreakerState => ({ kind: 'closed', failures })
const open = (untilMs: number): BreakerState => ({ kind: 'open', untilMs })
const halfOpen = (sinceMs: number): BreakerState => ({ kind: 'half-open', sinceMs })

describe('admit', () => {
  it.each<[string, BreakerState, number, ReturnType<typeof admit>]>([
    ['closed', CLOSED, 5, { admitted: true, probe: undefined, state: CLOSED }],
    ['closed after failures', closed(2), 5, { admitted: true, probe: undefined, state: closed(2) }],
    ['open', open(1_000), 400, { admitted: false, retryAfterMs: 600, state: open(1_000) }],
    ['open, one millisecond before the end', open(1_000), 999, { admitted: false, retryAfterMs: 1, state: open(1_000) }],
    ['open, at the end', open(1_000), 1_000, { admitted: true, probe: 1_000, state: halfOpen(1_000) }],
    ['open, long after the end', open(1_000), 9_000, { admitted: true, probe: 9_000, state: halfOpen(9_000) }],
    ['half-open', halfOpen(2_000), 2_000, { admitted: false, retryAfterMs: 1_000, state: halfOpen(2_000) }],
    ['half-open, the probe silent', halfOpen(2_000), 2_999, { admitted: false, retryAfterMs: 1, state: halfOpen(2_000) }],
    ['half-open, the probe silent for too long', halfOpen(2_000), 3_000, { admitted: true, probe: 3_000, state: halfOpen(3_000) }],
    ['half-open, the clock set back', halfOpen(2_000), 1_500, { admitted: false, retryAfterMs: 1_500, state: halfOpen(2_000) }],
    ['open, at the very beginning of time', open(0), 0, { admitted: true, probe: 0, state: halfOpen(0) }],
  ])('%s', (_what, state, nowMs, expected) => {
    expect(admit(state, nowMs, SETTINGS)).toEqual(expected)
  })
})

describe('record', () => {
  const ordinary = undefined
  it.each<[string, BreakerState, CallOutcome, number | undefined, BreakerState]>([
    ['closed: a success', CLOSED, 'success', ordinary, CLOSED],
    ['closed: a success forgives the failures before', closed(2), 'success', ordinary, CLOSED],
    ['closed: a first failure', CLOSED, 'failure', ordinary, closed(1)],
    ['closed: one failure less than too many', closed(1), 'failure', ordinary, closed(2)],
    ['closed: too many failures', closed(2), 'failure', ordinary, open(6_000)],
    ['closed: an ignored outcome neither counts nor forgives', closed(2), 'ignored', ordinary, closed(2)],
    ['closed: a probe of long ago counts like any call', closed(1), 'failure', 100, closed(2)],
    ['open: a late success of an ordinary call', open(5_500), 'success', ordinary, open(5_500)],
    ['open: a late failure does not prolong it', open(5_500), 'failure', ordinary, open(5_500)],
    ['open: a late probe', open(5_500), 'success', 100, open(5_500)],
    ['half-open: the probe succeeds', halfOpen(4_900), 'success', 4_900, CLOSED],
    ['half-open: the probe fails', halfOpen(4_900), 'failure', 4_900, open(6_000)],
    ['half-open: the probe proves nothing', halfOpen(4_900), 'ignored', 4_900, open(5_000)],
    ['half-open: an ordinary call of before', halfOpen(4_900), 'success', ordinary, halfOpen(4_900)],
    ['half-open: a replaced probe succeeds', halfOpen(4_900), 'success', 3_900, halfOpen(4_900)],
    ['half-open: a replaced probe fails', halfOpen(4_900), 'failure', 3_900, halfOpen(4_900)],
    ['half-open: a replaced probe proves nothing', halfOpen(4_900), 'ignored', 3_900, halfOpen(4_900)],
  ])('%s', (_what, state, outcome, probe, expected) => {
    expect(record(state, outcome, probe, 5_000, SETTINGS)).toEqual(expected)
  })

  it('opens at the first failure when the threshold is one', () => {
    expect(record(CLOSED, 'failure', undefined, 0, { ...SETTINGS, failureThreshold: 1 })).toEqual(open(1_000))
  })
})

describe('a dead dependency', () => {
  it('gets five calls, then one every 30 s, by default', () => {
    let state = CLOSED
    const admittedAtMs: number[] = []
    for (let nowMs = 0; nowMs <= 90_000; nowMs += 100) {
      const admission = admit(state, nowMs, BREAKER_DEFAULTS)
      state = admission.state
      if (!admission.admitted) continue
      admittedAtMs.push(nowMs)
      state = record(state, 'failure', admission.probe, nowMs, BREAKER_DEFAULTS)
    }
    expect(admittedAtMs).toEqual([0, 100, 200, 300, 400, 30_400, 60_400])
  })

  it('is used again after one successful probe', () => {
    const probing = admit(open(1_000), 1_000, SETTINGS)
    const state = record(probing.state, 'success', probing.admitted ? probing.probe : undefined, 1_010, SETTINGS)
    expect([admit(state, 1_020, SETTINGS), admit(state, 1_020, SETTINGS)]).toMatchObject([{ admitted: true }, { admitted: true }])
  })
})

interface CallInFlight {
  readonly probe: number | undefined
  readonly sinceMs: number
}

/** What may happen next: time passes, a call arrives, or one of those in flight ends, however late. */
const happening = fc.oneof(
  fc.record({ kind: fc.constant('wait' as const), byMs: fc.oneof(fc.nat(50), fc.nat(3_000)) }),
  fc.record({ kind: fc.constant('call' as const) }),
  fc.record({ kind: fc.constant('end' as const), which: fc.nat(), outcome: fc.constantFrom<CallOutcome>('success', 'failure', 'ignored') }),
)

describe('whatever happens', () => {
  it('never has two probes under way that left within openMs of each other', () => {
    fc.assert(
      fc.property(fc.array(happening, { minLength: 20, maxLength: 200, size: 'max' }), (story) => {
        let state: BreakerState = { kind: 'open', untilMs: 0 }
        let nowMs = 0
        const inFlight: CallInFlight[] = []
        for (const step of story) {
          if (step.kind === 'wait') nowMs += step.byMs
          else if (step.kind === 'call') {
            const before = state
            const admission = admit(state, nowMs, SETTINGS)
            state = admission.state
            if (!admission.admitted) {
              expect(before.kind).not.toBe('closed')
              expect(admission.retryAfterMs).toBeGreaterThan(0)
              expect(admission.retryAfterMs).toBeLessThanOrEqual(SETTINGS.openMs)
              expect(admit(state, nowMs + admission.retryAfterMs, SETTINGS).admitted).toBe(true)
              continue
            }
            expect(admission.probe === undefined).toBe(before.kind === 'closed')
            const rivals = inFlight.filter(
              ({ probe, sinceMs }) => probe !== undefined && admission.probe !== undefined && sinceMs > nowMs - SETTINGS.openMs,
            )
            expect(rivals).toEqual([])
            inFlight.push({ probe: admission.probe, sinceMs: nowMs })
          } else if (inFlight.length > 0) {
            const [ended] = inFlight.splice(step.which % inFlight.length, 1)
            state = record(state, step.outcome, ended!.probe, nowMs, SETTINGS)
          }
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('never opens for outcomes that are ignored, nor forgets failures for them', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom<CallOutcome>('success', 'failure', 'ignored'), { maxLength: 40 }), (outcomes) => {
        const after = (these: readonly CallOutcome[]): BreakerState =>
          these.reduce((state, outcome) => record(state, outcome, undefined, 0, { ...SETTINGS, failureThreshold: 5 }), CLOSED)
        expect(after(outcomes)).toEqual(after(outcomes.filter((outcome) => outcome !== 'ignored')))
      }),
    )
  })

  it('opens exactly when the threshold of failures in a row is reached', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), (successes, failureThreshold) => {
        let state: BreakerState = CLOSED
        let inARow = 0
        for (const success of successes) {
          if (state.kind !== 'closed') break
          state = record(state, success ? 'success' : 'failure', undefined, 0, { ...SETTINGS, failureThreshold })
          inARow = success ? 0 : inARow + 1
          expect(state.kind).toBe(inARow >= failureThreshold ? 'open' : 'closed')
        }
      }),
    )
  })
})
