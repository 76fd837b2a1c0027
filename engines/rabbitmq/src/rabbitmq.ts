/**
 * The broker port on RabbitMQ. A topic is a routing key of one durable topic exchange; a consumer is one durable quorum
 * queue bound to its topics and shared by all its instances. Two connections per process, one to publish and one to
 * consume, because RabbitMQ holds back a whole connection when it is short of memory or disk, and consuming is the cure.
 *
 * A message is `confirmed` when RabbitMQ has confirmed it and returned no copy of it: it is then on the disks of a
 * majority of the queue's replicas. Everything else, a lost connection above all, is `failed` or `unroutable`.
 * What a queue is bound to stays bound: a topic that a consumer no longer names is unbound by an operator.
 */
import type { ConnectionOptions } from 'node:tls'
import type { Broker, BrokerEngine, BrokerOptions, Clock, Random, SubscribeOptions, Subscription } from 'skerry/engine'
import { systemClock, systemRandom } from 'skerry/engine'
import type { RabbitmqAddress } from './address.ts'
import { rabbitmqAddress } from './address.ts'
import { Connection } from './connection.ts'
import { Health } from './health.ts'
import { Publisher } from './publisher.ts'
import { Subscriber } from './subscriber.ts'
import { Topology } from './topology.ts'

export interface RabbitmqOptions {
  /** `amqp://user:password@host:5672/vhost`, or `amqps:`. Several for the nodes of a cluster: they are tried in turn. */
  readonly url: string | readonly string[]
  /** The durable topic exchange that all messages pass. Default `skerry`. */
  readonly exchange?: string
  /** What the names of queues start with: `<prefix>.<consumer>`. Default `skerry`. */
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

/** RabbitMQ as a broker engine. Throws a `TypeError` when a url cannot be one. */
export function rabbitmq(options: RabbitmqOptions): BrokerEngine {
  const addresses = (typeof options.url === 'string' ? [options.url] : options.url).map(rabbitmqAddress)
  if (addresses.length === 0)
    throw new TypeError('rabbitmq({ url: [] }): expected at least one url, such as amqp://user:password@host:5672/vhost')
  const description = `RabbitMQ at ${addresses.map(({ hostname, port }) => `${hostname}:${port}`).join(', ')}`
  const settings = { ...DEFAULTS, ...options, addresses, description }
  return { description, open: async (brokerOptions) => new RabbitmqBroker(settings, brokerOptions) }
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

class RabbitmqBroker implements Broker {
  readonly description: string
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: Health
  readonly #publisher: Publisher
  readonly #publishing: Connection
  readonly #consuming: Connection
  readonly #subscribers = new Set<Subscriber>()
  #closing: Promise<void> | undefined

  constructor(settings: Settings, options: BrokerOptions) {
    this.description = settings.description
    this.#settings = settings
    this.#topology = new Topology(settings, options.consumers)
    this.#health = new Health(options.onStatus)
    this.#publisher = new Publisher(settings, this.#topology, this.#health)
    this.#publishing = new Connection(settings, {
      name: 'publish',
      onUp: (connection) => this.#publisher.attach(connection),
      onDown: (reason) => {
        this.#publisher.detach(reason)
        this.#health.report('publish', reason)
      },
    })
    this.#consuming = new Connection(settings, {
      name: 'consume',
      onUp: async (connection) => {
        this.#health.report('consume', undefined)
        for (const subscriber of this.#subscribers) subscriber.attach(connection)
      },
      onDown: (reason) => this.#health.report('consume', reason),
    })
    this.#publishing.start()
  }

  publish(...[messages]: Parameters<Broker['publish']>): ReturnType<Broker['publish']> {
    return this.#publisher.publish(messages)
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.#closing !== undefined)
      throw new Error(`Consumer "${options.name}" cannot subscribe: this connection to ${this.description} is closed`)
    if (!Number.isInteger(options.prefetch) || options.prefetch < 1 || options.prefetch > 65_535)
      throw new RangeError(`Consumer "${options.name}" has a prefetch of ${options.prefetch}: expected a whole number from 1 to 65,535`)
    this.#topology.add(options)
    const subscriber = new Subscriber(options, this.#settings, this.#topology, this.#health, () => this.#consuming.current)
    this.#subscribers.add(subscriber)
    this.#consuming.start()
    subscriber.attach(this.#consuming.current)
    await subscriber.inPlace
    return {
      close: () => {
        this.#subscribers.delete(subscriber)
        return subscriber.close()
      },
    }
  }

  status(): ReturnType<Broker['status']> {
    return this.#health.status
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    // Consumers first: what they are handling may still be acknowledged, and nothing new is taken.
    const published = this.#publisher.close()
    await Promise.all([...this.#subscribers].map((subscriber) => subscriber.close()))
    await published
    await Promise.all([this.#publishing.close(), this.#consuming.close()])
    this.#health.close()
  }
}
