/** Loads the engines that the configuration names by URL, from the packages that the system's own project has installed. */
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { BrokerEngine, DatabaseEngine, RegistryEngine } from 'skerry/engine'
import type { DatabaseConfiguration, Engines } from 'skerry/runtime'
import { CommandError, EXIT } from './failure.ts'
import { platformPart, resolveFrom } from './system-file.ts'

interface EngineModules {
  readonly '@skerry/pglite': { pglite(options: { readonly dataDir?: string }): DatabaseEngine }
  readonly '@skerry/postgres': { postgres(options: { readonly url: string }): DatabaseEngine }
  readonly '@skerry/rabbitmq': { rabbitmq(options: { readonly url: string }): BrokerEngine }
  readonly '@skerry/nats': { nats(options: { readonly url: string }): BrokerEngine }
  readonly '@skerry/kafka': { kafka(options: { readonly url: string }): BrokerEngine }
  readonly '@skerry/etcd': { etcd(options: { readonly url: string }): RegistryEngine }
  readonly '@skerry/consul': { consul(options: { readonly url: string }): RegistryEngine }
  readonly '@skerry/kubernetes': { kubernetes(options: { readonly url: string }): RegistryEngine }
}

export interface LoadedEngines extends Engines {
  /** What was opened, for people: no passwords. */
  readonly descriptions: { readonly databases: ReadonlySet<string>; readonly broker: string | undefined }
}

type Needing = DatabaseConfiguration & { readonly brokerUrl?: string | undefined; readonly registryUrl?: string | undefined }

/** The engines that the configuration needs, as the module at `path` would import them. Throws, naming all that are not installed there. */
export function enginesFor(path: string, needing: Needing): LoadedEngines {
  refuseMissing(path, needing)
  const databases = new Set<string>()
  let broker: string | undefined
  return {
    get descriptions() {
      return { databases, broker }
    },
    async database(url, dataDirectory) {
      const engine =
        url === undefined
          ? (await load(path, '@skerry/pglite')).pglite(dataDirectory === undefined ? {} : { dataDir: dataDirectory })
          : (await load(path, '@skerry/postgres')).postgres({ url })
      databases.add(engine.description)
      return engine
    },
    async broker(url) {
      const engine = await BROKERS[brokerOf(url)](path, url)
      broker = engine.description
      return engine
    },
    registry: (url) => REGISTRIES[registryOf(url)](path, url),
  }
}

function refuseMissing(path: string, { databases, brokerUrl, registryUrl }: Needing): void {
  const urls = [...databases.values()].map(({ url }) => url)
  const needed: [name: keyof EngineModules, why: string][] = []
  if (urls.includes(undefined)) needed.push(['@skerry/pglite', 'a database without a URL is embedded'])
  if (urls.some((url) => url !== undefined)) needed.push(['@skerry/postgres', 'a database URL is one of PostgreSQL'])
  if (brokerUrl !== undefined) needed.push([`@skerry/${brokerOf(brokerUrl)}`, `the broker URL is one of ${NAMES[brokerOf(brokerUrl)]}`])
  const registry = registryUrl === undefined ? 'file' : registryOf(registryUrl)
  if (registry !== 'file') needed.push([`@skerry/${registry}`, `the registry URL is one of ${REGISTRY_NAMES[registry]}`])
  const missing = needed.filter(([name]) => resolveFrom(path, name) === undefined)
  if (missing.length === 0) return
  const list = missing.map(([name, why]) => `${name} (${why})`).join(' and ')
  throw new CommandError(
    EXIT.configuration,
    `Not installed where ${path} is: ${list}.`,
    `Install it there with: npm install ${missing.map(([name]) => name).join(' ')}`,
  )
}

const NAMES = { nats: 'NATS', kafka: 'Kafka', rabbitmq: 'RabbitMQ' } as const

const BROKERS: Readonly<Record<keyof typeof NAMES, (path: string, url: string) => Promise<BrokerEngine>>> = {
  nats: async (path, url) => (await load(path, '@skerry/nats')).nats({ url }),
  kafka: async (path, url) => (await load(path, '@skerry/kafka')).kafka({ url }),
  rabbitmq: async (path, url) => (await load(path, '@skerry/rabbitmq')).rabbitmq({ url }),
}

function brokerOf(url: string): keyof typeof NAMES {
  if (/^(nats|tls):/.test(url)) return 'nats'
  return /^kafkas?:/.test(url) ? 'kafka' : 'rabbitmq'
}

const REGISTRY_NAMES = { etcd: 'etcd', consul: 'Consul', kubernetes: 'Kubernetes' } as const

const REGISTRIES: Readonly<Record<keyof typeof REGISTRY_NAMES | 'file', (path: string, url: string) => Promise<RegistryEngine>>> = {
  etcd: async (path, url) => (await load(path, '@skerry/etcd')).etcd({ url }),
  consul: async (path, url) => (await load(path, '@skerry/consul')).consul({ url }),
  kubernetes: async (path, url) => (await load(path, '@skerry/kubernetes')).kubernetes({ url }),
  file: async (path, url) => (await platformPart(path, 'skerry/runtime')).fileRegistry(fileURLToPath(url)),
}

function registryOf(url: string): keyof typeof REGISTRIES {
  if (url.startsWith('file:')) return 'file'
  if (url.startsWith('etcd')) return 'etcd'
  return url.startsWith('consul') ? 'consul' : 'kubernetes'
}

/** It is installed: that has been seen to. */
async function load<Name extends keyof EngineModules>(path: string, name: Name): Promise<EngineModules[Name]> {
  return (await import(pathToFileURL(resolveFrom(path, name)!).href)) as EngineModules[Name]
}
