/**
 * What the outside is told of an answer: which operations a service asks in turn, and how long they took, is nobody's business there. It stays in
 * the span and in the log of the gateway, and at the doors of the services.
 */
import type { CallResponse } from '../client/link.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import type { Degradation } from '../contract/degradation.ts'
import { deadlineProblem } from '../contract/problem.ts'

/** What the gateway knows of the work. */
export interface AtTheGateway {
  readonly asked: BoundOperation
  /** By which the account can be found that is kept inside. */
  readonly traceId: string
  /** Whether the outside may call the operation of that name, and so knows it. */
  readonly isPublic: (operation: string) => boolean
}

export function outward(response: CallResponse, { asked, traceId, isPublic }: AtTheGateway): CallResponse {
  if (response.ok)
    return response.degraded === undefined ? response : { ...response, degraded: renamed(asked, response.degraded, isPublic) }
  const { timing, ...problem } = response.problem
  if (problem.code === 'deadlineExceeded' && asked.operation.errors['deadlineExceeded'] === undefined)
    return {
      ...response,
      problem: deadlineProblem(`${asked.fullName} did not answer in time`, [], { traceId: problem.traceId ?? traceId }),
    }
  return timing === undefined ? response : { ...response, problem }
}

/** What is inside is said as if the operation that was asked had it missing. That something is must not be kept back. */
function renamed(
  { fullName }: BoundOperation,
  degraded: readonly Degradation[],
  isPublic: (operation: string) => boolean,
): readonly Degradation[] {
  const told = new Map<string, Degradation>()
  for (const one of degraded) {
    const operation = isPublic(one.operation) ? one.operation : fullName
    if (!told.has(operation)) told.set(operation, { ...one, operation })
  }
  return [...told.values()]
}
