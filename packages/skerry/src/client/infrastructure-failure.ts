/** Which answers are none: what the calling code is told as a failure of the way there, however it looked on the wire. */
import type { BoundOperation } from '../contract/bound-operation.ts'
import type { InfrastructureFailure } from './call.ts'
import type { CallResponse } from './link.ts'

/** Undefined when it is an answer: a problem that the contract declares, or a refusal of what was sent. */
export function infrastructureFailure(
  { contract, name, operation }: BoundOperation,
  { problem, reason, retryAfterMs }: CallResponse & { ok: false },
): InfrastructureFailure | undefined {
  const code = operation.errors[problem.code] === undefined ? codeOf(problem.status, problem.code) : undefined
  if (code === undefined) return undefined
  const { timing } = problem
  return {
    code,
    status: code === 'deadlineExceeded' ? 504 : 503,
    detail: `${problem.detail}: ${reason ?? `it answered ${problem.status}`}`,
    data: {
      service: contract,
      operation: name,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(timing === undefined ? {} : { timing }),
    },
  }
}

function codeOf(status: number, code: string): InfrastructureFailure['code'] | undefined {
  if (status === 504) return 'deadlineExceeded'
  if (status === 429 || code === 'overloaded') return 'overloaded'
  return status >= 500 ? 'unavailable' : undefined
}
