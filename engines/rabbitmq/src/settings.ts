/** How the engine is set up: what a user may say, what holds when nothing is said, and the two together with nothing left open. */
import type { ConnectionOptions } from 'node:tls'
import type { BrokerConnectionOptions } from 'skerry/engine'
import { brokerConnectionDefaults } from 'skerry/engine'
import type { RabbitmqAddress } from './address.ts'
import { rabbitmqAddress } from './address.ts'

export interface RabbitmqOptions extends BrokerConnectionOptions {
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
}

const DEFAULTS = {
  ...brokerConnectionDefaults('SKERRY_RABBITMQ'),
  exchange: 'skerry',
  prefix: 'skerry',
  tls: {},
  maxUnconfirmed: 200,
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
