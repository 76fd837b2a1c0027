/** How the span of a call ends. */
import { ERRORS } from '../base/errors.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import type { Operation } from '../contract/operation.ts'
import type { ProblemDetails } from '../contract/problem.ts'
import type { Span } from '../telemetry/span.ts'
import type { CallResponse } from './link.ts'

/** A 4xx is an answer, but the caller's failure: so OpenTelemetry has it for clients. */
export function ended(span: Span, { operation }: BoundOperation, response: CallResponse): CallResponse {
  if (response.ok) span.end()
  else span.end({ errorType: errorTypeOf(operation, response.problem), message: response.reason ?? response.problem.detail })
  return response
}

/** What the contract or the platform knows by its code; of all else only the status, for a stranger may put anything into a code. */
function errorTypeOf({ errors }: Operation, { code, status }: ProblemDetails): string {
  return Object.hasOwn(errors, code) || Object.hasOwn(ERRORS, code) ? code : `http${status}`
}
