/**
 * The registry port on Consul's HTTP API, asked of the agent of this machine. An instance is a service of that agent with a TTL check; who serves is
 * followed by blocking queries of the instances whose checks pass. A token is the password of the URL.
 */
import type { RegistryConnectionOptions, RegistryEngine, RegistrySettings, ServiceAddress } from 'skerry/engine'
import { JsonApi, openRegistry, readAddress, registryDefaults, sleep } from 'skerry/engine'
import { nextIndex } from './blocking-index.ts'

export interface ConsulOptions extends RegistryConnectionOptions {
  /** `consul://127.0.0.1:8500` or, over TLS, `consuls://…`; `consul://:<token>@…` with a token, `?dc=` for another datacentre. */
  readonly url: string
  /** Certificates that are trusted instead of the machine's, as PEM. */
  readonly ca?: string
  /** How long a query may wait for a change, in milliseconds. Consul adds up to a sixteenth. Default 30,000. */
  readonly waitMs?: number
}

const RENEWALS_PER_LEASE = 3
const WAIT_MS = 30_000
/** Consul takes nothing shorter. */
const FORGET_AFTER = '1m'
/** Between two queries of which the second had nothing to wait for. */
const AT_ONCE_PAUSE_MS = 100

/** Consul as a registry engine. Throws a `TypeError` when the URL cannot be one. */
export function consul({ url: text, ca, waitMs = WAIT_MS, ...options }: ConsulOptions): RegistryEngine {
  const settings = { ...registryDefaults(), ...options }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^consuls?:$/.test(url.protocol) || url.hostname === '')
    throw new TypeError('The URL of a Consul agent is consul://<host>:8500 or consuls://<host>:8501')
  const description = `Consul at ${url.host}`
  return {
    description,
    async open(registryOptions) {
      const agent = new Agent(url, ca, settings, waitMs)
      const registry = openRegistry(
        {
          description,
          follow: (service, tell, signal) => agent.follow(service, tell, signal),
          registrations: {
            hold: (service, instance, held, signal) => agent.hold(service, instance, held, signal),
            withdraw: (_service, instance, signal) => agent.withdraw(instance, signal),
          },
        },
        settings,
        registryOptions,
      )
      return {
        ...registry,
        async close() {
          await registry.close()
          await agent.close()
        },
      }
    },
  }
}

interface HealthEntry {
  readonly Node?: { readonly Address?: string }
  readonly Service: {
    readonly ID: string
    readonly Address?: string
    readonly Port?: number
    readonly Meta?: Readonly<Record<string, string>> | null
  }
}

class Agent {
  readonly #api: JsonApi
  readonly #datacentre: string | null
  readonly #settings: RegistrySettings
  readonly #waitMs: number

  constructor({ protocol, host, password, searchParams }: URL, ca: string | undefined, settings: RegistrySettings, waitMs: number) {
    const token = decodeURIComponent(password)
    this.#settings = settings
    this.#waitMs = waitMs
    this.#datacentre = searchParams.get('dc')
    this.#api = new JsonApi({
      origin: `${protocol === 'consuls:' ? 'https' : 'http'}://${host}`,
      ca,
      headers: async (): Promise<Record<string, string>> => (token === '' ? {} : { 'x-consul-token': token }),
    })
  }

  close(): Promise<void> {
    return this.#api[Symbol.asyncDispose]()
  }

  async follow(service: string, tell: (instances: readonly ServiceAddress[]) => void, signal: AbortSignal): Promise<void> {
    let index = 0
    let told: string | undefined
    while (!signal.aborted) {
      const startedMs = this.#settings.clock.nowMs()
      const query = new URLSearchParams({ passing: '', index: String(index), wait: `${this.#waitMs}ms` })
      if (this.#datacentre !== null) query.set('dc', this.#datacentre)
      const { headers, body } = await this.#api.ask({
        path: `/v1/health/service/${encodeURIComponent(service)}?${query.toString()}`,
        signal,
        timeoutMs: this.#waitMs * 1.25 + 5_000,
      })
      const instances = (body as readonly HealthEntry[]).flatMap((entry) => addressOf(entry) ?? [])
      const text = JSON.stringify(instances)
      if (text !== told) tell(instances)
      told = text
      const next = nextIndex(index, headers['x-consul-index'])
      // A server that does not wait must not be asked without end.
      if (next <= index && this.#settings.clock.nowMs() - startedMs < AT_ONCE_PAUSE_MS)
        await sleep(this.#settings.clock, AT_ONCE_PAUSE_MS, signal)
      index = next
    }
  }

  async hold(service: string, instance: ServiceAddress, held: () => void, signal: AbortSignal): Promise<void> {
    const { leaseMs, clock } = this.#settings
    const { hostname, port, protocol } = new URL(instance.url)
    const { id, url, zone, version } = instance
    const put = (path: string, body?: unknown): Promise<unknown> => this.#api.ask({ method: 'PUT', path, body, signal })
    await put('/v1/agent/service/register?replace-existing-checks=true', {
      ID: id,
      Name: service,
      Address: hostname.replace(/^\[|\]$/g, ''),
      Port: Number(port) || (protocol === 'https:' ? 443 : 80),
      Meta: { url, ...(zone === undefined ? {} : { zone }), ...(version === undefined ? {} : { version }) },
      Check: { TTL: `${leaseMs}ms`, Status: 'passing', DeregisterCriticalServiceAfter: FORGET_AFTER },
    })
    for (held(); !signal.aborted; held()) {
      await sleep(clock, leaseMs / RENEWALS_PER_LEASE, signal)
      // An agent that has been started anew knows no such check: that ends the session, and the next one registers again.
      if (!signal.aborted) await put(`/v1/agent/check/update/${encodeURIComponent(`service:${id}`)}`, { Status: 'passing' })
    }
  }

  async withdraw({ id }: ServiceAddress, signal: AbortSignal): Promise<void> {
    await this.#api.ask({ method: 'PUT', path: `/v1/agent/service/deregister/${encodeURIComponent(id)}`, signal })
  }
}

/** As it was registered by a host of ours, or by its address and port when others did it. */
function addressOf({ Service: { ID, Address, Port, Meta }, Node }: HealthEntry): ServiceAddress | undefined {
  const host = Address === undefined || Address === '' ? Node?.Address : Address
  const url = Meta?.['url'] ?? (host === undefined ? undefined : `http://${host.includes(':') ? `[${host}]` : host}:${Port ?? 80}`)
  return readAddress(JSON.stringify({ id: ID, url, zone: Meta?.['zone'], version: Meta?.['version'] }))
}
