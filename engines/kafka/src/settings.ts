/** How the engine is set up: what a user may say, what holds when nothing is said, and the two together with nothing left open. */
import type { ConnectionOptions } from 'node:tls'
import type { BrokerConnectionOptions } from 'skerry/engine'
import { brokerConnectionDefaults } from 'skerry/engine'
import type { KafkaAddress } from './address.ts'
import { kafkaAddress } from './address.ts'

export interface KafkaOptions extends BrokerConnectionOptions {
  /** `kafka://user:password@host:9092`, or `kafkas:` for TLS. Several servers of one cluster to begin with; who we are is said by the first. */
  readonly url: string | readonly string[]
  /** What topics and groups start with: `<prefix>.<topic>`, `<prefix>.<consumer>`. Default: the parameter `prefix` of the first url, else `skerry`. */
  readonly prefix?: string
  /**
   * Into how many partitions a topic is divided; applies when it is created. As many instances of a consumer can work at a time. Not to be
   * raised later while messages are on their way. Default: the parameter `partitions` of the first url, else 12.
   */
  readonly partitions?: number
  /** On how many servers a topic is kept; applies when it is created. Default: the parameter `replicas` of the first url, else what the cluster says. */
  readonly replicas?: number
  /** How long a topic keeps a message, in milliseconds, handled or not; applies when it is created. -1 is for ever. Default 7 days. */
  readonly retentionMs?: number
  /** How large a message a topic takes, in bytes; applies when it is created. Default 8 MiB. */
  readonly maxMessageBytes?: number
  /** For `kafkas:`: certificate authority, client certificate and so on, as Node's `tls.connect` takes them. */
  readonly tls?: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized'>
  /** How many messages may be on their way to Kafka and not yet confirmed. Default 1,000. */
  readonly maxUnconfirmed?: number
  /** After how long without a sign of life, in milliseconds, what a process has in hand is given to others. Default 30,000; servers want 6,000 or more. */
  readonly sessionTimeoutMs?: number
}

const DEFAULTS = {
  ...brokerConnectionDefaults('SKERRY_KAFKA'),
  prefix: 'skerry',
  partitions: 12,
  retentionMs: 7 * 24 * 3_600_000,
  maxMessageBytes: 8 * 1_024 * 1_024,
  tls: {},
  maxUnconfirmed: 1_000,
  sessionTimeoutMs: 30_000,
} satisfies Omit<Required<KafkaOptions>, 'url' | 'replicas'>

/** The options with nothing left open, but for what the cluster decides. */
export type Settings = typeof DEFAULTS &
  Omit<KafkaOptions, 'url' | 'replicas'> & {
    readonly replicas: number | undefined
    /** At least one. */
    readonly addresses: readonly [KafkaAddress, ...KafkaAddress[]]
    readonly description: string
  }

/** Throws a `TypeError` when a url cannot be one. */
export function settingsOf(options: KafkaOptions): Settings {
  const [first, ...others] = (typeof options.url === 'string' ? [options.url] : options.url).map(kafkaAddress)
  if (first === undefined) throw new TypeError('kafka({ url: [] }): expected at least one url, such as kafka://user:password@host:9092')
  const addresses: Settings['addresses'] = [first, ...others]
  return {
    ...DEFAULTS,
    prefix: first.prefix ?? DEFAULTS.prefix,
    partitions: first.partitions ?? DEFAULTS.partitions,
    ...options,
    replicas: options.replicas ?? first.replicas,
    addresses,
    description: `Kafka at ${addresses.map(({ hostname, port }) => `${hostname}:${port}`).join(', ')}`,
  }
}
