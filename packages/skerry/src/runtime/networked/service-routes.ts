/** The HTTP routes of one hosted service: its operations, all of them, its OpenAPI and its AsyncAPI document. For peers, not for the outside. */
import type { Clock } from '../../base/clock.ts'
import { asyncApi } from '../../contract/asyncapi.ts'
import { openApi } from '../../contract/openapi.ts'
import { deadlineProblem, platformProblem } from '../../contract/problem.ts'
import { documentRoute } from '../../http/document-route.ts'
import { operationRoute } from '../../http/operation-target.ts'
import type { Route } from '../../http/router.ts'
import type { HttpTarget } from '../../http/server.ts'
import { beforeDeadline } from '../../resilience/deadline.ts'
import type { HostedService } from '../../service/hosted-service.ts'
import type { CallRecord } from '../../telemetry/account.ts'
import { traceOf } from '../../telemetry/propagation.ts'

export function serviceRoutes(service: HostedService, clock: Clock): readonly Route<HttpTarget>[] {
  const routes = [...service.operations.values()].map((bound) =>
    // Without async: what that would keep for its await is a tenth of all that a call leaves behind.
    operationRoute(bound, (input, { headers, remainingMs: saidMs = bound.operation.deadlineMs, waitedMs, signal }) => {
      const remainingMs = saidMs - waitedMs
      if (remainingMs <= 0) return Promise.resolve(DEADLINE_HAD_PASSED)
      const { 'idempotency-key': key, 'user-agent': userAgent } = headers
      const deadlineAtMs = clock.nowMs() + remainingMs
      const expiry = new Expiry()
      const record: Pick<CallRecord, 'inside'> = {}
      const answer = service.answer({
        operation: bound,
        input,
        trace: traceOf(headers),
        deadlineAtMs,
        record,
        idempotencyKey: typeof key === 'string' ? key : undefined,
        userAgent,
        signal: () => AbortSignal.any([signal(), expiry.signal]),
      })
      return beforeDeadline(clock, deadlineAtMs, answer).then((answered) => {
        if (answered !== undefined) return answered
        expiry.abort()
        return { ok: false, problem: deadlineProblem(`${bound.fullName} was not done in time`, record.inside?.account?.timing() ?? []) }
      })
    }),
  )
  const received = service.eventHandlers.map(({ event }) => event)
  return [
    ...routes,
    documentRoute('/openapi.json', () => openApi(service.contract)),
    documentRoute('/asyncapi.json', () => asyncApi(service.contract, received)),
  ]
}

const DEADLINE_HAD_PASSED = {
  ok: false,
  problem: platformProblem('deadlineExceeded', 'The deadline had passed when the request arrived'),
} as const

/** Aborts when the deadline has passed. Few handlers ask for a signal, so it is made only when one does. */
class Expiry {
  #controller: AbortController | undefined

  get signal(): AbortSignal {
    return (this.#controller ??= new AbortController()).signal
  }

  abort(): void {
    this.#controller?.abort()
  }
}
