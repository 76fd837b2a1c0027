/** How the engine is set up: what a user may say, what holds when nothing is said, and the two together with nothing left open. */
import type { TlsOptions } from '@nats-io/transport-node'
import type { Clock, Random } from 'skerry/engine'
import { systemClock, systemRandom } from 'skerry/engine'
import type { NatsAddress } from './address.ts'
import { natsAddress } from './address.ts'

export interface NatsOptions {
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
  /** How many bytes of bodies may be on their way and not yet confirmed. One larger message travels alone. Default 16 MiB. */
  readonly maxUnconfirmedBytes?: number
  /** A message not confirmed after so long, in milliseconds, is `failed`. Default 30,000. */
  readonly confirmTimeoutMs?: number
  /**
   * How long NATS waits for a sign of life from whoever handles a delivery, in milliseconds, before it makes the delivery again.
   * While a handler runs one is sent at every third of it. Shorter: the work of a process that died is taken over sooner. Default 30,000.
   */
  readonly ackWaitMs?: number
  /** About how long a delivery answered with `requeue` is kept back, in milliseconds, before it is made again. Default 1,000. */
  readonly retryDelayMs?: number
  /**
   * About how often what every consumer has handled is deleted from the stream, in milliseconds, besides when the stream is full. Longer
   * costs room, shorter costs requests. Default 10,000.
   */
  readonly tidyEveryMs?: number
  /** The longest pause between two attempts to connect, in milliseconds. The first is a fiftieth of it; each is twice the last. Default 5,000. */
  readonly maxReconnectDelayMs?: number
  /** Silence after which a connection counts as lost, in seconds: between two and three times this. Default 10. */
  readonly heartbeatSeconds?: number
  /** Told what an operator should know, once each. Default: a process warning. */
  readonly onWarning?: (warning: string) => void
  readonly clock?: Clock
  readonly random?: Random
}

const DEFAULTS = {
  prefix: 'skerry',
  replicas: 1,
  tls: {},
  maxUnconfirmed: 200,
  maxUnconfirmedBytes: 16 * 1_024 * 1_024,
  confirmTimeoutMs: 30_000,
  ackWaitMs: 30_000,
  retryDelayMs: 1_000,
  tidyEveryMs: 10_000,
  maxReconnectDelayMs: 5_000,
  heartbeatSeconds: 10,
  onWarning: (warning: string) => process.emitWarning(warning, { code: 'SKERRY_NATS' }),
  clock: systemClock,
  random: systemRandom,
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
