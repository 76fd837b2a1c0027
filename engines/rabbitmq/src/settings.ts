/** How the engine is set up: what a user may say, what holds when nothing is said, and the two together with nothing left open. */
import type { ConnectionOptions } from 'node:tls'
import type { Clock, Random } from 'skerry/engine'
import { systemClock, systemRandom } from 'skerry/engine'
import type { RabbitmqAddress } from './address.ts'
import { rabbitmqAddress } from './address.ts'

export interface RabbitmqOptions {
  /** `amqp://user:password@host:5672/vhost`, or `amqps:`. Several for the nodes of a cluster: they are tried in turn. */
  readonly url: string | readonly string[]
  /** The durable topic exchange that all messages pass. Default: the parameter `prefix` of the first url, else `skerry`. */
  readonly exchange?: string
  /** What the names of queues start with: `<prefix>.<consumer>`. Default: as for `exchange`. */
  readonly prefix?: string
  /** For `amqps:`: certificate authority, client certificate and so on, as Node's `tls.connect` takes them. */
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized'>
  /** How many messages may be on their way to RabbitMQ and not yet confirmed. Default 200. */
  readonly maxUnconfirmed?: number
  /** How many bytes of bodies may be on their way and not yet confirmed. One larger message travels alone. Default 16 MiB. */
  readonly maxUnconfirmedBytes?: number
  /** A message not confirmed after so long, in milliseconds, is `failed`. Default 30,000. */
  readonly confirmTimeoutMs?: number
  /** About how long a delivery answered with `requeue` is kept back, in milliseconds, before it is made again. Default 1,000. */
  readonly retryDelayMs?: number
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
  exchange: 'skerry',
  prefix: 'skerry',
  tls: {},
  maxUnconfirmed: 200,
  maxUnconfirmedBytes: 16 * 1_024 * 1_024,
  confirmTimeoutMs: 30_000,
  retryDelayMs: 1_000,
  maxReconnectDelayMs: 5_000,
  heartbeatSeconds: 10,
  onWarning: (warning: string) => process.emitWarning(warning, { code: 'SKERRY_RABBITMQ' }),
  clock: systemClock,
  random: systemRandom,
} satisfies Omit<Required<RabbitmqOptions>, 'url'>

/** The options with nothing left open. */
export type Settings = typeof DEFAULTS &
  Omit<RabbitmqOptions, 'url'> & { readonly addresses: readonly RabbitmqAddress[]; readonly description: string }

/** Throws a `TypeError` when a url cannot be one. */
export function settingsOf(options: RabbitmqOptions): Settings {
  const addresses = (typeof options.url === 'string' ? [options.url] : options.url).map(rabbitmqAddress)
  if (addresses.length === 0)
    throw new TypeError('rabbitmq({ url: [] }): expected at least one url, such as amqp://user:password@host:5672/vhost')
  const description = `RabbitMQ at ${addresses.map(({ hostname, port }) => `${hostname}:${port}`).join(', ')}`
  const [{ prefix } = { prefix: undefined }] = addresses
  return { ...DEFAULTS, ...(prefix === undefined ? {} : { exchange: prefix, prefix }), ...options, addresses, description }
}
