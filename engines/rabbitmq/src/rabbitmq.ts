/**
 * The broker port on RabbitMQ. A topic is a routing key of one durable topic exchange; a consumer is one durable quorum
 * queue bound to its topics and shared by all its instances. Two connections per process, one to publish and one to
 * consume, because RabbitMQ holds back a whole connection when it is short of memory or disk, and consuming is the cure.
 *
 * A message is `confirmed` when RabbitMQ has confirmed it and returned no copy of it: it is then on the disks of a
 * majority of the queue's replicas. Everything else, a lost connection above all, is `failed` or `unroutable`.
 * What a queue is bound to stays bound: a topic that a consumer no longer names is unbound by an operator.
 */
import type { Broker, BrokerEngine, BrokerOptions, SubscribeOptions, Subscription } from 'skerry/engine'
import { BrokerHealth, Subscriptions } from 'skerry/engine'
import { Connection } from './connection.ts'
import { Publisher } from './publisher.ts'
import type { RabbitmqOptions, Settings } from './settings.ts'
import { settingsOf } from './settings.ts'
import { Subscriber } from './subscriber.ts'
import { Topology } from './topology.ts'

/** RabbitMQ as a broker engine. Throws a `TypeError` when a url cannot be one. */
export function rabbitmq(options: RabbitmqOptions): BrokerEngine {
  const settings = settingsOf(options)
  const { description } = settings
  return { description, open: async (brokerOptions) => new RabbitmqBroker(settings, brokerOptions) }
}

class RabbitmqBroker implements Broker {
  readonly description: string
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  readonly #publisher: Publisher
  readonly #publishing: Connection
  readonly #consuming: Connection
  readonly #subscriptions: Subscriptions<Subscriber>
  #closing: Promise<void> | undefined

  constructor(settings: Settings, options: BrokerOptions) {
    this.description = settings.description
    this.#subscriptions = new Subscriptions(settings.description)
    this.#settings = settings
    this.#topology = new Topology(settings, options.consumers)
    this.#health = new BrokerHealth(options.onStatus)
    this.#publisher = new Publisher(settings, this.#topology, this.#health)
    this.#publishing = new Connection(settings, {
      name: 'publish',
      onUp: (connection) => this.#publisher.attach(connection),
      onDown: (reason) => this.#publisher.detach(reason),
    })
    this.#consuming = new Connection(settings, {
      name: 'consume',
      onUp: async (connection) => {
        this.#health.report('consume', undefined)
        for (const subscriber of this.#subscriptions) subscriber.attach(connection)
      },
      onDown: (reason) => this.#health.report('consume', reason),
    })
    this.#publishing.start()
  }

  publish(...[messages]: Parameters<Broker['publish']>): ReturnType<Broker['publish']> {
    return this.#publisher.publish(messages)
  }

  subscribe(options: SubscribeOptions): Promise<Subscription> {
    return this.#subscriptions.open(options, () => {
      this.#topology.add(options)
      const subscriber = new Subscriber(options, this.#settings, this.#topology, this.#health, () => this.#consuming.current)
      this.#consuming.start()
      subscriber.attach(this.#consuming.current)
      return subscriber
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
    await Promise.all([this.#publishing.close(), this.#consuming.close()])
    this.#health.close()
  }
}
