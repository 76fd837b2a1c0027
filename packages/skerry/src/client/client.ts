/**
 * The calling side. A client is made from a contract and a link and is the same wherever the service runs: it copies the
 * input, limits the call by its deadline, asks the circuit breaker, sends, and turns the answer into a value or an error.
 */
import type { Clock } from '../base/clock.ts'
import { milliseconds } from '../base/duration.ts'
import { SkerryError } from '../base/errors.ts'
import { copyJson } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { boundOperations } from '../contract/bound-operation.ts'
import { CallError } from '../contract/call-error.ts'
import type { Contract } from '../contract/contract.ts'
import { currentScope } from '../telemetry/scope.ts'
import { childTrace } from '../telemetry/trace-context.ts'
import type { Breaker } from './breaker.ts'
import { createBreaker } from './breaker.ts'
import type { CallOptions, Client, InfrastructureFailure, Result } from './call.ts'
import type { CallResponse, Link } from './link.ts'

export interface ClientOptions {
  readonly link: Link
  readonly clock: Clock
  readonly random: Random
}

interface Failure {
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly data: unknown
}

/** Makes the typed client of a contract. Each operation has a circuit breaker of its own. */
export function createClient<C extends Contract>(contract: C, options: ClientOptions): Client<C> {
  const client: Record<string, unknown> = {}
  for (const [name, operation] of boundOperations(contract)) {
    const breaker = createBreaker(options.clock)
    const plain = async (input?: unknown, callOptions?: CallOptions): Promise<unknown> => {
      const result = await call(operation, breaker, options, input, callOptions)
      if (result.ok) return result.value
      throw new CallError(contract.name, name, result.error)
    }
    client[name] = Object.assign(plain, {
      try: (input?: unknown, callOptions?: CallOptions) => call(operation, breaker, options, input, callOptions),
    })
  }
  return Object.freeze(client) as Client<C>
}

async function call(
  operation: BoundOperation,
  breaker: Breaker,
  { link, clock, random }: ClientOptions,
  input: unknown,
  options: CallOptions | undefined,
): Promise<Result<unknown, Failure>> {
  const scope = currentScope()
  if (scope?.transaction !== undefined)
    throw new SkerryError(
      'callInTransaction',
      `${operation.fullName} was called inside a transaction: it would hold locks while it waits for the network. Call it before transaction(…) and use the answer inside, or after it.`,
    )
  const nowMs = clock.nowMs()
  const ownMs = options?.deadline === undefined ? operation.operation.deadlineMs : milliseconds(options.deadline)
  const deadlineAtMs = Math.min(nowMs + ownMs, scope?.deadlineAtMs ?? Infinity)
  const patient = deadlineAtMs - nowMs >= operation.operation.deadlineMs
  if (deadlineAtMs <= nowMs) return infrastructureFailure(operation, 'deadlineExceeded', 'the deadline had passed before the call')
  const admission = breaker.admit()
  if (!admission.admitted)
    return infrastructureFailure(operation, 'unavailable', 'its circuit breaker is open after repeated failures', admission.retryAfterMs)

  let abort: AbortController | undefined
  let response: CallResponse | 'deadline'
  try {
    const request = {
      operation,
      input: copyJson(input),
      trace: childTrace(scope?.trace, random),
      deadlineAtMs,
      idempotencyKey: options?.idempotencyKey,
      signal: () => (abort ??= new AbortController()).signal,
    }
    response = await beforeDeadline(clock, deadlineAtMs - nowMs, link.send(request))
  } catch (error) {
    if (!(error instanceof SkerryError)) {
      admission.report('ignored')
      throw error
    }
    admission.report(error.code === 'unavailable' ? 'failure' : 'ignored')
    if (error.code !== 'unavailable') throw error
    return infrastructureFailure(operation, 'unavailable', error.message)
  }
  if (response === 'deadline') {
    abort?.abort()
    // A caller in a hurry says nothing about the dependency; one that waited the operation's own time does.
    admission.report(patient ? 'failure' : 'ignored')
    return infrastructureFailure(operation, 'deadlineExceeded', `no answer within ${deadlineAtMs - nowMs} ms`)
  }
  admission.report(response.ok || response.problem.status < 500 ? 'success' : response.problem.status === 504 && !patient ? 'ignored' : 'failure')
  return interpret(operation, response)
}

function beforeDeadline(clock: Clock, remainingMs: number, answer: Promise<CallResponse>): Promise<CallResponse | 'deadline'> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(remainingMs, () => resolve('deadline'))
    answer.then(
      (response) => {
        timer.cancel()
        resolve(response)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error instanceof Error ? error : new Error(String(error)))
      },
    )
  })
}

function interpret(operation: BoundOperation, response: CallResponse): Result<unknown, Failure> {
  if (response.ok) return { ok: true, value: response.output }
  const { code, status, detail, data } = response.problem
  if (operation.operation.errors[code] !== undefined) return { ok: false, error: { code, status, detail, data: data ?? {} } }
  if (status === 504) return infrastructureFailure(operation, 'deadlineExceeded', detail)
  if (status === 429 || code === 'overloaded') return infrastructureFailure(operation, 'overloaded', detail, response.retryAfterMs)
  if (status >= 500) return infrastructureFailure(operation, 'unavailable', `it answered ${status} (${detail})`, response.retryAfterMs)
  // What is left is 4xx that the contract does not know: this code has broken the contract, and only its author can help.
  const issues = response.problem.errors?.map((issue) => `${issue.path || 'the input'}: ${issue.message}`).join('; ')
  throw new CallError(operation.contract, operation.name, { code, status, detail: issues === undefined ? detail : `${detail}: ${issues}`, data: response.problem })
}

function infrastructureFailure(
  { contract, name }: BoundOperation,
  code: InfrastructureFailure['code'],
  reason: string,
  retryAfterMs?: number,
): { ok: false; error: InfrastructureFailure } {
  const detail = code === 'deadlineExceeded' ? `${contract} did not answer in time: ${reason}` : `${contract} is unavailable: ${reason}`
  return {
    ok: false,
    error: {
      code,
      status: code === 'deadlineExceeded' ? 504 : 503,
      detail,
      data: { service: contract, operation: name, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    },
  }
}
