/**
 * The answering side of a call: validates the input, runs the handler in its scope, validates the output, and turns
 * whatever is thrown into a problem. An operation answers with its declared output or a declared problem, else with a problem of the
 * platform's that tells the caller nothing about the inside; the log has the cause.
 */
import { crashPoint } from '../base/crash-points.ts'
import type { ErrorCode } from '../base/errors.ts'
import { SkerryError } from '../base/errors.ts'
import { copyJson } from '../base/json.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { CallError } from '../contract/call-error.ts'
import type { Degradation } from '../contract/degradation.ts'
import type { ProblemDetails } from '../contract/problem.ts'
import { deadlineProblem, declaredProblem, platformProblem } from '../contract/problem.ts'
import type { Issue } from '../contract/schema.ts'
import { validate } from '../contract/schema.ts'
import { sensitiveTexts } from '../contract/sensitive.ts'
import { DatabaseError } from '../engine/database.ts'
import type { CallRecord } from '../telemetry/account.ts'
import type { Log } from '../telemetry/log.ts'
import type { Scope } from '../telemetry/scope.ts'
import { runInScope } from '../telemetry/scope.ts'
import type { TraceContext } from '../telemetry/trace-context.ts'
import { DeclaredProblemError } from './context.ts'
import { AnsweredBefore } from './stored-answer.ts'

/** A request as it reaches the service, its input still unchecked. */
export interface IncomingCall {
  readonly operation: BoundOperation
  readonly input: unknown
  /** The trace it belongs to; undefined when it begins here. */
  readonly trace: TraceContext | undefined
  /** In milliseconds since the epoch, on this host's clock. */
  readonly deadlineAtMs: number
  readonly idempotencyKey: string | undefined
  /** Who calls, as it has said in User-Agent, if it has. */
  readonly userAgent: string | undefined
  /** Is told whose work it is. */
  readonly record?: Pick<CallRecord, 'inside'> | undefined
  readonly signal: () => AbortSignal
}

/** The same in the scope in which it is answered. */
export interface OperationRequest extends Omit<IncomingCall, 'trace' | 'deadlineAtMs'> {
  readonly scope: Scope
}

export type OperationAnswer =
  /** The output as the schema gives it; whoever carries it further copies it or writes it as JSON. */
  | { readonly ok: true; readonly output: unknown; readonly degraded?: readonly Degradation[] | undefined }
  | { readonly ok: false; readonly problem: ProblemDetails; readonly retryAfterMs?: number | undefined }

/** Runs the handler of one operation on checked input. */
export type Invoke = (request: OperationRequest, input: unknown) => Promise<unknown>

const RETRY_AFTER_MS = 1_000
/** What a service can keep and compare without harm, whatever its database: up to 255 printable ASCII characters. */
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/

/** Answers a request. Never rejects. */
export async function dispatch(request: OperationRequest, invoke: Invoke, log: Log): Promise<OperationAnswer> {
  crashPoint('operation.received')
  const { operation } = request.operation
  const { trace } = request.scope
  const keepBack = (text: string): void => trace.keepBack?.(text)
  sensitiveTexts(operation.input, 'input')?.(request.input, keepBack)
  if (request.idempotencyKey !== undefined && !IDEMPOTENCY_KEY.test(request.idempotencyKey))
    return { ok: false, problem: platformProblem('malformedRequest', 'An Idempotency-Key has 1 to 255 printable ASCII characters') }
  try {
    const checked = validate(operation.input, request.input)
    const input = checked instanceof Promise ? await checked : checked
    if (!input.ok) return { ok: false, problem: invalidInput(input.issues) }
    const result = await runInScope(request.scope, () => invoke(request, input.value))
    if (operation.output === undefined) return answered(undefined, request.scope)
    sensitiveTexts(operation.output, 'output')?.(result, keepBack)
    const promised = validate(operation.output, result)
    const output = promised instanceof Promise ? await promised : promised
    if (output.ok) return answered(output.value, request.scope)
    throw new SkerryError(
      'contractBroken',
      `${request.operation.fullName} answered what its contract does not promise: ${describe(output.issues)}`,
    )
  } catch (error) {
    if (error instanceof AnsweredBefore)
      return 'problem' in error.answer ? { ok: false, problem: error.answer.problem } : answered(error.answer.output, request.scope)
    return { ok: false, ...failed(request, error, log) }
  }
}

function answered(output: unknown, { account }: Scope): OperationAnswer {
  crashPoint('operation.before-answer')
  const degraded = account?.degraded
  return degraded === undefined ? { ok: true, output } : { ok: true, output, degraded }
}

function invalidInput(issues: readonly Issue[]): ProblemDetails {
  return platformProblem('invalidInput', describe(issues), { errors: issues })
}

function describe(issues: readonly Issue[]): string {
  return issues.map((issue) => `${issue.path === '' ? 'the value' : issue.path.slice(1).replaceAll('/', '.')}: ${issue.message}`).join('; ')
}

function failed(
  { operation, scope }: OperationRequest,
  error: unknown,
  log: Log,
): { problem: ProblemDetails; retryAfterMs?: number | undefined } {
  const { traceId } = scope.trace
  if (error instanceof DeclaredProblemError) {
    const declared = operation.operation.errors[error.code]
    if (declared === error.problem) {
      const checked = checkProblemData(error)
      if (checked === undefined)
        return {
          problem: declaredProblem(operation.contract, error.code, declared, error.message, copyJson(error.data)),
          retryAfterMs: retryAfterIn(error.data),
        }
      error = new SkerryError(
        'contractBroken',
        `${operation.fullName} failed with "${error.code}" and data that its contract does not promise: ${checked}`,
      )
    }
  }
  const code = codeOf(error)
  runInScope(scope, () =>
    log[code === 'internal' ? 'error' : 'warn'](`${operation.fullName} could not be answered`, {
      operation: operation.fullName,
      code,
      cause: error,
    }),
  )
  const retryAfterMs = code === 'internal' ? undefined : retryAfterOf(error)
  if (code === 'deadlineExceeded')
    return {
      problem: deadlineProblem(`${operation.fullName} was not done in time`, scope.account?.timing() ?? [], { traceId }),
      retryAfterMs,
    }
  return { problem: platformProblem(code, undefined, { traceId }), retryAfterMs }
}

function checkProblemData(error: DeclaredProblemError): string | undefined {
  if (error.problem.data === undefined) return undefined
  const validation = validate(error.problem.data, error.data)
  if (validation instanceof Promise) return 'its schema is asynchronous'
  return validation.ok ? undefined : describe(validation.issues)
}

/** What a caller may know of a failure inside: that something it needs is missing or slow, else nothing. */
function codeOf(error: unknown): ErrorCode {
  if (error instanceof CallError) {
    if (error.code === 'unavailable' || error.code === 'overloaded') return 'unavailable'
    return error.code === 'deadlineExceeded' ? 'deadlineExceeded' : 'internal'
  }
  if (error instanceof DatabaseError) {
    if (error.kind === 'unavailable') return 'unavailable'
    if (error.kind === 'outcome-unknown') return 'outcomeUnknown'
    if (error.kind === 'serialization') return 'overloaded'
  }
  if (error instanceof SkerryError && (error.code === 'streamConflict' || error.code === 'projectionBehind')) return error.code
  return 'internal'
}

function retryAfterOf(error: unknown): number {
  return (error instanceof CallError ? retryAfterIn(error.data) : undefined) ?? RETRY_AFTER_MS
}

/** The particulars of a problem may say how long to wait, under this name. */
function retryAfterIn(data: unknown): number | undefined {
  const retryAfterMs = (data as { retryAfterMs?: unknown } | undefined)?.retryAfterMs
  return typeof retryAfterMs === 'number' ? retryAfterMs : undefined
}
