/**
 * What runs where: read from environment variables, checked as a whole, and given as one complete object. Names follow
 * the service's: `user-service` has USER_SERVICE_URL, USER_SERVICE_PORT and USER_SERVICE_DATABASE_URL.
 */
import { join } from 'node:path'
import { SkerryError } from '../base/errors.ts'
import type { Validation } from '../contract/schema.ts'
import { validate } from '../contract/schema.ts'
import type { DnsName } from '../discovery/dns-url.ts'
import { dnsNameOf } from '../discovery/dns-url.ts'
import type { RecentPlace } from '../recent/file.ts'
import { needsDatabase } from '../service/hosted-service.ts'
import type { Service } from '../service/service.ts'
import type { LogLevel } from '../telemetry/log.ts'
import { LOG_LEVELS } from '../telemetry/log.ts'
import type { SamplerName } from '../telemetry/sampler.ts'
import { SAMPLERS } from '../telemetry/sampler.ts'
import type { Selection, System } from './system.ts'
import { consumersOf } from './system.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface DatabaseConfiguration {
  /** `<SERVICE>_DATABASE_URL`, else DATABASE_URL; a service without either is embedded. */
  readonly databases: ReadonlyMap<string, { readonly url: string | undefined; readonly shared: boolean }>
  /** Where the embedded database keeps its files. SKERRY_DATA, default `.skerry`; `memory` keeps nothing. */
  readonly dataDirectory: string | undefined
}

export interface RecentConfiguration {
  /**
   * Where recent telemetry is kept; undefined: nowhere. SKERRY_TELEMETRY: a path, `memory` or `off`. Default: beside an embedded database, else in
   * memory.
   */
  readonly recent: RecentPlace | undefined
}

export interface HostConfiguration extends DatabaseConfiguration, RecentConfiguration {
  /** The interface to listen on. HOST, default 127.0.0.1. */
  readonly host: string
  /** The gateway's port. PORT, default 8080. */
  readonly gatewayPort: number | undefined
  /** The port of the admin API, which is off without one. ADMIN_PORT. */
  readonly adminPort: number | undefined
  /** The interface of the admin API: whoever reaches it may use it. ADMIN_HOST, default 127.0.0.1. */
  readonly adminHost: string
  /** The ports of services that listen. `<SERVICE>_PORT`; PORT when the host runs one service and no gateway. */
  readonly servicePorts: ReadonlyMap<string, number>
  /** Where services live that this host does not run. `<SERVICE>_URL`; what has none is looked for in the registry. */
  readonly peers: ReadonlyMap<string, PeerAddress>
  /** Where services are found, and where those of this host are registered. REGISTRY_URL. */
  readonly registryUrl: string | undefined
  /** Under which name or address others reach this host. ADVERTISE_HOST; default: where it listens. */
  readonly advertiseHost: string | undefined
  /** The same for one service, with scheme, port and path. `<SERVICE>_ADVERTISE_URL`. */
  readonly advertiseUrls: ReadonlyMap<string, string>
  /** Where this host is: instances of the same zone are called first. SKERRY_ZONE. */
  readonly zone: string | undefined
  /** BROKER_URL or RABBITMQ_URL; undefined is the embedded broker. */
  readonly brokerUrl: string | undefined
  /** How calls inside the host go, as a test that nothing leans on shared memory. SKERRY_WIRE: `http` or `fast`, else they cross no network. */
  readonly forceWire: 'http' | 'fast' | undefined
  /** Whether hosts speak the fast wire with each other where both can. SKERRY_FAST_WIRE, default `on`; `off` leaves plain HTTP. */
  readonly fastWire: boolean
  /**
   * How long a stopping host stays reachable so that others notice. SKERRY_DRAIN_MS, default 0; with a registry, through which they notice, up to
   * 5 000, and no longer than they need.
   */
  readonly drainMs: number
  /** Whether it stops sooner when nobody is connected any more. */
  readonly drainsEarly: boolean
  /** How long requests in progress may take when stopping. SKERRY_GRACE_MS, default 25 000. */
  readonly graceMs: number
  /** What is logged at all. LOG_LEVEL, default `info`. */
  readonly logLevel: LogLevel
  /** Which traces that begin here are recorded. OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG, default all. */
  readonly sampling: { readonly sampler: SamplerName; readonly ratio: number }
  /** Faults may be injected through the admin API. SKERRY_FAULTS, default `on`, but `off` with NODE_ENV=production. */
  readonly allowsFaults: boolean
  /** What each service's `config` schema made of the environment. */
  readonly serviceConfigurations: ReadonlyMap<string, unknown>
}

/** At these addresses, or wherever a DNS name says. */
export type PeerAddress = { readonly kind: 'urls'; readonly urls: readonly string[] } | { readonly kind: 'dns'; readonly name: DnsName }

const DEFAULT_PORT = 8080
/** Longer than clients keep connections that they do not use. */
const DISCOVERED_DRAIN_MS = 5_000
const REGISTRY_SCHEMES = ['file:', 'etcd:', 'etcds:', 'consul:', 'consuls:', 'kubernetes:']
const DATABASE_SCHEMES = ['postgres:', 'postgresql:']
const RABBITMQ_SCHEMES = ['amqp:', 'amqps:']
const BROKER_SCHEMES = [...RABBITMQ_SCHEMES, 'nats:', 'tls:', 'kafka:', 'kafkas:']

/** `user-service` → `USER_SERVICE` */
export function variablePrefix(name: string): string {
  return name.toUpperCase().replaceAll('-', '_')
}

/** Reads the configuration of a host. Throws one `configurationInvalid` that lists every mistake. */
export async function readConfiguration(system: System, selection: Selection, environment: Environment): Promise<HostConfiguration> {
  const reader = new Reader(environment)
  const gatewayPort = selection.gateway ? reader.port('PORT', DEFAULT_PORT) : undefined
  const servicePorts = new Map<string, number>()
  const registryUrl = reader.url('REGISTRY_URL', REGISTRY_SCHEMES)
  const peers = new Map<string, PeerAddress>()
  const advertiseUrls = new Map<string, string>()
  const serviceConfigurations = new Map<string, unknown>()
  const hosted = new Set(selection.services.map((service) => service.contract.name))

  for (const service of selection.services) {
    const { name } = service.contract
    const prefix = variablePrefix(name)
    const own = reader.port(
      `${prefix}_PORT`,
      !selection.gateway && selection.services.length === 1 ? reader.port('PORT', DEFAULT_PORT) : undefined,
    )
    if (own !== undefined) servicePorts.set(name, own)
    // Whoever finds it in the registry need not know its port.
    else if (registryUrl !== undefined && Object.keys(service.contract.operations).length > 0) servicePorts.set(name, 0)
    const advertised = reader.url(`${prefix}_ADVERTISE_URL`, ['http:', 'https:'])
    if (advertised !== undefined) advertiseUrls.set(name, advertised)
    serviceConfigurations.set(name, await reader.service(service))
  }

  const needed = new Map<string, string>()
  for (const service of selection.services)
    for (const used of Object.values(service.uses))
      if (Object.keys(used.operations).length > 0) needed.set(used.name, `${service.contract.name} calls it`)
  if (selection.gateway)
    for (const { contract } of system.services)
      if (Object.values(contract.operations).some((operation) => operation.public)) needed.set(contract.name, 'the gateway exposes it')
  for (const [name, why] of needed) {
    if (hosted.has(name)) continue
    const variable = `${variablePrefix(name)}_URL`
    const peer = reader.peer(variable)
    if (peer !== undefined) peers.set(name, peer)
    else if (reader.text(variable) === undefined && reader.text('REGISTRY_URL') === undefined)
      reader.mistake(
        `${variable} is missing: ${why}, and this host does not run "${name}". Set it to where it listens, such as http://${name}:${DEFAULT_PORT}, or REGISTRY_URL to where services are found`,
      )
  }

  const brokerUrl = reader.url('BROKER_URL', BROKER_SCHEMES) ?? reader.url('RABBITMQ_URL', RABBITMQ_SCHEMES)
  if (brokerUrl === undefined && reader.text('BROKER_URL') === undefined && reader.text('RABBITMQ_URL') === undefined) {
    const crossing = consumersOf(system).flatMap(({ name, topics }) =>
      topics.filter((topic) => hosted.has(name) !== hosted.has(topic)).map((topic) => `${name} consumes the events of ${topic}`),
    )
    if (crossing.length > 0 && selection.services.length > 0)
      reader.mistake(
        `BROKER_URL is missing: ${crossing.join('; ')}, and they are not in one host, which the embedded broker cannot leave. Set it to a broker, such as amqp://guest:guest@localhost:5672`,
      )
  }

  const databases = databaseConfiguration(selection, reader)
  const wire = reader.choice('SKERRY_WIRE', ['local', 'http', 'fast'] as const, 'local')
  const fastWire = reader.choice('SKERRY_FAST_WIRE', ['on', 'off'] as const, 'on') === 'on'
  if (wire === 'fast' && !fastWire)
    reader.mistake('SKERRY_WIRE is "fast" and SKERRY_FAST_WIRE is "off": leave one of them out, or set SKERRY_WIRE to "http"')
  const configuration: HostConfiguration = {
    host: reader.text('HOST') ?? '127.0.0.1',
    gatewayPort,
    adminPort: reader.port('ADMIN_PORT', undefined),
    adminHost: reader.text('ADMIN_HOST') ?? '127.0.0.1',
    servicePorts,
    peers,
    registryUrl,
    advertiseHost: reader.host('ADVERTISE_HOST'),
    advertiseUrls,
    zone: reader.text('SKERRY_ZONE'),
    ...databases,
    recent: recentPlace(databases, reader),
    brokerUrl,
    forceWire: wire === 'local' ? undefined : wire,
    fastWire,
    drainMs: reader.whole('SKERRY_DRAIN_MS', 0, 600_000, registryUrl === undefined ? 0 : DISCOVERED_DRAIN_MS),
    drainsEarly: registryUrl !== undefined && reader.text('SKERRY_DRAIN_MS') === undefined,
    graceMs: reader.whole('SKERRY_GRACE_MS', 0, 600_000, 25_000),
    logLevel: reader.choice('LOG_LEVEL', LOG_LEVELS, 'info'),
    allowsFaults: reader.choice('SKERRY_FAULTS', ['on', 'off'] as const, reader.text('NODE_ENV') === 'production' ? 'off' : 'on') === 'on',
    sampling: {
      sampler: reader.choice('OTEL_TRACES_SAMPLER', SAMPLERS, 'parentbased_always_on'),
      ratio: reader.share('OTEL_TRACES_SAMPLER_ARG', 1),
    },
    serviceConfigurations,
  }
  reader.finish()
  return configuration
}

/** Reads where hosts keep recent telemetry, and nothing else. Throws like `readConfiguration`. */
export function readRecentConfiguration(selection: Selection, environment: Environment): RecentConfiguration {
  const reader = new Reader(environment)
  const recent = recentPlace(databaseConfiguration(selection, reader), reader)
  reader.finish()
  return { recent }
}

/** In the data directory. */
export const RECENT_FILE = 'telemetry.sqlite'

/** Who has its data elsewhere may not be able to write here. */
function recentPlace({ databases, dataDirectory }: DatabaseConfiguration, reader: Reader): RecentPlace | undefined {
  const given = reader.text('SKERRY_TELEMETRY')
  if (given === 'off') return undefined
  if (given !== undefined && given !== 'memory') return { file: given }
  const isEmbedded = [...databases.values()].some(({ url }) => url === undefined)
  return given === undefined && isEmbedded && dataDirectory !== undefined ? { file: join(dataDirectory, RECENT_FILE) } : 'memory'
}

/** Reads where the databases are and nothing else: all that a migration needs to know. Throws like `readConfiguration`. */
export function readDatabaseConfiguration(selection: Selection, environment: Environment): DatabaseConfiguration {
  const reader = new Reader(environment)
  const configuration = databaseConfiguration(selection, reader)
  reader.finish()
  return configuration
}

function databaseConfiguration(selection: Selection, reader: Reader): DatabaseConfiguration {
  const databases = new Map<string, { url: string | undefined; shared: boolean }>()
  const common = reader.url('DATABASE_URL', DATABASE_SCHEMES)
  const needing = selection.services
    .filter(needsDatabase)
    .map((service) => ({ name: service.contract.name, variable: `${variablePrefix(service.contract.name)}_DATABASE_URL` }))
  const needingCommon = needing.filter(({ variable }) => reader.text(variable) === undefined)
  for (const { name, variable } of needing) {
    const url = reader.url(variable, DATABASE_SCHEMES)
    // One service alone owns the whole database; several that share a URL get a schema and a role each.
    databases.set(
      name,
      url === undefined ? { url: common, shared: common === undefined || needingCommon.length > 1 } : { url, shared: false },
    )
  }
  const data = reader.text('SKERRY_DATA') ?? '.skerry'
  return { databases, dataDirectory: data === 'memory' ? undefined : data }
}

/** Reads variables and collects what is wrong with them. An empty variable counts as missing. */
class Reader {
  readonly #environment: Environment
  readonly #mistakes = new Set<string>()

  constructor(environment: Environment) {
    this.#environment = environment
  }

  mistake(text: string): void {
    this.#mistakes.add(text)
  }

  finish(): void {
    if (this.#mistakes.size > 0)
      throw new SkerryError(
        'configurationInvalid',
        `The configuration has ${this.#mistakes.size === 1 ? 'a mistake' : `${this.#mistakes.size} mistakes`}:\n${[...this.#mistakes].map((text) => `  - ${text}`).join('\n')}`,
      )
  }

  text(name: string): string | undefined {
    const value = this.#environment[name]
    return value === undefined || value === '' ? undefined : value
  }

  whole(name: string, min: number, max: number, fallback: number): number {
    const value = this.text(name)
    if (value === undefined) return fallback
    const number = Number(value)
    if (/^\d+$/.test(value) && number >= min && number <= max) return number
    this.mistake(`${name} is "${value}": expected a whole number from ${min} to ${max}`)
    return fallback
  }

  share(name: string, fallback: number): number {
    const value = this.text(name)
    if (value === undefined) return fallback
    const number = Number(value)
    if (number >= 0 && number <= 1) return number
    this.mistake(`${name} is "${value}": expected a number from 0 to 1`)
    return fallback
  }

  port(name: string, fallback: number): number
  port(name: string, fallback: number | undefined): number | undefined
  port(name: string, fallback: number | undefined): number | undefined {
    return this.text(name) === undefined ? fallback : this.whole(name, 0, 65_535, 0)
  }

  choice<const T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.text(name)
    if (value === undefined) return fallback
    const choice = choices.find((candidate) => candidate === value)
    if (choice === undefined) this.mistake(`${name} is "${value}": expected one of ${choices.join(', ')}`)
    return choice ?? fallback
  }

  /** A URL with one of the schemes; the mistake never repeats it, for it may hold a password. */
  url(name: string, schemes: readonly string[]): string | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const expected = `expected a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`
    if (!URL.canParse(value)) this.mistake(`${name} is not a URL: ${expected}`)
    else if (!schemes.includes(new URL(value).protocol)) this.mistake(`${name} begins with ${new URL(value).protocol}//: ${expected}`)
    else return value
    return undefined
  }

  /** `http://a:8080,http://b:8080`, `dns://name:8080` or `dns+srv://_http._tcp.name` */
  peer(name: string): PeerAddress | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (value.startsWith('dns')) {
      const dns = dnsNameOf(value)
      if (dns === undefined)
        this.mistake(
          `${name} is "${value}": expected dns://<name>:<port> or dns+srv://<name>, either with ?resolver=<address of a DNS server>`,
        )
      return dns && { kind: 'dns', name: dns }
    }
    const urls = value.split(',').map((url) => url.trim())
    const isUrl = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
    if (urls.every(isUrl)) return { kind: 'urls', urls: [...new Set(urls)] }
    this.mistake(
      `${name} does not say where a service is: expected a URL that begins with http:// or https://, several with commas between them, or dns://<name>:<port>`,
    )
    return undefined
  }

  /** A name or an address, and nothing else. */
  host(name: string): string | undefined {
    const value = this.text(name)
    if (value === undefined || /^[\w.-]+$|^\[?[\da-f:.]+\]?$/i.test(value)) return value
    this.mistake(`${name} is "${value}": expected the name or the address of this machine, without scheme and port`)
    return undefined
  }

  async service({ contract, config }: Service): Promise<unknown> {
    if (config === undefined) return {}
    const given = Object.fromEntries(Object.entries(this.#environment).filter(([, value]) => value !== undefined && value !== ''))
    const result: Validation<unknown> = await validate(config, given)
    if (result.ok) return result.value
    for (const { path, message } of result.issues) this.mistake(`${path.slice(1) || 'the environment'} (for ${contract.name}): ${message}`)
    return undefined
  }
}
