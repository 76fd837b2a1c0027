/** What a host tells a registry of itself: each service that listens, at an address under which others reach it, from ready until it stops. */
import { networkInterfaces } from 'node:os'
import type { Clock } from '../base/clock.ts'
import type { NewId } from '../base/id.ts'
import type { Registration, Registry, RegistryEngine } from '../engine/registry.ts'
import { within } from '../engine/within.ts'
import type { Log } from '../telemetry/log.ts'

export interface AnnouncementOptions {
  readonly registry: Registry | undefined
  /** Where services listen. */
  readonly serviceUrls: ReadonlyMap<string, string>
  readonly versions: ReadonlyMap<string, string>
  /** ADVERTISE_HOST; undefined: where it listens. */
  readonly advertiseHost: string | undefined
  /** `<SERVICE>_ADVERTISE_URL`. */
  readonly advertiseUrls: ReadonlyMap<string, string>
  readonly zone: string | undefined
  readonly newId: NewId
  readonly clock: Clock
}

export interface Announcement {
  /** Takes everything back; calls that come nevertheless are still answered. Never rejects. */
  withdraw(): Promise<void>
}

/** How long a start waits until the registry knows of it. Where that is down, those who know of this host from before call it already. */
const HELD_MS = 2_000

/** Registers every service that listens. Undefined when there is no registry, it takes no registrations, or there is nothing to say. */
export async function announce(options: AnnouncementOptions): Promise<Announcement | undefined> {
  const { registry, serviceUrls, versions, advertiseUrls, zone, newId, clock } = options
  if (registry?.register === undefined || serviceUrls.size === 0) return undefined
  const register = registry.register.bind(registry)
  const registrations = [...serviceUrls].map(([service, url]): Registration =>
    register(service, {
      id: newId(),
      url: advertiseUrls.get(service) ?? reachable(url, options.advertiseHost),
      zone,
      version: versions.get(service),
    }),
  )
  await within(clock, HELD_MS, Promise.all(registrations.map(({ held }) => held)))
  return {
    withdraw: async () => {
      await Promise.all(registrations.map((registration) => registration.withdraw()))
    },
  }
}

/** Says in the log what becomes of a registry, once each time. */
export async function openLogged(engine: RegistryEngine, log: Log): Promise<Registry> {
  const { description } = engine
  return engine.open({
    onStatus: (status) => {
      if (status.up) log.info('The registry can be reached again', { registry: description })
      else
        log.warn('The registry cannot be reached; instances that were known are still called', {
          registry: description,
          reason: status.reason,
        })
    },
  })
}

const EVERY_INTERFACE = new Set(['0.0.0.0', '[::]'])

/** The address under which others reach what listens at `url`: on all interfaces, the machine's first one that is not its own alone. */
function reachable(url: string, advertiseHost: string | undefined): string {
  const { hostname, port } = new URL(url)
  const own = EVERY_INTERFACE.has(hostname) ? outwardAddress() : hostname
  const host = advertiseHost ?? own
  return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`
}

function outwardAddress(): string {
  const outward = Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).filter(({ internal }) => !internal))
  return (outward.find(({ family }) => family === 'IPv4') ?? outward[0])?.address ?? '127.0.0.1'
}
