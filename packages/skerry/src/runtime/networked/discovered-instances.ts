/** The instances of one service elsewhere: followed in a registry, each with a link of its own that ends when its last call has. */
import type { Clock } from '../../base/clock.ts'
import type { Instances } from '../../client/instances.ts'
import { lastKnown } from '../../discovery/last-known.ts'
import type { Registry, ServiceAddress } from '../../engine/registry.ts'
import type { Transport } from '../../http/transport.ts'
import type { RetiringLink } from './retiring-link.ts'
import { retiringLink } from './retiring-link.ts'

export interface DiscoveredInstancesOptions {
  readonly service: string
  readonly registry: Registry
  readonly instances: Instances
  readonly transport: Transport
  readonly clock: Clock
}

export interface DiscoveredInstances {
  /** Resolves when the registry has answered for the first time. */
  readonly known: Promise<void>
  close(): Promise<void>
}

export function discoveredInstances({ service, registry, instances, transport, clock }: DiscoveredInstancesOptions): DiscoveredInstances {
  const links = new Map<string, RetiringLink>()
  const answered = Promise.withResolvers<void>()
  let closed = false
  const replace = (addresses: readonly ServiceAddress[]): void => {
    if (closed) return
    const gone = new Map(links)
    const present = addresses.map(({ id, url, zone }) => {
      // One that comes again at another address is another one.
      const key = `${id} ${url}`
      gone.delete(key)
      const link = links.get(key) ?? retiringLink(transport.link({ baseUrl: url, clock }))
      links.set(key, link)
      return { id: key, zone, link }
    })
    instances.replace(present)
    for (const [key, link] of gone) {
      links.delete(key)
      link.retire()
    }
    answered.resolve()
  }
  const known = lastKnown(clock, replace)
  const watch = registry.watch(service, (instances) => known.learn(instances))
  return {
    known: answered.promise,
    async close() {
      closed = true
      known.cancel()
      await watch.close()
      await Promise.all([...links.values()].map((link) => link.close()))
    },
  }
}
