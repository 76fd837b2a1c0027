/**
 * The policies of the calling side, the same for typed clients and for the gateway: the call is limited by its deadline and by how much may be
 * asked of the dependency at once, each attempt by what is known of the instances, and what may be called again is. Every outcome is a
 * `CallResponse`; that no answer came is one too.
 */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import { milliseconds } from '../base/duration.ts'
import { SkerryError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { keepsAnswer } from '../contract/operation.ts'
import { sensitiveTexts } from '../contract/sensitive.ts'
import type { AttemptFailure, RetryPolicy } from '../resilience/retry.ts'
import { pauseBeforeRetry, RETRY_POLICY_DEFAULTS } from '../resilience/retry.ts'
import { callingAgainOf, callingOf } from '../telemetry/conventions.ts'
import { currentScope } from '../telemetry/scope.ts'
import type { Span } from '../telemetry/span.ts'
import type { StartSpan, Telemetry } from '../telemetry/telemetry.ts'
import { silentTelemetry } from '../telemetry/telemetry.ts'
import type { TraceContext } from '../telemetry/trace-context.ts'
import { failure, makeAttempt } from './attempt.ts'
import type { CallOptions } from './call.ts'
import type { Dependency } from './dependency.ts'
import type { CallRequest, CallResponse } from './link.ts'

export interface CallerOptions {
  readonly dependency: Dependency
  readonly clock: Clock
  readonly random: Random
  /** Default: one more attempt, after at most 25 ms. */
  readonly retry?: RetryPolicy | undefined
  /** Of whoever calls. Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  /** Who calls, as User-Agent (RFC 9110, 10.1.5), such as `orders/1.1.0`. Default: it is not said. */
  readonly userAgent?: string
}

/** The request from outside that a call carries on, in place of the current scope and of the caller itself. */
export interface CarriedOn {
  readonly trace: TraceContext
  readonly userAgent: string | undefined
}

/** Calls one operation with plain JSON. Rejects only for mistakes in the calling code. */
export type Caller = (input: unknown, options?: CallOptions, carriedOn?: CarriedOn) => Promise<CallResponse>

/** Makes the caller of one operation. */
export function createCaller(operation: BoundOperation, options: CallerOptions): Caller {
  const { dependency, clock, random, userAgent } = options
  const { deadlineMs, idempotent, input: inputSchema, output: outputSchema } = operation.operation
  const needsKey = keepsAnswer(operation.operation)
  const telemetry = options.telemetry ?? silentTelemetry(random)
  const startCall = telemetry.work(callingOf(operation.fullName))
  const startAgain = telemetry.work(callingAgainOf(operation.fullName))

  return async (input, callOptions, carriedOn) => {
    const scope = currentScope()
    if (scope?.transaction !== undefined) throw callInTransaction(operation)
    // Drawn for every call, sent or not, with a key of its own or not: the next call must get the same one at each repetition.
    const drawnKey = scope?.idempotencyKeyFor?.(operation.fullName, needsKey)
    const nowMs = clock.nowMs()
    const ownMs = callOptions?.deadline === undefined ? deadlineMs : milliseconds(callOptions.deadline)
    const deadlineAtMs = Math.min(nowMs + ownMs, scope?.deadlineAtMs ?? Infinity)
    const idempotencyKey = callOptions?.idempotencyKey ?? drawnKey
    const span = startCall(carriedOn?.trace ?? scope?.trace)
    const keepBack = (text: string): void => (carriedOn?.trace ?? scope?.trace ?? span).keepBack?.(text)
    sensitiveTexts(inputSchema, 'input')?.(input, keepBack)
    if (deadlineAtMs <= nowMs) return ended(span, failure(operation, 'deadlineExceeded', 'the deadline had passed before the call'))
    if (!dependency.enter()) return ended(span, failure(operation, 'overloaded', 'as many calls of it are in progress as may be'))
    try {
      const request = {
        operation,
        input,
        trace: span,
        deadlineAtMs,
        idempotencyKey,
        userAgent: carriedOn === undefined ? userAgent : carriedOn.userAgent,
      }
      // Without a key its service could not tell that it has been asked before.
      const response = await attempts(request, idempotent && (!needsKey || idempotencyKey !== undefined), options, startAgain)
      if (response.ok && outputSchema !== undefined) sensitiveTexts(outputSchema, 'output')?.(response.output, keepBack)
      return ended(span, response)
    } catch (error) {
      span.end({ errorType: 'internal' })
      throw error
    } finally {
      dependency.leave()
    }
  }
}

/** A 4xx is an answer, but the caller's failure: so OpenTelemetry has it for clients. */
function ended(span: Span, response: CallResponse): CallResponse {
  if (response.ok) span.end()
  else span.end({ errorType: response.problem.code, message: response.reason ?? response.problem.detail })
  return response
}

async function attempts(
  request: Omit<CallRequest, 'signal'> & { readonly trace: Span },
  repeatable: boolean,
  { dependency, clock, random, retry = RETRY_POLICY_DEFAULTS }: CallerOptions,
  startAgain: StartSpan,
): Promise<CallResponse> {
  const { instances, budget } = dependency
  budget.deposit(clock.nowMs())
  let attempt = await makeAttempt(instances, clock, request)
  // Most calls end here.
  if (attempt.response.ok || attempt.response.problem.status < 500) return attempt.response
  const tried = new Set<string>()
  for (let made = 1; !attempt.response.ok; made++) {
    const { response, instance } = attempt
    // Nobody could be asked, and all that there are have been considered: to wait until one may be would not be to fail fast.
    if (instance === undefined) return response
    const nowMs = clock.nowMs()
    const facts = {
      failure: failureOf(request.operation, response),
      made,
      repeatable,
      retryAfterMs: response.retryAfterMs,
      remainingMs: request.deadlineAtMs - nowMs,
    }
    const pauseMs = pauseBeforeRetry(facts, retry, random)
    if (pauseMs === undefined || !budget.withdraw(nowMs)) return response
    tried.add(instance)
    request.trace.event('retry', {
      'error.type': response.problem.code,
      'skerry.retry.attempt': made + 1,
      'skerry.retry.pause': pauseMs / 1_000,
    })
    await sleep(clock, pauseMs)
    const again = startAgain(request.trace)
    again.set('http.request.resend_count', made)
    attempt = await makeAttempt(instances, clock, { ...request, trace: again }, tried)
    ended(again, attempt.response)
  }
  return attempt.response
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
