/** The typed client of a contract, the same wherever its service runs: copies what it sends and turns answers into values or errors. */
import { copyJson } from '../base/json.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { boundOperations } from '../contract/bound-operation.ts'
import { CallError } from '../contract/call-error.ts'
import type { Contract } from '../contract/contract.ts'
import type { CallOptions, Client, InfrastructureFailure, Result } from './call.ts'
import type { CallerOptions } from './caller.ts'
import { createCaller } from './caller.ts'
import type { CallResponse } from './link.ts'

interface Failure {
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly data: unknown
}

/** Makes the typed client of a contract. */
export function createClient<C extends Contract>(contract: C, options: CallerOptions): Client<C> {
  const client: Record<string, unknown> = {}
  for (const [name, operation] of boundOperations(contract)) {
    const caller = createCaller(operation, options)
    const attempt = async (input?: unknown, callOptions?: CallOptions): Promise<Result<unknown, Failure>> =>
      interpret(operation, await caller(copyJson(input), callOptions))
    const call = async (input?: unknown, callOptions?: CallOptions): Promise<unknown> => {
      const result = await attempt(input, callOptions)
      if (result.ok) return result.value
      throw new CallError(contract.name, name, result.error)
    }
    client[name] = Object.assign(call, { try: attempt })
  }
  return Object.freeze(client) as Client<C>
}

function interpret(operation: BoundOperation, response: CallResponse): Result<unknown, Failure> {
  if (response.ok) return { ok: true, value: response.output }
  const { code, status, detail, data, errors } = response.problem
  if (operation.operation.errors[code] !== undefined) return { ok: false, error: { code, status, detail, data: data ?? {} } }
  if (status === 504) return infrastructureFailure(operation, 'deadlineExceeded', response)
  if (status === 429 || code === 'overloaded') return infrastructureFailure(operation, 'overloaded', response)
  if (status >= 500) return infrastructureFailure(operation, 'unavailable', response)
  // What is left is a 4xx that the contract does not know: this code has broken the contract, and only its author can help.
  const issues = errors?.map((issue) => `${issue.path || 'the input'}: ${issue.message}`).join('; ')
  throw new CallError(operation.contract, operation.name, { code, status, detail: issues ?? detail, data: response.problem })
}

function infrastructureFailure(
  { contract, name }: BoundOperation,
  code: InfrastructureFailure['code'],
  { problem, reason, retryAfterMs }: CallResponse & { ok: false },
): { ok: false; error: InfrastructureFailure } {
  return {
    ok: false,
    error: {
      code,
      status: code === 'deadlineExceeded' ? 504 : 503,
      detail: `${problem.detail}: ${reason ?? `it answered ${problem.status}`}`,
      data: { service: contract, operation: name, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    },
  }
}
