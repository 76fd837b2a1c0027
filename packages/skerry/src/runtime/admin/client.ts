/** A typed client of the admin API: of a host that runs, over HTTP, or of databases that this process has open itself. */
import type { Clock } from '../../base/clock.ts'
import { systemClock } from '../../base/clock.ts'
import { idSource } from '../../base/id.ts'
import type { Random } from '../../base/random.ts'
import { systemRandom } from '../../base/random.ts'
import type { Client } from '../../client/call.ts'
import { createClient } from '../../client/client.ts'
import { dependencyOn } from '../../client/dependency.ts'
import type { Link } from '../../client/link.ts'
import type { Contract } from '../../contract/contract.ts'
import { httpLink } from '../../http/http-link.ts'
import type { Log } from '../../telemetry/log.ts'
import { inProcessLink } from '../in-process/link.ts'
import { userAgentOf } from '../own-user-agent.ts'
import { admin } from './contract.ts'
import { hostAdmin } from './service.ts'
import type { AdminTarget } from './targets.ts'
import type { AdminTelemetry } from './telemetry-service.ts'

export interface AdminClient extends AsyncDisposable {
  readonly call: Client<typeof admin>
}

/** Of the host whose admin API listens at `url`. */
export function remoteAdmin(url: string, clock: Clock = systemClock): AdminClient {
  const link = httpLink({ baseUrl: url, clock })
  return { call: clientOver(link, clock, systemRandom), [Symbol.asyncDispose]: () => link.close() }
}

/** Of the services whose databases are given, which whoever opened them closes, of those that have none, and of the telemetry that is given. */
export function localAdmin(
  targets: readonly AdminTarget[],
  withoutDatabase: readonly Contract[],
  log: Log,
  telemetry?: AdminTelemetry,
): AdminClient {
  const clock = systemClock
  const random = systemRandom
  const hosted = hostAdmin({ targets, withoutDatabase, telemetry, clock, random, newId: idSource(clock, random), log })
  const link = inProcessLink(() => hosted)
  return { call: clientOver(link, clock, random), [Symbol.asyncDispose]: async () => {} }
}

function clientOver(link: Link, clock: Clock, random: Random): Client<typeof admin> {
  return createClient(admin, { dependency: dependencyOn(link, { clock, random }), clock, random, userAgent: userAgentOf() })
}
