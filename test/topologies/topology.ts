/**
 * The ways to run one system that must not be told apart from outside. Nothing of a system changes between them: where
 * its parts run, and on what, is said through environment variables alone.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pglite } from '@skerry/pglite'
import { postgres } from '@skerry/postgres'
import type { DatabaseEngine } from 'skerry/engine'
import { variablePrefix } from 'skerry/runtime'
import { freePort } from '../services/free-port.ts'
import { createBrokerCorner } from './broker.ts'
import { createDatabases, createSharedDatabase } from './databases.ts'
import type { HostOptions, RunningHost } from './host.ts'
import { startHost } from './host.ts'

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

export interface RunningTopology extends Addresses, AsyncDisposable {
  readonly hosts: readonly RunningHost[]
  /** The databases that these hosts have open, for a look behind the scenes. Embedded ones only while the hosts are stopped. */
  readonly databases: Databases
  stop(): Promise<void>
  /** Starts what was stopped, on the same data. Addresses may differ. */
  start(): Promise<void>
}

type Databases =
  /** All services have schemas in one. */
  | { readonly kind: 'shared'; readonly open: () => DatabaseEngine }
  /** Each service has its own, at its own URL. */
  | { readonly kind: 'separate'; readonly urls: Readonly<Record<string, string>> }

export interface Topology {
  readonly name: string
  start(system: SystemUnderTest): Promise<RunningTopology>
}

const embedded = (env: Readonly<Record<string, string>>) => async (system: SystemUnderTest) => {
  const directory = await mkdtemp(join(tmpdir(), 'skerry-test-data-'))
  const held = new AsyncDisposableStack()
  held.defer(() => rm(directory, { recursive: true, force: true }))
  return runTopology({
    held,
    hosts: [oneHost(system, { SKERRY_DATA: directory, ...env })],
    databases: { kind: 'shared', open: () => pglite({ dataDir: directory }) },
  })
}

export const topologies: readonly Topology[] = [
  { name: 'one process, embedded database and broker', start: embedded({}) },
  { name: 'one process, its own calls over HTTP', start: embedded({ SKERRY_WIRE: 'http' }) },
  {
    name: 'one process, one PostgreSQL database',
    async start(system) {
      const held = new AsyncDisposableStack()
      const database = held.use(await createSharedDatabase())
      return runTopology({
        held,
        hosts: [oneHost(system, { DATABASE_URL: database.url })],
        databases: { kind: 'shared', open: () => postgres({ url: database.url }) },
      })
    },
  },
  {
    name: 'a process and a PostgreSQL database for each service, RabbitMQ between them, the gateway apart',
    async start(system) {
      const held = new AsyncDisposableStack()
      const databases = held.use(await createDatabases(system.services))
      const broker = held.use(createBrokerCorner(system.services))
      const urls: Record<string, string> = {}
      const ports: Record<string, string> = {}
      for (const name of system.services) {
        ports[name] = String(await freePort())
        urls[`${variablePrefix(name)}_URL`] = `http://127.0.0.1:${ports[name]}`
      }
      const services = system.services.map((name) => ({
        system: system.file,
        services: [name],
        env: { ...system.env, ...urls, PORT: ports[name]!, DATABASE_URL: databases.urls[name]!, RABBITMQ_URL: broker.url },
      }))
      return runTopology({
        held,
        hosts: [...services, { system: system.file, services: ['gateway'], env: { ...system.env, ...urls } }],
        databases: { kind: 'separate', urls: databases.urls },
      })
    },
  },
]

/** Everything in one process, each service also on a port of its own. */
function oneHost({ file, services, env }: SystemUnderTest, own: Readonly<Record<string, string>>): HostOptions {
  const ports = Object.fromEntries(services.map((name) => [`${variablePrefix(name)}_PORT`, '0']))
  return { system: file, env: { ...env, ...ports, ...own } }
}

interface TopologyParts {
  /** What is given back when the hosts are gone. */
  readonly held: AsyncDisposableStack
  readonly hosts: readonly HostOptions[]
  readonly databases: Databases
}

async function runTopology({ held, hosts: options, databases }: TopologyParts): Promise<RunningTopology> {
  let hosts: readonly RunningHost[] = []
  const discard = async (): Promise<void> => {
    await Promise.all(hosts.map((host) => host[Symbol.asyncDispose]()))
    hosts = []
  }
  const start = async (): Promise<void> => {
    await discard()
    const results = await Promise.allSettled(options.map((host) => startHost(host)))
    hosts = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
  const dispose = async (): Promise<void> => {
    await discard()
    await held.disposeAsync()
  }
  try {
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    get hosts() {
      return hosts
    },
    get gatewayUrl() {
      return hosts.at(-1)!.gatewayUrl
    },
    get serviceUrls() {
      return Object.assign({}, ...hosts.map((host) => host.serviceUrls)) as Record<string, string>
    },
    databases,
    async stop() {
      const exits = await Promise.all(hosts.map(async (host) => ({ exit: await host.stop(), output: await host.output() })))
      const failed = exits.find(({ exit }) => exit.code !== 0)
      if (failed !== undefined) throw new Error(`A host did not stop cleanly (${JSON.stringify(failed.exit)}):\n${failed.output.slice(-4_000)}`)
    },
    start,
    [Symbol.asyncDispose]: dispose,
  }
}
