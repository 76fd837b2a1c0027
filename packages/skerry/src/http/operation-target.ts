/** An operation as an HTTP target: the request becomes its input, its answer a response. Used by service listeners and by the gateway. */
import type { CallResponse } from '../client/link.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { deprecationHeaders } from '../contract/deprecation.ts'
import { writeDegraded } from './degraded-header.ts'
import type { Route } from './router.ts'
import type { HttpRequest, HttpResponse, HttpTarget } from './server.ts'
import { problemResponse } from './server.ts'

/** Answers a decoded but unvalidated input. Never rejects. */
export type Answer = (input: unknown, request: HttpRequest) => Promise<CallResponse>

export function operationRoute(bound: BoundOperation, answer: Answer): Route<HttpTarget> {
  const { http, operation } = bound
  const headers = operation.deprecated && deprecationHeaders(operation.deprecated)
  return {
    method: operation.method,
    path: operation.path,
    target: {
      takesBody: http.hasBody,
      priority: operation.priority,
      deadlineMs: operation.deadlineMs,
      handle: (request) =>
        answer(http.decode(request.parameters, request.query, request.body), request).then((response) => {
          const answered = responseOf(operation.status, response)
          return headers === undefined ? answered : { ...answered, headers: { ...answered.headers, ...headers } }
        }),
    },
  }
}

function responseOf(status: number, response: CallResponse): HttpResponse {
  if (!response.ok) return problemResponse(response.problem, response.retryAfterMs)
  const { output: body, degraded } = response
  return degraded === undefined ? { status, body } : { status, body, headers: writeDegraded(degraded) }
}
