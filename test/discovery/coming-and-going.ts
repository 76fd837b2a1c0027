/** Hosts of a small system that come and go behind a registry, in this process and over real sockets, and those who call them all the while. */
import { contract, get, post } from 'skerry/contract'
import type { RegistryEngine } from 'skerry/engine'
import { gateway } from 'skerry/gateway'
import type { Host } from 'skerry/runtime'
import { createLog, readConfiguration, select, startHost, system } from 'skerry/runtime'
import { service } from 'skerry/service'
import { z } from 'zod'
import type { Calls } from '../services/call-always.ts'
import { callAlways } from '../services/call-always.ts'

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

/** Reads and adds by turns. */
export function load(url: string): Calls<{ readonly by: string }> {
  const requests = [
    { method: 'POST', path: '/count', body: { text: 'one' } },
    { method: 'GET', path: '/count' },
  ] as const
  return callAlways(url, requests, 12)
}

export function additionsIn({ answers }: Calls<unknown>): number {
  return answers.filter(({ request }) => request.method === 'POST').length
}

export function whoAnswered({ answers }: Calls<{ readonly by: string }>): readonly string[] {
  return [...new Set(answers.map(({ answer }) => answer.by))].toSorted()
}
