/** Whom the services of a host and its gateway call, and the ways there: in this process, at configured addresses, or wherever a registry says. */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { Dependency, dependencyOn } from '../client/dependency.ts'
import type { Link } from '../client/link.ts'
import { dnsRegistry } from '../discovery/dns-registry.ts'
import { staticRegistry } from '../discovery/static-registry.ts'
import { registryDefaults } from '../engine/registry-sessions.ts'
import type { Registry, RegistryStatus } from '../engine/registry.ts'
import { within } from '../engine/within.ts'
import type { Transport } from '../http/transport.ts'
import type { Log } from '../telemetry/log.ts'
import type { PeerAddress } from './configuration.ts'
import type { DiscoveredInstances } from './networked/discovered-instances.ts'
import { discoveredInstances } from './networked/discovered-instances.ts'

export interface DependenciesOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly zone: string | undefined
  /** Where services are that have an address in the configuration. */
  readonly peers: ReadonlyMap<string, PeerAddress>
  /** For all others; undefined when the configuration names none. */
  readonly registry: () => Registry | undefined
  /** The link to a service that this host runs; undefined for others. */
  readonly localLink: (service: string) => Link | undefined
  readonly log: Log
}

/** How long a host that starts waits for the first answers; after that it fails calls of whom it does not know. */
const FIRST_ANSWERS_MS = 2_000

export class Dependencies {
  readonly #options: DependenciesOptions
  readonly #byService = new Map<string, Dependency>()
  readonly #discovered: DiscoveredInstances[] = []
  readonly #links: Link[] = []
  /** For the DNS names of the configuration. */
  readonly #lookups: Registry[] = []

  constructor(options: DependenciesOptions) {
    this.#options = options
  }

  /** The same for all who call, so that what one of them learns the others know. */
  on(service: string): Dependency {
    const known = this.#byService.get(service)
    if (known !== undefined) return known
    const dependency = this.#make(service)
    this.#byService.set(service, dependency)
    return dependency
  }

  /** Resolves when it is known of everybody where they are, or has been waited for. */
  async known(): Promise<void> {
    await within(this.#options.clock, FIRST_ANSWERS_MS, Promise.all(this.#discovered.map(({ known }) => known)))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#discovered, ...this.#links].map((one) => one.close()))
    await Promise.all(this.#lookups.map((registry) => registry.close()))
  }

  #make(service: string): Dependency {
    const { clock, random, zone, localLink, transport } = this.#options
    const local = localLink(service)
    if (local !== undefined) {
      this.#links.push(local)
      return dependencyOn(local, { clock, random })
    }
    const registry = this.#registryFor(service)
    const dependency = new Dependency({ clock, random, zone })
    this.#discovered.push(discoveredInstances({ service, registry, instances: dependency.instances, transport, clock }))
    return dependency
  }

  #registryFor(service: string): Registry {
    const { peers, registry, clock, random, log } = this.#options
    const peer = peers.get(service)
    if (peer === undefined) return registry() ?? unknownPeer(service)
    if (peer.kind === 'urls') return staticRegistry(peer.urls)
    const onStatus = (status: RegistryStatus): void => {
      if (!status.up) log.warn(`Where "${service}" is cannot be looked up; who was known is still called`, { reason: status.reason })
    }
    const lookup = dnsRegistry(peer.name, { ...registryDefaults(), clock, random }, { onStatus })
    this.#lookups.push(lookup)
    return lookup
  }
}

function unknownPeer(name: string): never {
  throw new Error(`no address is configured for "${name}"`)
}
