/**
 * The policies of the calling side, the same for typed clients and for the gateway: the call is limited by its deadline,
 * asks the circuit breaker, and crosses the link. Every outcome is a `CallResponse`; that no answer came is one too.
 */
import type { Clock } from '../base/clock.ts'
import { milliseconds } from '../base/duration.ts'
import type { ErrorCode } from '../base/errors.ts'
import { SkerryError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { keepsAnswer } from '../contract/operation.ts'
import { platformProblem } from '../contract/problem.ts'
import { beforeDeadline } from '../resilience/deadline.ts'
import { currentScope } from '../telemetry/scope.ts'
import type { TraceContext } from '../telemetry/trace-context.ts'
import { childTrace } from '../telemetry/trace-context.ts'
import { createBreaker } from './breaker.ts'
import type { CallOptions } from './call.ts'
import type { CallResponse, Link } from './link.ts'

export interface CallerOptions {
  readonly link: Link
  readonly clock: Clock
  readonly random: Random
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

/** Makes the caller of one operation, with a circuit breaker of its own. */
export function createCaller(operation: BoundOperation, { link, clock, random, userAgent }: CallerOptions): Caller {
  const breaker = createBreaker(clock)
  const { deadlineMs } = operation.operation

  return async (input, options, carriedOn) => {
    const scope = currentScope()
    if (scope?.transaction !== undefined) throw callInTransaction(operation)
    // Drawn for every call, sent or not, with a key of its own or not: the next call must get the same one at each repetition.
    const drawnKey = scope?.idempotencyKeyFor?.(operation.fullName, keepsAnswer(operation.operation))
    const nowMs = clock.nowMs()
    const ownMs = options?.deadline === undefined ? deadlineMs : milliseconds(options.deadline)
    const deadlineAtMs = Math.min(nowMs + ownMs, scope?.deadlineAtMs ?? Infinity)
    const remainingMs = deadlineAtMs - nowMs
    if (remainingMs <= 0) return failure(operation, 'deadlineExceeded', 'the deadline had passed before the call')
    const admission = breaker.admit()
    if (!admission.admitted)
      return failure(operation, 'unavailable', 'its circuit breaker is open after repeated failures', admission.retryAfterMs)

    let abort: AbortController | undefined
    const answer = link.send({
      operation,
      input,
      trace: childTrace(carriedOn?.trace ?? scope?.trace, random),
      deadlineAtMs,
      idempotencyKey: options?.idempotencyKey ?? drawnKey,
      userAgent: carriedOn === undefined ? userAgent : carriedOn.userAgent,
      signal: () => (abort ??= new AbortController()).signal,
    })
    // Only a caller that waits at least the operation's own time learns something about the dependency when it runs out.
    const patient = remainingMs >= deadlineMs
    try {
      const response = await beforeDeadline(clock, remainingMs, answer)
      if (response === undefined) {
        abort?.abort()
        admission.report(patient ? 'failure' : 'ignored')
        return failure(operation, 'deadlineExceeded', `no answer within ${remainingMs} ms`)
      }
      const status = response.ok ? 200 : response.problem.status
      admission.report(status < 500 ? 'success' : status === 504 && !patient ? 'ignored' : 'failure')
      return response
    } catch (error) {
      const unavailable = error instanceof SkerryError && error.code === 'unavailable'
      admission.report(unavailable ? 'failure' : 'ignored')
      if (!unavailable) throw error
      return failure(operation, 'unavailable', error.message)
    }
  }
}

function failure({ contract }: BoundOperation, code: ErrorCode, reason: string, retryAfterMs?: number): CallResponse {
  const detail = code === 'deadlineExceeded' ? `${contract} did not answer in time` : `${contract} is unavailable`
  return { ok: false, problem: platformProblem(code, detail), reason, retryAfterMs }
}

function callInTransaction({ fullName }: BoundOperation): SkerryError {
  return new SkerryError(
    'callInTransaction',
    `${fullName} was called inside a transaction: it would hold locks while it waits for the network. Call it before transaction(…) and use the answer inside, or after it.`,
  )
}
