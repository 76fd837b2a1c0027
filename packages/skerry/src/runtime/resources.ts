/** What the services of a host keep while they run. They are opened while the databases are: neither waits for the other. */
import type { Service } from '../service/service.ts'
import type { Log } from '../telemetry/log.ts'

export interface ServiceResources {
  /** Rejects when the service could not open them. */
  of(service: string): Promise<unknown>
  /** Disposes of what has been opened, and of what is still being opened. */
  close(): Promise<void>
}

export interface OpenResourcesOptions {
  readonly services: readonly Service[]
  readonly configurations: ReadonlyMap<string, unknown>
  /** What a service gets instead of what it would open; nobody disposes of it here. */
  readonly given: ReadonlyMap<string, unknown>
  readonly log: Log
}

export function openResources({ services, configurations, given, log }: OpenResourcesOptions): ServiceResources {
  const opening = new Map(
    services
      .filter(({ contract }) => !given.has(contract.name))
      .map((service) => [service.contract.name, open(service, configurations, log)]),
  )
  // Whoever asks for them is told; nobody may come to ask.
  for (const resources of opening.values()) resources.catch(() => undefined)
  return {
    of: (service) => opening.get(service) ?? Promise.resolve(given.get(service)),
    async close() {
      await Promise.all([...opening].map(([service, resources]) => disposeOf(resources, log.with({ service }))))
    },
  }
}

async function open({ contract, resources }: Service, configurations: ReadonlyMap<string, unknown>, log: Log): Promise<unknown> {
  const make = resources as ((context: { config: unknown; log: Log }) => unknown) | undefined
  return make?.({ config: configurations.get(contract.name), log: log.with({ service: contract.name }) })
}

async function disposeOf(opening: Promise<unknown>, log: Log): Promise<void> {
  const resources = await opening.catch(() => undefined)
  if (typeof resources !== 'object' || resources === null) return
  for (const resource of [resources, ...Object.values(resources)])
    if (typeof resource === 'object' && resource !== null && Symbol.asyncDispose in resource)
      try {
        await (resource as AsyncDisposable)[Symbol.asyncDispose]()
      } catch (error) {
        log.warn('A resource could not be disposed of', { cause: error })
      }
}
