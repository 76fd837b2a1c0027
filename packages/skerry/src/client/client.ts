/** The typed client of a contract, the same wherever its service runs: copies what it sends and turns answers into values or errors. */
import { copyJson } from '../base/json.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { boundOperations } from '../contract/bound-operation.ts'
import { CallError } from '../contract/call-error.ts'
import type { Contract } from '../contract/contract.ts'
import type { CallOptions, Client, Result } from './call.ts'
import type { CallerOptions } from './caller.ts'
import { createCaller } from './caller.ts'
import { infrastructureFailure } from './infrastructure-failure.ts'
import type { CallResponse } from './link.ts'
import type { Using } from './policies.ts'
import { callRules } from './rules.ts'

interface Failure {
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly data: unknown
}

export interface ClientOptions extends Omit<CallerOptions, 'rules'> {
  /** How it is called where that is not the usual way. */
  readonly using?: Using | undefined
}

/** Makes the typed client of a contract. */
export function createClient<C extends Contract>(contract: C, { using, ...options }: ClientOptions): Client<C> {
  const client: Record<string, unknown> = {}
  const rulesOf = using && callRules(using)
  for (const [name, operation] of boundOperations(contract)) {
    const caller = createCaller(operation, { ...options, rules: rulesOf?.(name) })
    const attempt = async (input?: unknown, callOptions?: CallOptions): Promise<Result<unknown, Failure>> =>
      interpret(operation, await caller(copyJson(input), callOptions))
    const call = async (input?: unknown, callOptions?: CallOptions): Promise<unknown> => {
      const result = interpret(operation, await caller(copyJson(input), callOptions))
      if (result.ok) return result.value
      throw new CallError(contract.name, name, result.error)
    }
    client[name] = Object.assign(call, { try: attempt })
  }
  return Object.freeze(client) as Client<C>
}

function interpret(operation: BoundOperation, response: CallResponse): Result<unknown, Failure> {
  if (response.ok)
    return response.degraded === undefined
      ? { ok: true, value: response.output }
      : { ok: true, value: response.output, degraded: response.degraded }
  const { code, status, detail, data, errors } = response.problem
  if (operation.operation.errors[code] !== undefined) return { ok: false, error: { code, status, detail, data: data ?? {} } }
  const failure = infrastructureFailure(operation, response)
  if (failure !== undefined) return { ok: false, error: failure }
  // What is left is a 4xx that the contract does not know: this code has broken the contract, and only its author can help.
  const issues = errors?.map((issue) => `${issue.path || 'the input'}: ${issue.message}`).join('; ')
  throw new CallError(operation.contract, operation.name, { code, status, detail: issues ?? detail, data: response.problem })
}
