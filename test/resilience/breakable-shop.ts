/**
 * The whole shop with a way to break each part of it: the door of every service, the broker and the payment provider are behind TCP proxies of
 * their own, and what the broker has for a service that is broken waits. In one process, so that there is one database to make; its calls go
 * over sockets all the same. Half a minute passes when a test says so.
 */
import { startTestProvider } from '@shop/provider-sandbox/testing'
import { pglite } from '@skerry/pglite'
import { rabbitmq } from '@skerry/rabbitmq'
import type { Broker } from 'skerry/engine'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { networkTransport } from '../../packages/skerry/src/wire/transport.ts'
import type { Fault, Part } from '../../shop/degradation/table.ts'
import { shop } from '../../shop/system.ts'
import { RABBITMQ_OPTIONS } from '../delivery/fault-settings.ts'
import { TcpProxy } from '../services/tcp-proxy.ts'
import { createBrokerCorner } from '../topologies/broker.ts'
import { SkippingClock } from './skipping-clock.ts'

/** How long what is slow holds everything back, in each direction: both together are more than recommendations may take, and less than anything else. */
const SLOW_MS = 260
/** Its proxies let through, hold and cut single requests. */
const network = networkTransport({ fastWire: 'off' })
/** More than a circuit breaker stays open. */
const HALF_A_MINUTE_MS = 31_000

export async function openBreakableShop() {
  const held = new AsyncDisposableStack()
  const clock = new SkippingClock()
  const provider = held.use(await startTestProvider())
  const corner = held.use(createBrokerCorner(shop.services.map(({ contract }) => contract.name)))
  const proxyTo = async (url: string): Promise<TcpProxy> => {
    const { hostname: host, port } = new URL(url)
    return held.adopt(await TcpProxy.start({ host, port: Number(port) }), (proxy) => proxy.close())
  }
  const brokerProxy = await proxyTo(corner.url)
  const providerProxy = await proxyTo(provider.sandbox.url)
  const proxies = new Map<string, TcpProxy>()
  const gates = new Map<string, Gate>(shop.services.map(({ contract }) => [contract.name, new Gate()]))
  const environment = {
    SKERRY_WIRE: 'http',
    SKERRY_DATA: 'memory',
    PORT: '0',
    BROKER_URL: brokerProxy.through(corner.url),
    ...provider.environment,
    PAYMENT_PROVIDER_URL: providerProxy.through(provider.sandbox.url),
  }
  const selection = select(shop, [])
  const host = await startHost({
    system: shop,
    selection,
    configuration: { ...(await readConfiguration(shop, selection, environment)), drainMs: 0 },
    engines: {
      database: async () => pglite({}),
      broker: async (url) => {
        const engine = rabbitmq({ url, ...RABBITMQ_OPTIONS })
        return { description: engine.description, open: async (options) => gated(await engine.open(options), gates) }
      },
    },
    clock,
    log: createLog({ level: 'silent' }),
    transport: {
      link: network.link,
      async listen(options) {
        const server = await network.listen(options)
        const proxy = await proxyTo(server.url)
        const url = proxy.through(server.url).replace(/\/$/, '')
        proxies.set(url, proxy)
        return { ...server, url }
      },
    },
  })
  held.defer(() => host.stop())
  provider.serve({ clock, gatewayUrl: host.gatewayUrl! })

  const proxyOf = (part: Part): TcpProxy =>
    part === 'broker' ? brokerProxy : part === 'provider' ? providerProxy : proxies.get(host.serviceUrls.get(part)!)!

  return {
    host,
    provider,
    clock,
    gatewayUrl: host.gatewayUrl!,
    async break(part: Part, fault: Fault): Promise<void> {
      const proxy = proxyOf(part)
      if (fault === 'slow') {
        proxy.delayMs = SLOW_MS
        return
      }
      gates.get(part)?.close()
      if (fault === 'stopped') await proxy.vanish()
      else proxy.blackHole = true
    },
    /** The part is back. */
    async heal(part: Part, fault: Fault): Promise<void> {
      const proxy = proxyOf(part)
      proxy.delayMs = 0
      proxy.blackHole = false
      if (fault === 'stopped') await proxy.appear()
      // Whatever hung is taken for dead by then.
      else if (fault === 'hung') proxy.cut()
      gates.get(part)?.open()
    },
    /** Half a minute passes. To be called when no call is under way: it would be half a minute late. */
    letTimePass: () => clock.skip(HALF_A_MINUTE_MS),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** A service that is stopped takes nothing from the broker. */
class Gate {
  #opened = Promise.withResolvers<void>()

  constructor() {
    this.#opened.resolve()
  }

  get passage(): Promise<void> {
    return this.#opened.promise
  }

  close(): void {
    this.#opened = Promise.withResolvers<void>()
  }

  open(): void {
    this.#opened.resolve()
  }
}

function gated(broker: Broker, gates: ReadonlyMap<string, Gate>): Broker {
  return {
    description: broker.description,
    publish: (messages) => broker.publish(messages),
    status: () => broker.status(),
    close: () => broker.close(),
    subscribe: (options) =>
      broker.subscribe({
        ...options,
        handle: async (delivery) => {
          await gates.get(options.name)?.passage
          return options.handle(delivery)
        },
      }),
  }
}
