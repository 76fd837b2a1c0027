/**
 * The broker port on Kafka. A topic is a topic of the cluster, `<prefix>.<topic>`, divided by the messages' keys; a consumer is a group,
 * `<prefix>.<consumer>`, that all its instances join. A partition has one of them at a time, so messages of one key are never handled by two.
 *
 * A message is `confirmed` when all replicas in sync have it: what that is worth is the topic's (`replicas`, `min.insync.replicas`). A topic keeps
 * it for its `retention.ms`, handled or not: a consumer that is away for longer loses messages, and is told how many. It is `unroutable` when no consumer
 * of the system names its topic and the cluster has none of that name.
 *
 * The group is told how far a consumer has settled each partition without a gap. What it had settled beyond comes again after a crash; so does what
 * it had in hand when partitions change hands, which is whenever an instance comes or goes.
 */
import type { Broker, BrokerEngine, BrokerOptions, SubscribeOptions, Subscription } from 'skerry/engine'
import { BrokerHealth, Subscriptions } from 'skerry/engine'
import { Connection } from './connection.ts'
import { Publisher } from './publisher.ts'
import type { KafkaOptions, Settings } from './settings.ts'
import { settingsOf } from './settings.ts'
import { Subscriber } from './subscriber.ts'
import { Topology } from './topology.ts'

/** Kafka as a broker engine. Throws a `TypeError` when a url cannot be one. */
export function kafka(options: KafkaOptions): BrokerEngine {
  const settings = settingsOf(options)
  const { description } = settings
  return { description, open: async (brokerOptions) => new KafkaBroker(settings, brokerOptions) }
}

class KafkaBroker implements Broker {
  readonly description: string
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  readonly #publisher: Publisher
  readonly #connection: Connection
  readonly #subscriptions: Subscriptions<Subscriber>
  #closing: Promise<void> | undefined

  constructor(settings: Settings, options: BrokerOptions) {
    this.description = settings.description
    this.#subscriptions = new Subscriptions(settings.description)
    this.#settings = settings
    this.#topology = new Topology(settings, options.consumers)
    this.#health = new BrokerHealth(options.onStatus)
    this.#publisher = new Publisher(settings, this.#topology, this.#health)
    this.#connection = new Connection(settings, {
      onUp: async (session) => {
        await this.#topology.declareAll(session.admin)
        this.#publisher.attach(session)
      },
      onDown: (reason) => this.#publisher.detach(reason),
    })
    this.#connection.start()
  }

  publish(...[messages]: Parameters<Broker['publish']>): ReturnType<Broker['publish']> {
    return this.#publisher.publish(messages)
  }

  subscribe(options: SubscribeOptions): Promise<Subscription> {
    return this.#subscriptions.open(options, () => {
      this.#topology.add(options)
      return new Subscriber(options, this.#settings, this.#topology, this.#health)
    })
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
    await this.#subscriptions.close()
    await published
    await this.#connection.close()
    this.#health.close()
  }
}
