/** `skerry projections`: how far the read models of services are, building one anew, and leaving out an event that stops one. */
import type { OpenDatabase, ProjectionAdministration, ProjectionStatus, Selection } from 'skerry/runtime'
import { enginesFor } from './engines.ts'
import { CommandError, EXIT } from './failure.ts'
import { keepAlive } from './keep-alive.ts'
import { selectServices } from './run-host.ts'
import type { LoadedSystem } from './system-file.ts'
import { loadSystem } from './system-file.ts'

export interface ProjectionsOptions {
  readonly system?: string
  readonly json?: boolean
  readonly verbose?: boolean
}

export interface SkipOptions extends ProjectionsOptions {
  readonly reason: string
}

type Service = Selection['services'][number]

/** Prints where the projections of these services are. */
export async function listProjections(names: readonly string[], options: ProjectionsOptions): Promise<void> {
  await withServices(names, options, async (opened) => {
    const statuses: (ProjectionStatus & { readonly service: string })[] = []
    for (const { service, projections } of opened)
      for (const projection of service.projections)
        for (const status of await projections.status(projection)) statuses.push({ service: service.contract.name, ...status })
    if (options.json === true) return say(JSON.stringify({ event: 'projections', projections: statuses }))
    if (statuses.length === 0) return say('No service here has built a projection.')
    for (const status of statuses) say(describe(status))
  })
}

/** Begins to build a projection anew. Hosts do the building. */
export async function rebuildProjection(serviceName: string, name: string, options: ProjectionsOptions): Promise<void> {
  await withProjection(serviceName, name, options, async ({ projections, projection }) => {
    const generation = await projections.rebuild(projection)
    if (options.json === true) return say(JSON.stringify({ event: 'rebuilding', service: serviceName, name, generation }))
    say(`${serviceName}: ${name} is built anew as generation ${generation}; the one before answers until it has caught up`)
  })
}

/** Leaves the event out that has stopped a projection, for a reason that is kept. */
export async function skipEvent(serviceName: string, name: string, position: string, options: SkipOptions): Promise<void> {
  if (!/^[1-9]\d{0,14}$/.test(position))
    throw new CommandError(
      EXIT.usage,
      `"${position}" is no position.`,
      'Give the position at which it stopped: see skerry projections list.',
    )
  await withProjection(serviceName, name, options, async ({ projections, projection }) => {
    await projections.skip(projection, Number(position), options.reason)
    if (options.json === true) return say(JSON.stringify({ event: 'skipped', service: serviceName, name, position: Number(position) }))
    say(`${serviceName}: ${name} leaves out the event at ${position} and goes on`)
  })
}

interface Opened {
  readonly service: Service
  readonly projections: ProjectionAdministration
}

async function withProjection(
  serviceName: string,
  name: string,
  options: ProjectionsOptions,
  work: (found: Opened & { readonly projection: Service['projections'][number] }) => Promise<void>,
): Promise<void> {
  await withServices([serviceName], options, async (opened) => {
    const known = opened.flatMap(({ service }) => service.projections)
    const projection = known.find((one) => one.name === name)
    if (opened[0] === undefined || projection === undefined)
      throw new CommandError(
        EXIT.usage,
        `The service "${serviceName}" has no projection named "${name}".`,
        known.length === 0 ? 'It has none.' : `Use one of: ${known.map((one) => one.name).join(', ')}.`,
      )
    await work({ ...opened[0], projection })
  })
}

async function withServices(
  names: readonly string[],
  options: ProjectionsOptions,
  work: (opened: readonly Opened[]) => Promise<void>,
): Promise<void> {
  keepAlive()
  const loaded = await loadSystem(options.system)
  const { platform } = loaded
  const selection = selectServices(loaded, names)
  const configuration = platform.readDatabaseConfiguration(selection, process.env)
  const databases = await platform.openDatabases({
    configuration,
    factory: enginesFor(loaded.path, configuration).database,
    clock: platform.systemClock,
    onProgress: (step) => process.stderr.write(`${step}\n`),
    signal: undefined,
  })
  try {
    await work(
      selection.services.map((service) => ({ service, projections: administration(loaded, service, databases.of(service.contract.name)) })),
    )
  } catch (error) {
    if (error instanceof Error && 'sqlState' in error && error.sqlState === UNDEFINED_TABLE)
      throw new CommandError(EXIT.failed, 'The database has no event store yet.', 'Run skerry migrate, or start the service once.')
    throw error
  } finally {
    await databases.close()
  }
}

const UNDEFINED_TABLE = '42P01'

function administration({ platform }: LoadedSystem, service: Service, opened: OpenDatabase | undefined): ProjectionAdministration {
  return platform.projectionAccess({ projections: service.projections, database: opened?.database, clock: platform.systemClock })
}

function describe({
  service,
  name,
  generation,
  version,
  status,
  position,
  lag,
  failure,
}: ProjectionStatus & { readonly service: string }): string {
  const where = lag === 0 ? `has caught up at ${position}` : `is at ${position}, ${lag} behind`
  const trouble = failure === undefined ? '' : `, ${failure.stopped ? 'stopped' : 'failing'} at ${failure.position}: ${failure.error}`
  return `${service}: ${name} ${status} ${where} (version ${version}, generation ${generation})${trouble}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
