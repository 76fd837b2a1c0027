/**
 * Health over HTTP: `/health` (the process serves), `/health/live` (the same, under the name that orchestrators use) and
 * `/health/ready` (it should be sent work), which names what is missing. A broker that is down does not make a host unready: orders are still
 * taken, the outbox holds their events, and the answer says `degraded`.
 */
import { platformProblem } from '../contract/problem.ts'
import type { Route } from '../http/router.ts'
import type { HttpResponse, HttpTarget } from '../http/server.ts'
import { problemResponse } from '../http/server.ts'

export type CheckResult = { readonly status: 'up' } | { readonly status: 'down'; readonly reason: string }

export interface HealthCheck {
  /** `database:orders`, `broker` */
  readonly name: string
  /** Whether the host can work at all without it. */
  readonly required: boolean
  check(): Promise<CheckResult>
}

export interface Health {
  /** True from the end of the start to the beginning of the stop. */
  readonly ready: () => boolean
  readonly checks: readonly HealthCheck[]
}

export function healthRoutes(health: Health): readonly Route<HttpTarget>[] {
  const alive = async (): Promise<HttpResponse> => ({ status: 200, body: { status: 'healthy' } })
  return [
    { method: 'GET', path: '/health', target: { takesBody: false, handle: alive } },
    { method: 'GET', path: '/health/live', target: { takesBody: false, handle: alive } },
    { method: 'GET', path: '/health/ready', target: { takesBody: false, handle: () => readiness(health) } },
  ]
}

async function readiness({ ready, checks }: Health): Promise<HttpResponse> {
  const results = await Promise.all(checks.map(async (check) => ({ check, result: await check.check() })))
  const named = Object.fromEntries(results.map(({ check, result }) => [check.name, result]))
  if (!ready()) return problemResponse(platformProblem('stopping', 'This host is starting or stopping', { data: { checks: named } }))
  const missing = results.filter(({ check, result }) => check.required && result.status === 'down').map(({ check }) => check.name)
  if (missing.length > 0)
    return problemResponse(
      platformProblem('unavailable', `Not ready: ${missing.join(', ')} cannot be reached`, { data: { checks: named } }),
    )
  const degraded = results.some(({ result }) => result.status === 'down')
  return { status: 200, body: { status: degraded ? 'degraded' : 'ready', checks: named } }
}
