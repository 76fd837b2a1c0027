/**
 * The policies of the calling side, the same for typed clients and for the gateway: the call is limited by its deadline and by how much may be
 * asked of the dependency at once, each attempt by what is known of the instances, and what may be called again is. Every outcome is a
 * `CallResponse`; that no answer came is one too, unless the caller has declared what it says then.
 */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import { milliseconds } from '../base/duration.ts'
import { SkerryError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { keepsAnswer } from '../contract/operation.ts'
import { deadlineProblem } from '../contract/problem.ts'
import { sensitiveTexts } from '../contract/sensitive.ts'
import type { Asking, LastAnswers } from '../resilience/last-answers.ts'
import type { AttemptFailure, RetryPolicy } from '../resilience/retry.ts'
import { pauseBeforeRetry, RETRY_POLICY_DEFAULTS } from '../resilience/retry.ts'
import type { CallRecord } from '../telemetry/account.ts'
import { Account, timeSpent } from '../telemetry/account.ts'
import { callingAgainOf, callingOf } from '../telemetry/conventions.ts'
import type { Scope } from '../telemetry/scope.ts'
import { currentScope } from '../telemetry/scope.ts'
import type { Span } from '../telemetry/span.ts'
import type { StartSpan, Telemetry } from '../telemetry/telemetry.ts'
import { silentTelemetry } from '../telemetry/telemetry.ts'
import type { TraceContext } from '../telemetry/trace-context.ts'
import type { Attempt } from './attempt.ts'
import { failure, makeAttempt } from './attempt.ts'
import type { BreakerChange } from './breaker.ts'
import type { CallEvent } from './call-event.ts'
import { ended } from './call-span.ts'
import type { CallOptions } from './call.ts'
import { degradedAnswer } from './degraded-answer.ts'
import type { Dependency } from './dependency.ts'
import { makeHedgedAttempt } from './hedged-attempt.ts'
import { infrastructureFailure } from './infrastructure-failure.ts'
import type { CallRequest, CallResponse } from './link.ts'
import { questionOf } from './question.ts'
import type { CallRules } from './rules.ts'

export interface CallerOptions {
  readonly dependency: Dependency
  readonly clock: Clock
  readonly random: Random
  /** Goes before what the rules say. Default: one more attempt, after at most 25 ms. */
  readonly retry?: RetryPolicy | undefined
  /** What is other than usual for this caller. */
  readonly rules?: CallRules | undefined
  /** Of whoever calls. Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  /** Who calls, as User-Agent (RFC 9110, 10.1.5), such as `orders/1.1.0`. Default: it is not said. */
  readonly userAgent?: string
  /** Told what the answer does not show. */
  readonly onEvent?: ((event: CallEvent) => void) | undefined
}

/** The request from outside that a call carries on, in place of the current scope and of the caller itself. */
export interface CarriedOn {
  readonly trace: TraceContext
  readonly userAgent: string | undefined
}

/** Calls one operation with plain JSON. Rejects only for mistakes in the calling code. */
export type Caller = (input: unknown, options?: CallOptions, carriedOn?: CarriedOn) => Promise<CallResponse>

/** How much of what its own caller still waits a call with a fallback may take: the rest is for saying what is said instead. */
const SHARE_WITH_FALLBACK = 0.8

/** Makes the caller of one operation. */
export function createCaller(operation: BoundOperation, options: CallerOptions): Caller {
  const { dependency, clock, random, userAgent, rules, onEvent } = options
  const { idempotent, input: inputSchema, output: outputSchema } = operation.operation
  const defaultMs = rules?.deadlineMs ?? operation.operation.deadlineMs
  const needsKey = keepsAnswer(operation.operation)
  const limits = [...(rules?.limits ?? []), dependency.limit]
  const fallback = rules?.fallback
  const telemetry = options.telemetry ?? silentTelemetry(random)
  const startCall = telemetry.work(callingOf(operation.fullName))
  const startAgain = telemetry.work(callingAgainOf(operation.fullName))

  /** When to stop waiting. */
  const deadlineOf = (nowMs: number, callOptions: CallOptions | undefined, scope: Scope | undefined): number => {
    const ownAtMs = nowMs + (callOptions?.deadline === undefined ? defaultMs : milliseconds(callOptions.deadline))
    const callersAtMs = scope?.deadlineAtMs ?? Infinity
    return Math.min(ownAtMs, fallback === undefined ? callersAtMs : nowMs + (callersAtMs - nowMs) * SHARE_WITH_FALLBACK)
  }

  return async (input, callOptions, carriedOn) => {
    const scope = currentScope()
    if (scope?.transaction !== undefined) throw callInTransaction(operation)
    // Drawn for every call, sent or not, with a key of its own or not: the next call must get the same one at each repetition.
    const drawnKey = scope?.idempotencyKeyFor?.(operation.fullName, needsKey)
    const nowMs = clock.nowMs()
    const idempotencyKey = callOptions?.idempotencyKey ?? drawnKey
    const span = startCall(carriedOn?.trace ?? scope?.trace)
    const keepBack = (text: string): void => (carriedOn?.trace ?? scope?.trace ?? span).keepBack?.(text)
    sensitiveTexts(inputSchema, 'input')?.(input, keepBack)
    const record: CallRecord = { operation: operation.fullName, startMs: nowMs }
    if (scope !== undefined) (scope.account ??= new Account(clock)).add(record)
    const request = {
      operation,
      input,
      trace: span,
      deadlineAtMs: deadlineOf(nowMs, callOptions, scope),
      idempotencyKey,
      userAgent: carriedOn === undefined ? userAgent : carriedOn.userAgent,
      record,
    }
    // Without a key its service could not tell that it has been asked before.
    const repeatable = idempotent && (!needsKey || idempotencyKey !== undefined)
    try {
      const response = await answerTo(request, repeatable)
      if (response.ok && outputSchema !== undefined) sensitiveTexts(outputSchema, 'output')?.(response.output, keepBack)
      if (response.ok && response.degraded !== undefined) scope?.account?.degrade(response.degraded)
      return ended(span, operation, response)
    } catch (error) {
      span.end({ errorType: 'internal' })
      throw error
    }
  }

  async function answerTo(request: Recorded, repeatable: boolean): Promise<CallResponse> {
    const { record, input, trace } = request
    const known = fallback?.known
    const question = known && (await questionOf(operation, input))
    const asking = question === undefined ? undefined : known!.begin(question)
    let entered = 0
    let response: CallResponse
    try {
      if (request.deadlineAtMs <= record.startMs)
        response = failure(operation, 'deadlineExceeded', 'the deadline had passed before the call')
      else {
        while (entered < limits.length && limits[entered]!.enter()) entered++
        if (entered < limits.length) response = failure(operation, 'overloaded', 'as many calls of it are in progress as may be')
        else {
          const first = await firstAttempt(request, options, startAgain)
          if (first.breaker !== undefined) breakerChanged(first.breaker, request, options.telemetry)
          // Most calls end here.
          response =
            first.response.ok || first.response.problem.status < 500
              ? first.response
              : await furtherAttempts(first, request, repeatable, options, startAgain)
        }
      }
      if (asking !== undefined) learn(known!, asking, response)
    } finally {
      while (entered > 0) limits[--entered]!.leave()
      if (asking !== undefined) known!.end(asking)
    }
    record.endMs = clock.nowMs()
    if (response.ok) return response
    if (response.problem.status >= 500) record.outcome ??= 'failed'
    if (response.problem.code === 'deadlineExceeded') response = late(response, record, record.endMs)
    if (fallback === undefined || response.ok) return response
    const instead = await degradedAnswer(operation, fallback, input, question, response, clock)
    if (!instead.ok) return instead
    const degradation = instead.degraded![0]!
    trace.event('degraded', { 'error.type': degradation.because, 'skerry.degraded.answer': degradation.answer })
    // That it is answered all the same does not make the call a good one.
    trace.end({ errorType: degradation.because, message: response.reason ?? response.problem.detail })
    onEvent?.({ kind: 'degraded', trace, degradation })
    return instead
  }

  function learn(known: LastAnswers, asking: Asking, response: CallResponse): void {
    if (!response.ok) {
      if (infrastructureFailure(operation, response) === undefined) known.forget(asking)
    } else if (response.degraded === undefined) known.remember(asking, response.output, clock.nowMs())
  }
}

type Recorded = Omit<CallRequest, 'signal'> & { readonly record: CallRecord; readonly trace: Span }

function firstAttempt(request: Recorded, { dependency, clock, rules, onEvent }: CallerOptions, startAgain: StartSpan): Promise<Attempt> {
  dependency.budget.deposit(request.record.startMs)
  const hedge = rules?.hedge
  return hedge === undefined
    ? makeAttempt(dependency.instances, clock, request, undefined, rules?.breaker)
    : makeHedgedAttempt(hedge, request, { dependency, clock, startAgain, breaker: rules?.breaker, onEvent })
}

/** Calls again as long as that is safe, allowed, and of use. */
async function furtherAttempts(
  first: Attempt,
  request: Recorded,
  repeatable: boolean,
  { dependency, clock, random, rules, retry = rules?.retry ?? RETRY_POLICY_DEFAULTS, onEvent, telemetry }: CallerOptions,
  startAgain: StartSpan,
): Promise<CallResponse> {
  const { instances, budget } = dependency
  const { operation, record, deadlineAtMs } = request
  let attempt = first
  const tried = new Set<string>()
  for (let made = 1; !attempt.response.ok; made++) {
    const { response, instance } = attempt
    // Nobody could be asked, and all that there are have been considered: to wait until one may be would not be to fail fast.
    if (instance === undefined) return response
    const nowMs = clock.nowMs()
    const facts = {
      failure: failureOf(operation, response),
      made,
      repeatable,
      retryAfterMs: response.retryAfterMs,
      remainingMs: deadlineAtMs - nowMs,
    }
    const pauseMs = pauseBeforeRetry(facts, retry, random)
    if (pauseMs === undefined || !budget.withdraw(nowMs)) return response
    tried.add(instance)
    record.attempts ??= [{ pauseMs: 0, startMs: record.startMs, endMs: nowMs }]
    request.trace.event('retry', {
      'error.type': response.problem.code,
      'skerry.retry.attempt': made + 1,
      'skerry.retry.pause': pauseMs / 1_000,
    })
    await sleep(clock, pauseMs)
    const again = startAgain(request.trace)
    again.set('http.request.resend_count', made)
    onEvent?.({ kind: 'retried', trace: again, operation: operation.fullName, attempt: made + 1, pauseMs })
    const time: NonNullable<CallRecord['attempts']>[number] = { pauseMs, startMs: clock.nowMs() }
    record.attempts.push(time)
    attempt = await makeAttempt(instances, clock, { ...request, trace: again }, tried, rules?.breaker)
    time.endMs = clock.nowMs()
    if (attempt.breaker !== undefined) breakerChanged(attempt.breaker, { operation, trace: again }, telemetry)
    ended(again, operation, attempt.response)
  }
  return attempt.response
}

const BREAKER_CHANGES = {
  name: 'skerry.circuit_breaker.changes',
  unit: '{change}',
  description: 'How often circuit breakers have opened and closed.',
}

function breakerChanged(
  change: BreakerChange,
  { operation, trace }: Pick<Recorded, 'operation' | 'trace'>,
  telemetry: Telemetry | undefined,
): void {
  trace.event(`circuit breaker ${change}`)
  telemetry?.metrics.counter(BREAKER_CHANGES, { 'rpc.method': operation.fullName, 'skerry.circuit_breaker.change': change }).add()
}

/** With where the time went, as far as that is known here and was said there. */
function late(response: CallResponse & { ok: false }, record: CallRecord, nowMs: number): CallResponse {
  const { timing, traceId } = response.problem
  if (timing !== undefined) record.told = timing
  const what = `${record.operation} did not answer in time`
  return { ...response, problem: deadlineProblem(what, [timeSpent(record, nowMs)], traceId === undefined ? {} : { traceId }) }
}

/** 502, 503 and 504 say that the operation may have been run or not; any other answer is one, and so is what the contract declares. */
function failureOf(operation: BoundOperation, response: CallResponse & { ok: false }): AttemptFailure {
  if (response.unsent === true) return 'unsent'
  const { status, code } = response.problem
  if (operation.operation.errors[code] !== undefined) return 'final'
  return status >= 502 && status <= 504 ? 'unavailable' : 'final'
}

function callInTransaction({ fullName }: BoundOperation): SkerryError {
  return new SkerryError(
    'callInTransaction',
    `${fullName} was called inside a transaction: it would hold locks while it waits for the network. Call it before transaction(…) and use the answer inside, or after it.`,
  )
}
