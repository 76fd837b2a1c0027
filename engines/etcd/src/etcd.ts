/**
 * The registry port on etcd, by its JSON gateway (etcd 3.4 or later). An instance is a key `/<prefix>/<service>/<id>` under a lease; a watch begins
 * at the revision of the list before it, so that nothing is missed between them. Where etcd wants a login, name and password are in the URL.
 */
import type { RegistryConnectionOptions, RegistryEngine, RegistrySettings, ServiceAddress } from 'skerry/engine'
import { JsonApi, openRegistry, readAddress, registryDefaults, sleep, writeAddress } from 'skerry/engine'
import { decoded, encoded, prefixRange } from './keys.ts'

export interface EtcdOptions extends RegistryConnectionOptions {
  /** `etcd://host:2379` or, over TLS, `etcds://…`; a path is what all keys begin with, default `/skerry`. */
  readonly url: string
  /** Certificates that are trusted instead of the machine's, as PEM. */
  readonly ca?: string
  /** How long a list is followed before it is asked for anew, in milliseconds, in case a connection is dead and does not say so. Default 30,000. */
  readonly relistMs?: number
}

const RENEWALS_PER_LEASE = 3
const RELIST_MS = 30_000

/** etcd as a registry engine. Throws a `TypeError` when the URL cannot be one. */
export function etcd({ url: text, ca, relistMs = RELIST_MS, ...options }: EtcdOptions): RegistryEngine {
  const settings = { ...registryDefaults(), ...options }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^etcds?:$/.test(url.protocol) || url.hostname === '')
    throw new TypeError('The URL of an etcd is etcd://<host>:2379 or etcds://<host>:2379')
  const description = `etcd at ${url.host}`
  return {
    description,
    async open(registryOptions) {
      const server = new Server(url, ca, settings, relistMs)
      const registry = openRegistry(
        {
          description,
          follow: (service, tell, signal) => server.follow(service, tell, signal),
          registrations: {
            hold: (service, instance, held, signal) => server.hold(service, instance, held, signal),
            withdraw: (service, instance, signal) => server.withdraw(service, instance, signal),
          },
        },
        settings,
        registryOptions,
      )
      return {
        ...registry,
        async close() {
          await registry.close()
          await server.close()
        },
      }
    },
  }
}

interface KeyValue {
  readonly key: string
  readonly value?: string
}

interface WatchAnswer {
  readonly error?: { readonly message?: string }
  readonly result?: {
    readonly canceled?: boolean
    readonly cancel_reason?: string
    readonly events?: readonly { readonly type?: 'DELETE'; readonly kv: KeyValue }[]
  }
}

class Server {
  readonly #api: JsonApi
  readonly #prefix: string
  readonly #login: { readonly name: string; readonly password: string } | undefined
  readonly #settings: RegistrySettings
  readonly #relistMs: number
  #token: string | undefined

  constructor({ protocol, host, pathname, username, password }: URL, ca: string | undefined, settings: RegistrySettings, relistMs: number) {
    this.#settings = settings
    this.#relistMs = relistMs
    this.#prefix = pathname.replace(/\/+$/, '') || '/skerry'
    this.#login = username === '' ? undefined : { name: decodeURIComponent(username), password: decodeURIComponent(password) }
    this.#api = new JsonApi({
      origin: `${protocol === 'etcds:' ? 'https' : 'http'}://${host}`,
      ca,
      headers: async () => (this.#token === undefined ? {} : { authorization: this.#token }),
    })
  }

  close(): Promise<void> {
    return this.#api[Symbol.asyncDispose]()
  }

  async follow(service: string, tell: (instances: readonly ServiceAddress[]) => void, signal: AbortSignal): Promise<void> {
    await this.#logIn(signal)
    const range = prefixRange(`${this.#prefix}/${service}/`)
    while (!signal.aborted) {
      const { header, kvs = [] } = await this.#ask<{ header: { revision: string }; kvs?: readonly KeyValue[] }>(
        '/v3/kv/range',
        range,
        signal,
      )
      const known = new Map(kvs.map(({ key, value }) => [key, addressIn(value)]))
      const tellAll = (): void => tell([...known.values()].filter((address) => address !== undefined))
      tellAll()
      for await (const events of this.#watch({ ...range, start_revision: String(BigInt(header.revision) + 1n) }, signal)) {
        for (const { type, kv } of events)
          if (type === 'DELETE') known.delete(kv.key)
          else known.set(kv.key, addressIn(kv.value))
        tellAll()
      }
    }
  }

  async hold(service: string, instance: ServiceAddress, held: () => void, signal: AbortSignal): Promise<void> {
    const { leaseMs, clock } = this.#settings
    await this.#logIn(signal)
    const { ID: lease } = await this.#ask<{ ID: string }>('/v3/lease/grant', { TTL: String(Math.ceil(leaseMs / 1_000)) }, signal)
    await this.#ask('/v3/kv/put', { key: this.#keyOf(service, instance), value: encoded(writeAddress(instance)), lease }, signal)
    for (held(); !signal.aborted; held()) {
      await sleep(clock, leaseMs / RENEWALS_PER_LEASE, signal)
      if (signal.aborted) return
      const { result } = await this.#ask<{ result?: { TTL?: string } }>('/v3/lease/keepalive', { ID: lease }, signal)
      if (Number(result?.TTL ?? 0) <= 0) throw new Error('the lease has run out')
    }
  }

  async withdraw(service: string, instance: ServiceAddress, signal: AbortSignal): Promise<void> {
    await this.#ask('/v3/kv/deleterange', { key: this.#keyOf(service, instance) }, signal)
  }

  #keyOf(service: string, { id }: ServiceAddress): string {
    return encoded(`${this.#prefix}/${service}/${id}`)
  }

  /** What changes from the given revision on, until it is time for a new list. */
  async *#watch(
    request: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncGenerator<NonNullable<NonNullable<WatchAnswer['result']>['events']>> {
    const over = new AbortController()
    const timer = this.#settings.clock.setTimer(this.#relistMs, () => over.abort())
    try {
      const answers = this.#api.lines({
        method: 'POST',
        path: '/v3/watch',
        body: { create_request: request },
        signal: AbortSignal.any([signal, over.signal]),
        timeoutMs: this.#relistMs * 2,
      })
      for await (const answer of answers) {
        const { result, error } = answer as WatchAnswer
        // A revision that has been compacted away is one of the reasons: the next list begins anew.
        if (result === undefined || result.canceled === true)
          throw new Error(error?.message ?? result?.cancel_reason ?? 'etcd ended the watch')
        if (result.events !== undefined) yield result.events
      }
    } catch (error) {
      if (!over.signal.aborted) throw error
    } finally {
      timer.cancel()
    }
  }

  async #logIn(signal: AbortSignal): Promise<void> {
    if (this.#login === undefined) return
    this.#token = undefined
    const { token } = await this.#ask<{ token: string }>('/v3/auth/authenticate', this.#login, signal)
    this.#token = token
  }

  async #ask<Answer = unknown>(path: string, body: unknown, signal: AbortSignal): Promise<Answer> {
    return (await this.#api.ask({ method: 'POST', path, body, signal })).body as Answer
  }
}

function addressIn(value: string | undefined): ServiceAddress | undefined {
  return value === undefined ? undefined : readAddress(decoded(value))
}
