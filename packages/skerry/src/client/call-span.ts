/** How the span of a call ends. */
import type { Span } from '../telemetry/span.ts'
import type { CallResponse } from './link.ts'

/** A 4xx is an answer, but the caller's failure: so OpenTelemetry has it for clients. */
export function ended(span: Span, response: CallResponse): CallResponse {
  if (response.ok) span.end()
  else span.end({ errorType: response.problem.code, message: response.reason ?? response.problem.detail })
  return response
}
