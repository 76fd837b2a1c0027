/**
 * The gateway: one address for every operation that a contract marks public. Routes come from the contracts; each call goes
 * through the same policies as any other, so a service that is down is a 503 at once, and nothing else suffers.
 */
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { CallOptions } from '../client/call.ts'
import type { CallerOptions } from '../client/caller.ts'
import { createCaller } from '../client/caller.ts'
import type { Dependency } from '../client/dependency.ts'
import type { CallResponse } from '../client/link.ts'
import type { Using } from '../client/policies.ts'
import { callRules } from '../client/rules.ts'
import { MAX_USER_AGENT_LENGTH } from '../client/user-agent.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { boundOperations } from '../contract/bound-operation.ts'
import type { Contract } from '../contract/contract.ts'
import { mergeOpenApi } from '../contract/openapi.ts'
import { documentRoute } from '../http/document-route.ts'
import { operationRoute } from '../http/operation-target.ts'
import type { Route } from '../http/router.ts'
import type { HttpTarget } from '../http/server.ts'
import type { RetryPolicy } from '../resilience/retry.ts'
import { servingOf } from '../telemetry/conventions.ts'
import type { Log } from '../telemetry/log.ts'
import { traceOf } from '../telemetry/propagation.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { outward } from './outward.ts'

export interface GatewayOptions {
  /** The largest request body. Default: 1 048 576. */
  readonly maxBodyBytes?: number
  /** How it calls services that it calls in a way of its own, such as with fallbacks. */
  readonly using?: readonly Using[]
}

/** A gateway as part of a system's definition. */
export interface Gateway {
  readonly kind: 'gateway'
  readonly maxBodyBytes: number
  readonly using: readonly Using[]
}

/** Gives a system a gateway over the public operations of its services. */
export function gateway({ maxBodyBytes = 1_048_576, using = [] }: GatewayOptions = {}): Gateway {
  if (!Number.isInteger(maxBodyBytes) || maxBodyBytes < 1)
    throw new SkerryError('systemInvalid', `gateway: maxBodyBytes must be a whole number from 1, not ${maxBodyBytes}`)
  const names = using.map(({ contract }) => contract.name)
  const repeated = names.filter((name, index) => names.indexOf(name) !== index)
  if (repeated.length > 0) throw new SkerryError('systemInvalid', `gateway: using names ${repeated.join(', ')} twice: say all of it in one`)
  return Object.freeze({ kind: 'gateway', maxBodyBytes, using: Object.freeze([...using]) })
}

export interface GatewayRoutesOptions {
  /** The system's name: the title of the merged API document. */
  readonly title: string
  readonly contracts: readonly Contract[]
  readonly dependencyOn: (contract: Contract) => Dependency
  readonly clock: Clock
  readonly random: Random
  readonly retry?: RetryPolicy | undefined
  readonly using?: readonly Using[]
  readonly onEvent?: CallerOptions['onEvent']
  readonly log: Log
  readonly telemetry: Telemetry
}

/** The routes of a gateway. Throws `systemInvalid` when two contracts claim one public route. */
export function gatewayRoutes({
  title,
  contracts,
  dependencyOn,
  clock,
  random,
  retry,
  using = [],
  onEvent,
  log,
  telemetry,
}: GatewayRoutesOptions): readonly Route<HttpTarget>[] {
  const rulesOf = new Map(using.map((each) => [each.contract.name, callRules(each)]))
  const offered = publicOperations(contracts)
  const names = new Set(offered.map(({ bound }) => bound.fullName))
  const isPublic = (operation: string): boolean => names.has(operation)
  const routes = offered.map(({ contract, bound }) => {
    const rules = rulesOf.get(contract.name)?.(bound.name)
    const caller = createCaller(bound, { dependency: dependencyOn(contract), clock, random, retry, rules, telemetry, onEvent })
    const start = telemetry.work(servingOf(bound.operation.method, bound.operation.path))
    return operationRoute(bound, async (input, { headers, waitedMs }) => {
      const idempotencyKey = headers['idempotency-key']
      // What a client outside says about deadlines is not trusted: the operation's own applies.
      const options: CallOptions = {
        ...(typeof idempotencyKey === 'string' ? { idempotencyKey } : {}),
        ...(waitedMs > 0
          ? { deadline: `${Math.max(1, Math.round((rules?.deadlineMs ?? bound.operation.deadlineMs) - waitedMs))}ms` as const }
          : {}),
      }
      // Whoever calls is the client and not the gateway.
      const userAgent = headers['user-agent']?.slice(0, MAX_USER_AGENT_LENGTH)
      const span = start(traceOf(headers))
      let response: CallResponse
      try {
        response = await caller(input, options, { trace: span, userAgent })
      } catch (error) {
        span.set('http.response.status_code', 500)
        span.end({ errorType: 'internal' })
        throw error
      }
      const status = response.ok ? bound.operation.status : response.problem.status
      span.set('http.response.status_code', status)
      if (response.ok) span.end()
      else span.end({ errorType: response.problem.code, failed: status >= 500, message: response.problem.detail })
      if (!response.ok) {
        const { reason, problem } = response
        const facts = { operation: bound.fullName, reason, traceId: span.traceId }
        if (problem.timing !== undefined) log.warn(problem.detail, facts)
        else if (reason !== undefined) log.warn(`${bound.fullName} could not be reached`, facts)
      }
      return outward(response, { asked: bound, traceId: span.traceId, isPublic })
    })
  })
  return [...routes, documentRoute('/openapi.json', () => mergeOpenApi(title, contracts, { publicOnly: true }))]
}

/** What contracts offer to the outside, whichever gateway does it. Throws `systemInvalid` with every route that two of them claim. */
export function publicOperations(
  contracts: readonly Contract[],
): readonly { readonly contract: Contract; readonly bound: BoundOperation }[] {
  const owners = new Map<string, string>()
  const mistakes: string[] = []
  const offered = contracts.flatMap((contract) =>
    [...boundOperations(contract).values()]
      .filter(({ operation }) => operation.public)
      .map((bound) => {
        const { operation, fullName } = bound
        const route = `${operation.method} ${operation.path.replaceAll(/\{[^}]*\}/g, '{}')}`
        const owner = owners.get(route)
        if (owner === undefined) owners.set(route, fullName)
        else
          mistakes.push(
            `${owner} and ${fullName} are both public at ${operation.method} ${operation.path}: change one path, or make one not public`,
          )
        return { contract, bound }
      }),
  )
  if (mistakes.length > 0) throw new SkerryError('systemInvalid', mistakes.join('\n'))
  return offered
}
