/**
 * The way of `skerry events`, `skerry sagas` and `skerry contract callers` to a system: through the admin API of a host that runs, or
 * straight to the databases that the environment names. Both are called through one contract.
 */
import type { AdminClient, AdminTarget, Databases, Selection } from 'skerry/runtime'
import { enginesFor } from '../engines.ts'
import { CommandError, EXIT, isSkerryError } from '../failure.ts'
import { keepAlive } from '../keep-alive.ts'
import { selectServices } from '../run-host.ts'
import type { LoadedSystem } from '../system-file.ts'
import { loadSystem } from '../system-file.ts'

export interface AdminOptions {
  readonly system?: string
  readonly service?: string
  readonly json?: boolean
  readonly verbose?: boolean
}

export type Call = AdminClient['call']

const START_WITH_PORT =
  'Start that host with ADMIN_PORT, such as ADMIN_PORT=9090, and give this command the same ADMIN_PORT, or ADMIN_URL=http://127.0.0.1:9090.'

/** The same, but only through the admin API of a host that runs: what is asked for is in its process. */
export async function withRunningHost(options: AdminOptions, work: (call: Call) => Promise<void>): Promise<void> {
  keepAlive()
  const loaded = await loadSystem(options.system)
  const port = process.env['ADMIN_PORT']
  const url = addressIn(process.env['ADMIN_URL']) ?? (port === undefined || port === '' ? undefined : `http://127.0.0.1:${port}`)
  if (url === undefined)
    throw new CommandError(EXIT.configuration, 'Neither ADMIN_URL nor ADMIN_PORT says where the host is.', START_WITH_PORT)
  await using opened = await remote(loaded, url)
  try {
    await work(opened.call)
  } catch (error) {
    throw explained(error, opened.place)
  }
}

/** Gives `work` the way there is, and closes what was opened for it. */
export async function withAdmin(options: AdminOptions, work: (call: Call, clock: { now(): Date }) => Promise<void>): Promise<void> {
  keepAlive()
  const loaded = await loadSystem(options.system)
  await using opened = await open(loaded, options)
  try {
    await work(opened.call, loaded.platform.systemClock)
  } catch (error) {
    throw explained(error, opened.place)
  }
}

export interface Opened extends AsyncDisposable {
  readonly call: Call
  /** For messages. */
  readonly place: string
}

async function open(loaded: LoadedSystem, { service }: AdminOptions): Promise<Opened> {
  const { platform } = loaded
  const selection = selectServices(loaded, service === undefined ? [] : [service])
  if (selection.services.length === 0)
    throw new CommandError(EXIT.usage, 'The gateway has no database.', 'Name a service, or none for all.')
  const url = addressIn(process.env['ADMIN_URL'])
  if (url !== undefined) return remote(loaded, url)
  const configuration = platform.readDatabaseConfiguration(selection, process.env)
  const isEmbedded = [...configuration.databases.values()].some((database) => database.url === undefined)
  const port = process.env['ADMIN_PORT']
  if (isEmbedded && port !== undefined && port !== '') {
    const host = await remote(loaded, `http://127.0.0.1:${port}`)
    const answer = await host.call.listDeadLetters.try({ limit: 1 })
    if (answer.ok) return host
    await host[Symbol.asyncDispose]()
  }
  if (isEmbedded && configuration.dataDirectory === undefined)
    throw new CommandError(
      EXIT.failed,
      'SKERRY_DATA is "memory": the data is in the process of the running host and nowhere else.',
      START_WITH_PORT,
    )
  const databases = await platform
    .openDatabases({
      configuration,
      factory: enginesFor(loaded.path, configuration).database,
      clock: platform.systemClock,
      onProgress: undefined,
      signal: undefined,
    })
    .catch((error: unknown) => {
      if (isEmbedded && isSkerryError(error) && error.code === 'databaseUnavailable')
        throw new CommandError(
          EXIT.failed,
          `${error.message}. An embedded database belongs to one process at a time, and a host that runs is its process.`,
          `${START_WITH_PORT} Or stop the host first.`,
        )
      throw error
    })
  try {
    return await local(loaded, selection.services, databases)
  } catch (error) {
    await databases.close()
    throw error
  }
}

export async function remote({ platform }: LoadedSystem, url: string): Promise<Opened> {
  const client = platform.remoteAdmin(url)
  return { call: client.call, place: url, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() }
}

async function local({ platform, system }: LoadedSystem, services: Selection['services'], databases: Databases): Promise<Opened> {
  const topics = new Map(platform.consumersOf(system).map((consumer) => [consumer.name, consumer.topics]))
  const targets: AdminTarget[] = []
  const withoutDatabase: AdminTarget['contract'][] = []
  for (const { contract } of services) {
    const service = contract.name
    const opened = databases.of(service)
    if (opened === undefined) {
      withoutDatabase.push(contract)
      continue
    }
    await refuseOutdated(service, opened.database)
    const sagas = platform.sagaVersionsOf(system, service)
    targets.push({ service, contract, database: opened.database, topics: topics.get(service) ?? [], sagas, wake: () => {} })
  }
  // What a command does is what it prints; the causes of failures are only here.
  const client = platform.localAdmin(targets, withoutDatabase, platform.createLog({ level: 'error', destination: process.stderr }))
  return {
    call: client.call,
    place: 'the databases',
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      await databases.close()
    },
  }
}

const UNDEFINED_TABLE = '42P01'

async function refuseOutdated(service: string, database: AdminTarget['database']): Promise<void> {
  try {
    await database.query('select from skerry_dead_letter_audit, skerry_saga_intervention, skerry_deprecated_call limit 0')
  } catch (error) {
    if ((error as { sqlState?: string }).sqlState !== UNDEFINED_TABLE) throw error
    throw new CommandError(
      EXIT.failed,
      `The database of "${service}" has not been brought up to date for this version.`,
      `Run skerry migrate ${service}, or start a host with it, which does the same.`,
    )
  }
}

/** The URL that a variable names. */
export function addressIn(url: string | undefined): string | undefined {
  if (url === undefined || url === '') return undefined
  if (URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol)) return url
  throw new CommandError(
    EXIT.configuration,
    'ADMIN_URL is not a URL that begins with http:// or https://.',
    'Correct ADMIN_URL, or remove it.',
  )
}

/** What to tell of a call that failed. By its shape: the platform may be another copy. */
export function explained(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error.name !== 'CallError' || !('code' in error)) return error
  if (error.code === 'unavailable')
    return new CommandError(
      EXIT.failed,
      `${place} could not answer: ${error.message}.`,
      'See that it runs and is reachable, then try again.',
    )
  if (error.code === 'serviceNotFound')
    return new CommandError(
      EXIT.failed,
      `The host at ${place} does not run this service, or it has no database.`,
      'Ask the host that runs it: ADMIN_URL names it.',
    )
  return new CommandError(EXIT.failed, error.message, insteadOf(error) ?? HELP[String(error.code)] ?? 'See skerry help.')
}

/** What a refusal says can be done instead. */
function insteadOf(error: object): string | undefined {
  const data: unknown = 'data' in error ? error.data : undefined
  if (typeof data === 'object' && data !== null && 'known' in data && Array.isArray(data.known)) return `It has: ${data.known.join(', ')}.`
  return typeof data === 'object' && data !== null && 'instead' in data ? String(data.instead) : undefined
}

const HELP: Readonly<Record<string, string>> = {
  faultsRefused: 'Start it with SKERRY_FAULTS=on if you mean it.',
  faultNotFound: 'List those there are with skerry faults list.',
  tooManyFaults: 'End some with skerry faults remove.',
  deadLetterNotFound:
    'List those there are with skerry events dead list. Somebody else may have been faster: see skerry events dead audit.',
  passed: 'Discard it; or, when its order does not matter, replay it with --out-of-order.',
  telemetryOff: 'Start the host without SKERRY_TELEMETRY=off.',
  traceAmbiguous: 'Give more of its digits.',
  traceNotFound: 'List those there are with skerry traces. Only the latest are kept.',
  sagaNotFound: 'List those there are with skerry sagas list. What has ended is forgotten after 30 days.',
  notItsTurn: 'Replay or discard the earlier ones of its key first, or let them be handled.',
}
