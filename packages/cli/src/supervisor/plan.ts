/** What `skerry start --each` is going to run: which services, with which environment, and what is in the way. Nothing has been started. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CommandError, EXIT, isSkerryError } from '../failure.ts'
import { selectServices } from '../run-host.ts'
import type { LoadedSystem } from '../system-file.ts'
import { instanceCounts } from './each-options.ts'

export interface Plan {
  /** In the order in which they are started; the gateway comes last. */
  readonly services: ReadonlyMap<string, number>
  /** Those with an embedded database, which one process has at a time. */
  readonly exclusive: ReadonlySet<string>
  /** Where the gateway is to be reached; undefined without one. */
  readonly entrance: { readonly host: string; readonly port: number } | undefined
  readonly environmentOf: (service: string) => NodeJS.ProcessEnv
}

export interface PlanOptions {
  readonly loaded: LoadedSystem
  readonly names: readonly string[]
  /** `orders=3` */
  readonly instances: readonly string[]
  readonly environment: NodeJS.ProcessEnv
  readonly directory: string
}

/** Reads the configuration of every process. Throws one error that lists every mistake. */
export async function planEach({ loaded, names, instances, environment, directory }: PlanOptions): Promise<Plan> {
  const { platform, system } = loaded
  const selection = selectServices(loaded, names)
  const running = [...selection.services.map(({ contract }) => contract.name), ...(selection.gateway ? [platform.GATEWAY] : [])]
  const counts = instanceCounts(instances, running)
  const prefixes = running.map((name) => platform.variablePrefix(name))
  const environmentOf = (service: string): NodeJS.ProcessEnv => ({
    REGISTRY_URL: pathToFileURL(join(directory, 'registry')).href,
    // What they do for each other is one trace, and is looked for in one place.
    ...(environment['SKERRY_DATA'] === 'memory' ? {} : { SKERRY_TELEMETRY: join(directory, platform.RECENT_FILE) }),
    ...environment,
    // Of these each process has its own; where the others are it finds in the registry.
    PORT: '0',
    // Those of a port that is named would be in each other's way.
    ADMIN_PORT: (environment['ADMIN_PORT'] ?? '') === '' ? '' : '0',
    ...Object.fromEntries(
      prefixes.flatMap((prefix) => [`${prefix}_PORT`, `${prefix}_URL`, `${prefix}_ADVERTISE_URL`].map((name) => [name, ''])),
    ),
    ...(environment['SKERRY_DATA'] === 'memory' ? {} : { SKERRY_DATA: join(directory, 'services', service) }),
  })

  const mistakes = new Set<string>()
  const exclusive = new Set<string>()
  let entrance: Plan['entrance']
  for (const name of running) {
    const mine = platform.select(system, [name])
    const configuration = await platform.readConfiguration(system, mine, environmentOf(name)).catch((error: unknown) => {
      if (!isSkerryError(error) || error.code !== 'configurationInvalid') throw error
      for (const line of error.message.split('\n').slice(1)) mistakes.add(line)
    })
    if (configuration === undefined) continue
    if ([...configuration.databases.values()].some(({ url }) => url === undefined)) exclusive.add(name)
    if (name === platform.GATEWAY) {
      const { host, gatewayPort } = await platform.readConfiguration(system, mine, { ...environmentOf(name), PORT: environment['PORT'] })
      entrance = { host, port: gatewayPort! }
    }
  }
  if (mistakes.size > 0)
    throw new CommandError(EXIT.configuration, `The configuration has mistakes:\n${[...mistakes].join('\n')}`, 'Correct each of them.')
  const services = new Map(running.map((name) => [name, counts.get(name) ?? 1]))
  refuseSharing(services, exclusive, platform.variablePrefix)
  return { services, exclusive, entrance, environmentOf }
}

/** Throws when several instances were to have one embedded database. */
export function refuseSharing(
  counts: ReadonlyMap<string, number>,
  exclusive: ReadonlySet<string>,
  variablePrefix: (name: string) => string,
): void {
  const shared = [...counts].filter(([service, count]) => count > 1 && exclusive.has(service)).map(([service]) => service)
  if (shared.length === 0) return
  throw new CommandError(
    EXIT.configuration,
    `${shared.join(' and ')} cannot have several instances: an embedded database belongs to one process.`,
    `Set ${shared.map((service) => `${variablePrefix(service)}_DATABASE_URL`).join(' and ')}, or DATABASE_URL, to a PostgreSQL server.`,
  )
}
