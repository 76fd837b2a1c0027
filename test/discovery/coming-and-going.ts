import { contract, get, post } from 'skerry/contract'
/** Hosts of a small system that come and go behind a registry, in this process and over real sockets, and those who call them all the while. */
import type { Registry, RegistryEngine } from 'skerry/engine'
import { gateway } from 'skerry/gateway'
import type { Host } from 'skerry/runtime'
import { createLog, readConfiguration, select, startHost, system } from 'skerry/runtime'
import { service } from 'skerry/service'
import { z } from 'zod'

const Answer = z.object({ by: z.string(), count: z.int() })

export const counter = contract('counter', {
  version: '1.0.0',
  operations: {
    read: get('/count', { output: Answer, public: true }),
    /** Not idempotent: nobody may make it twice. */
    add: post('/count', { input: z.object({ text: z.string() }), output: Answer, public: true }),
  },
})

export interface Instance {
  readonly host: Host
  /** How many additions its handler has carried out. */
  readonly additions: () => number
  /** What it has warned of. */
  readonly log: readonly string[]
}

/** Who takes how long to answer: a few milliseconds, so that there is always something in progress. */
const WORK_MS = 5

function counterSystem(name: string) {
  let count = 0
  const implementation = service(counter).implement({
    read: async () => ({ by: name, count }),
    add: async () => {
      await new Promise((resolve) => setTimeout(resolve, WORK_MS))
      return { by: name, count: ++count }
    },
  })
  return { definition: system('counting', { services: [implementation], gateway: gateway() }), additions: () => count }
}

export interface StartOptions {
  readonly name?: string
  readonly engine?: RegistryEngine
  readonly registryUrl?: string
  readonly env?: Readonly<Record<string, string>>
}

async function start(what: readonly string[], { name = 'gateway', engine, registryUrl = '', env }: StartOptions): Promise<Instance> {
  const { definition, additions } = counterSystem(name)
  const selection = select(definition, what)
  const configuration = await readConfiguration(definition, selection, {
    PORT: '0',
    SKERRY_DATA: 'memory',
    REGISTRY_URL: registryUrl,
    ...env,
  })
  const log: string[] = []
  const none = (): Promise<never> => Promise.reject(new Error('there is none'))
  const host = await startHost({
    system: definition,
    selection,
    configuration,
    engines: { database: none, broker: none, registry: async () => engine! },
    log: createLog({ level: 'warn', destination: { write: (line) => log.push(line) } }),
  })
  return { host, additions, log }
}

export const startCounter = (options: StartOptions): Promise<Instance> => start(['counter'], options)
export const startGateway = (options: StartOptions): Promise<Instance> => start(['gateway'], options)

export interface Load {
  readonly failures: readonly string[]
  readonly additions: () => number
  readonly calls: () => number
  /** Names of all who have answered. */
  readonly answeredBy: ReadonlySet<string>
  /** Resolves when so many more calls have been answered. */
  readonly more: (calls: number) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Calls all the time, reading and adding by turns, at so many places at once. */
export function load(url: string, concurrency: number): Load {
  const failures: string[] = []
  const answeredBy = new Set<string>()
  let additions = 0
  let calls = 0
  let stopped = false
  const body = JSON.stringify({ text: 'one' })
  const one = async (add: boolean): Promise<void> => {
    try {
      const answer = await fetch(`${url}/count`, add ? { method: 'POST', body, headers: { 'content-type': 'application/json' } } : {})
      const text = await answer.text()
      if (answer.status !== 200) failures.push(`${add ? 'POST' : 'GET'} ${answer.status} ${text}`)
      else answeredBy.add((JSON.parse(text) as { by: string }).by)
      if (add && answer.status === 200) additions++
    } catch (error) {
      failures.push(`${add ? 'POST' : 'GET'} ${String(error)}`)
    }
    calls++
  }
  const callers = Array.from({ length: concurrency }, async (_, index) => {
    for (let turn = index; !stopped; turn++) await one(turn % 2 === 0)
  })
  return {
    failures,
    answeredBy,
    additions: () => additions,
    calls: () => calls,
    async more(count) {
      const enough = calls + count
      while (calls < enough) await new Promise((resolve) => setTimeout(resolve, 1))
    },
    async stop() {
      stopped = true
      await Promise.all(callers)
    },
  }
}

/** What a registry says of a service, each time. */
export async function watched(
  engine: RegistryEngine,
  name: string,
): Promise<{ readonly registry: Registry; readonly urls: () => readonly string[] }> {
  const registry = await engine.open({})
  let urls: readonly string[] = []
  registry.watch(name, (list) => (urls = list.map(({ url }) => url)))
  return { registry, urls: () => urls }
}
