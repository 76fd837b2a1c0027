/**
 * The ways to run one system that must not be told apart from outside. Nothing of a system changes between them: where
 * its parts run, and on what, is said through environment variables alone.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { pglite } from '@skerry/pglite'
import { postgres } from '@skerry/postgres'
import type { DatabaseEngine } from 'skerry/engine'
import { variablePrefix } from 'skerry/runtime'
import { freePort } from '../services/free-port.ts'
import { createBrokerCorner } from './broker.ts'
import { createDatabases, createSharedDatabase } from './databases.ts'
import type { HostOptions, LaunchedHost, RunningHost } from './host.ts'
import { launchHost, startHost } from './host.ts'

export interface SystemUnderTest {
  /** From the repository's root. */
  readonly file: string
  /** The names of all its services. */
  readonly services: readonly string[]
  /** Variables that every host gets. */
  readonly env?: Readonly<Record<string, string>>
}

/** All that a client of a system knows. */
export interface Addresses {
  readonly gatewayUrl: string
  readonly serviceUrls: Readonly<Record<string, string>>
}

export interface RunningTopology<D extends Databases = Databases> extends Addresses, AsyncDisposable {
  /** The databases that these hosts have open, for a look behind the scenes. Embedded ones only while the hosts are stopped. */
  readonly databases: D
  /** The host that runs a service, or `gateway`. */
  host(name: string): RunningHost
  /** Stops all hosts in order. Rejects when one does not end as it should. */
  stop(): Promise<void>
  /** Starts all hosts again on the same data. A host that is not apart may get other addresses. */
  start(): Promise<void>
  /** Starts the host that runs the named service again, on the same data, with these variables besides; kills it if it still runs. */
  restart(name: string, env?: Readonly<Record<string, string>>): Promise<RunningHost>
  /** The same, but does not wait until it is ready: for a host that is to die on the way. The caller disposes of it; `host` knows only its earlier life. */
  launch(name: string, env?: Readonly<Record<string, string>>): Promise<LaunchedHost>
}

/** All services have schemas in one. */
interface SharedDatabases {
  readonly kind: 'shared'
  /** It can only be opened while the hosts are stopped. */
  readonly isEmbedded: boolean
  readonly open: () => DatabaseEngine
}

/** Each service has its own, at its own URL. */
interface SeparateDatabases {
  readonly kind: 'separate'
  readonly urls: Readonly<Record<string, string>>
}

type Databases = SharedDatabases | SeparateDatabases

export interface Topology {
  readonly name: string
  /** There are several instances of each service, which share nothing but their database and what is outside. */
  readonly isReplicated?: boolean
  start(system: SystemUnderTest): Promise<RunningTopology>
}

export const topologies: readonly Topology[] = [
  { name: 'one process, embedded database and broker', start: (system) => startEmbedded(system, {}) },
  { name: 'one process, its own calls over HTTP', start: (system) => startEmbedded(system, { SKERRY_WIRE: 'http' }) },
  { name: 'one process, its own calls over the fast wire', start: (system) => startEmbedded(system, { SKERRY_WIRE: 'fast' }) },
  { name: 'one process, one PostgreSQL database', start: startOnPostgres },
  { name: 'a process and a PostgreSQL database for each service, RabbitMQ between them, the gateway apart', start: startApart },
  {
    name: 'two processes of each service behind a registry, RabbitMQ between them, the gateway apart',
    isReplicated: true,
    start: startTwice,
  },
]

async function startEmbedded(system: SystemUnderTest, env: Readonly<Record<string, string>>): Promise<RunningTopology> {
  const held = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'skerry-test-data-'))
  held.defer(() => rm(directory, { recursive: true, force: true }))
  const databases = { kind: 'shared', isEmbedded: true, open: () => pglite({ dataDir: directory }) } as const
  return runTopology({ held, databases, hosts: [together(system, { SKERRY_DATA: directory, ...env })] })
}

/** Everything in one process, on a database for all. */
export async function startOnPostgres(system: SystemUnderTest): Promise<RunningTopology> {
  const held = new AsyncDisposableStack()
  const { url } = held.use(await createSharedDatabase())
  const databases = { kind: 'shared', isEmbedded: false, open: () => postgres({ url }) } as const
  return runTopology({ held, databases, hosts: [together(system, { DATABASE_URL: url })] })
}

/** As the seed's documents have it: everything apart, each service at an address that does not change. `brokerUrl` default: a corner of this run's. */
export async function startApart(system: SystemUnderTest, brokerUrl?: string): Promise<RunningTopology<SeparateDatabases>> {
  const held = new AsyncDisposableStack()
  const databases = held.use(await createDatabases(system.services))
  const rabbitmqUrl = brokerUrl ?? held.use(createBrokerCorner(system.services)).url
  const ports = new Map<string, string>()
  for (const name of [...system.services, 'gateway']) ports.set(name, String(await freePort()))
  const addresses = Object.fromEntries(
    system.services.map((name) => [`${variablePrefix(name)}_URL`, `http://127.0.0.1:${ports.get(name)}`]),
  )
  const apart = (name: string, env: Readonly<Record<string, string>>): HostOptions => ({
    system: system.file,
    services: [name],
    env: { ...system.env, ...addresses, PORT: ports.get(name)!, ...env },
  })
  const services = system.services.map((name) => apart(name, { DATABASE_URL: databases.urls[name]!, RABBITMQ_URL: rabbitmqUrl }))
  return runTopology({ held, databases: { kind: 'separate', urls: databases.urls }, hosts: [...services, apart('gateway', {})] })
}

/** Two instances of each service, which find each other through the embedded registry. */
async function startTwice(system: SystemUnderTest): Promise<RunningTopology<SeparateDatabases>> {
  const held = new AsyncDisposableStack()
  const registry = await mkdtemp(join(tmpdir(), 'skerry-test-registry-'))
  held.defer(() => rm(registry, { recursive: true, force: true }))
  const databases = held.use(await createDatabases(system.services))
  const rabbitmqUrl = held.use(createBrokerCorner(system.services)).url
  const env = { ...system.env, REGISTRY_URL: pathToFileURL(registry).href }
  const services = system.services.flatMap((name): HostOptions[] => {
    const one = { system: system.file, services: [name], env: { ...env, DATABASE_URL: databases.urls[name]!, RABBITMQ_URL: rabbitmqUrl } }
    return [one, one]
  })
  const entry = { system: system.file, services: ['gateway'], env }
  return runTopology({ held, databases: { kind: 'separate', urls: databases.urls }, hosts: [...services, entry] })
}

/** Everything in one process, each service also on a port of its own. */
function together({ file, services, env }: SystemUnderTest, own: Readonly<Record<string, string>>): HostOptions {
  const ports = Object.fromEntries(services.map((name) => [`${variablePrefix(name)}_PORT`, '0']))
  return { system: file, env: { ...env, ...ports, ...own } }
}

interface TopologyParts<D> {
  /** What is given back when the hosts are gone. */
  readonly held: AsyncDisposableStack
  readonly databases: D
  /** The gateway is in the last one. */
  readonly hosts: readonly HostOptions[]
}

async function runTopology<D extends Databases>({ held, databases, hosts: options }: TopologyParts<D>): Promise<RunningTopology<D>> {
  const hosts: RunningHost[] = []
  const indexOf = (name: string): number =>
    Math.max(
      0,
      options.findIndex(({ services }) => services?.includes(name)),
    )
  const anew = async (index: number, env: Readonly<Record<string, string>> = {}): Promise<HostOptions> => {
    await hosts[index]?.[Symbol.asyncDispose]()
    return { ...options[index]!, env: { ...options[index]!.env, ...env } }
  }
  const startOne = async (index: number, env?: Readonly<Record<string, string>>): Promise<RunningHost> => {
    const host = await startHost(await anew(index, env))
    hosts[index] = host
    return host
  }
  const start = async (): Promise<void> => {
    const results = await Promise.allSettled(options.map((_, index) => startOne(index)))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
  const dispose = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()))
    await held.disposeAsync()
  }
  try {
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    databases,
    get gatewayUrl() {
      return hosts.at(-1)!.gatewayUrl
    },
    get serviceUrls() {
      return Object.assign({}, ...hosts.map((host) => host.serviceUrls)) as Record<string, string>
    },
    host: (name) => hosts[indexOf(name)]!,
    async stop() {
      const ends = await Promise.all(hosts.map(async (host) => ({ exit: await host.stop(), output: await host.output() })))
      const failed = ends.find(({ exit }) => exit.code !== 0)
      if (failed !== undefined)
        throw new Error(`A host did not stop cleanly (${JSON.stringify(failed.exit)}):\n${failed.output.slice(-4_000)}`)
    },
    start,
    restart: (name, env) => startOne(indexOf(name), env),
    launch: async (name, env) => launchHost(await anew(indexOf(name), env)),
    [Symbol.asyncDispose]: dispose,
  }
}
