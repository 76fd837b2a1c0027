/**
 * An attempt that may ask two instances: when the first takes longer than nearly all answers do, a second is asked, and whoever answers well
 * first is believed. The other is told that nobody waits any more. Never more than one call in twenty, and out of the budget of the retries.
 */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import type { Span } from '../telemetry/span.ts'
import type { StartSpan } from '../telemetry/telemetry.ts'
import type { Attempt, AttemptControl } from './attempt.ts'
import { makeAttempt } from './attempt.ts'
import type { BreakerRules } from './breaker.ts'
import type { CallEvent } from './call-event.ts'
import { ended } from './call-span.ts'
import type { Dependency } from './dependency.ts'
import type { CallRequest } from './link.ts'
import type { HedgeRules } from './rules.ts'

export interface HedgedAttemptOptions {
  readonly dependency: Dependency
  readonly clock: Clock
  readonly startAgain: StartSpan
  readonly breaker: BreakerRules | undefined
  readonly onEvent?: ((event: CallEvent) => void) | undefined
}

export async function makeHedgedAttempt(
  hedge: HedgeRules,
  request: Omit<CallRequest, 'signal'> & { readonly trace: Span },
  options: HedgedAttemptOptions,
): Promise<Attempt> {
  const { dependency, clock, startAgain, breaker, onEvent } = options
  const { instances, budget } = dependency
  const { operation } = request
  const startMs = clock.nowMs()
  hedge.budget.deposit(startMs)
  const afterMs = instances.all.length > 1 ? hedge.delay.delayMs(startMs) : undefined
  const firstControl: AttemptControl = {}
  const first = makeAttempt(instances, clock, request, undefined, breaker, firstControl)
  const learned = (attempt: Attempt): Attempt => {
    if (attempt.response.ok) hedge.delay.record(clock.nowMs() - startMs, clock.nowMs())
    return attempt
  }
  if (afterMs === undefined) return learned(await first)

  const answered = new AbortController()
  const early = await Promise.race([first, sleep(clock, afterMs, answered.signal).then(() => undefined)])
  answered.abort()
  if (early !== undefined) return learned(early)
  const { instance = '' } = firstControl
  const isAnother = instances.all.some((known) => known.id !== instance && !known.breakerOf(operation, breaker).isOpen)
  const nowMs = clock.nowMs()
  if (!isAnother || !hedge.budget.withdraw(nowMs) || !budget.withdraw(nowMs)) return learned(await first)

  request.trace.event('hedge', { 'skerry.hedge.after': afterMs / 1_000 })
  const trace = startAgain(request.trace)
  trace.set('http.request.resend_count', 1)
  onEvent?.({ kind: 'hedged', trace, operation: operation.fullName, afterMs })
  const secondControl: AttemptControl = {}
  const second = makeAttempt(instances, clock, { ...request, trace }, new Set([instance]), breaker, secondControl).then((attempt) => {
    ended(trace, operation, attempt.response)
    return attempt
  })
  const winner = await firstGood(first, second)
  // Whoever has answered notices nothing.
  firstControl.cancel?.()
  secondControl.cancel?.()
  return learned(winner)
}

/** The first that is well; when neither is, the last. */
async function firstGood(one: Promise<Attempt>, other: Promise<Attempt>): Promise<Attempt> {
  const { attempt, left } = await Promise.race([
    one.then((ended) => ({ attempt: ended, left: other })),
    other.then((ended) => ({ attempt: ended, left: one })),
  ])
  // An answer below 500 is one, good or not.
  return attempt.response.ok || attempt.response.problem.status < 500 ? attempt : left
}
