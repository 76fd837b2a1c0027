/** How the engine is set up: what a user may say, what holds when nothing is said, and the two together with nothing left open. */
import type { TlsOptions } from '@nats-io/transport-node'
import type { BrokerConnectionOptions } from 'skerry/engine'
import { brokerConnectionDefaults } from 'skerry/engine'
import type { NatsAddress } from './address.ts'
import { natsAddress } from './address.ts'

export interface NatsOptions extends BrokerConnectionOptions {
  /** `nats://user:password@host:4222`, `nats://token@host`, or `tls:`. Several for the nodes of a cluster: they are tried in turn. */
  readonly url: string | readonly string[]
  /** The stream, and what all its subjects start with: `<prefix>.<topic>`. Default: the parameter `prefix` of the first url, else `skerry`. */
  readonly prefix?: string
  /** On how many servers the stream is kept; applies when it is created. Default: the parameter `replicas` of the first url, else 1. In production 3. */
  readonly replicas?: number
  /** For TLS: certificate authority, client certificate and key, as PEM. */
  readonly tls?: Pick<TlsOptions, 'ca' | 'cert' | 'key' | 'handshakeFirst'>
  /** How many messages may be on their way to NATS and not yet confirmed. Default 200. */
  readonly maxUnconfirmed?: number
  /**
   * How long NATS waits for a sign of life from whoever handles a delivery, in milliseconds, before it makes the delivery again.
   * While a handler runs one is sent at every third of it. Shorter: the work of a process that died is taken over sooner. Default 30,000.
   */
  readonly ackWaitMs?: number
  /**
   * About how often what every consumer has handled is deleted from the stream, in milliseconds, besides when the stream is full. Longer
   * costs room, shorter costs requests. Default 10,000.
   */
  readonly tidyEveryMs?: number
}

const DEFAULTS = {
  ...brokerConnectionDefaults('SKERRY_NATS'),
  prefix: 'skerry',
  replicas: 1,
  tls: {},
  maxUnconfirmed: 200,
  ackWaitMs: 30_000,
  tidyEveryMs: 10_000,
} satisfies Omit<Required<NatsOptions>, 'url'>

/** The options with nothing left open. */
export type Settings = typeof DEFAULTS &
  Omit<NatsOptions, 'url'> & { readonly addresses: readonly NatsAddress[]; readonly description: string }

/** Throws a `TypeError` when a url cannot be one. */
export function settingsOf(options: NatsOptions): Settings {
  const addresses = (typeof options.url === 'string' ? [options.url] : options.url).map(natsAddress)
  const [first] = addresses
  if (first === undefined) throw new TypeError('nats({ url: [] }): expected at least one url, such as nats://user:password@host:4222')
  const description = `NATS at ${addresses.map(({ hostname, port }) => `${hostname}:${port}`).join(', ')}`
  return {
    ...DEFAULTS,
    prefix: first.prefix ?? DEFAULTS.prefix,
    replicas: first.replicas ?? DEFAULTS.replicas,
    ...options,
    addresses,
    description,
  }
}
