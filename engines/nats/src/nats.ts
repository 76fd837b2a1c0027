/**
 * The broker port on NATS JetStream. All topics of a system are subjects of one stream; a consumer is one durable pull consumer for
 * each of its topics, shared by all its instances (only from 2.10 on can one durable have several). The stream keeps a message until
 * every durable that wants it has acknowledged it, and not much longer (tidying.ts): who removes a durable also lets go of what it had
 * not handled.
 *
 * A message is `confirmed` when the stream has confirmed it: what that is worth is the stream's. It survives the death of
 * the server's process; it survives the loss of power only on three replicas whose servers have `sync_interval: always`, which
 * there is since 2.10. It is `unroutable` when no durable of the stream wants its topic: a stream keeps nothing for nobody.
 *
 * Contracts' promises to foreign consumers over AMQP (`bindings.amqp`) cannot be kept here; the engine says so once for each queue.
 *
 * To remove a consumer: first deploy a system without it, because whoever declares it makes it again; then
 * `nats consumer rm <prefix> <consumer>__<topic>`.
 */
import type { Broker, BrokerEngine, BrokerOptions, SubscribeOptions, Subscription } from 'skerry/engine'
import { BrokerHealth, Subscriptions } from 'skerry/engine'
import type { Session } from './connection.ts'
import { Connection } from './connection.ts'
import { Publisher } from './publisher.ts'
import type { NatsOptions, Settings } from './settings.ts'
import { settingsOf } from './settings.ts'
import { Subscriber } from './subscriber.ts'
import { Tidying } from './tidying.ts'
import { Topology } from './topology.ts'

/** NATS JetStream as a broker engine. Throws a `TypeError` when a url cannot be one. */
export function nats(options: NatsOptions): BrokerEngine {
  const settings = settingsOf(options)
  const { description } = settings
  return { description, open: async (brokerOptions) => new NatsBroker(settings, brokerOptions) }
}

class NatsBroker implements Broker {
  readonly description: string
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  readonly #tidying: Tidying
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
    this.#tidying = new Tidying(settings, this.#topology)
    this.#publisher = new Publisher(settings, this.#topology, this.#health, () => this.#tidying.soon())
    this.#connection = new Connection(settings, {
      onUp: (session) => this.#prepare(session),
      onDown: (reason) => {
        this.#tidying.detach()
        this.#publisher.detach(reason)
      },
    })
    this.#connection.start()
  }

  publish(...[messages]: Parameters<Broker['publish']>): ReturnType<Broker['publish']> {
    return this.#publisher.publish(messages)
  }

  subscribe(options: SubscribeOptions): Promise<Subscription> {
    return this.#subscriptions.open(options, () => {
      this.#topology.add(options)
      const subscriber = new Subscriber(options, this.#settings, this.#topology, this.#health, () => this.#connection.current)
      subscriber.attach(this.#connection.current)
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

  async #prepare(session: Session): Promise<void> {
    this.#watch(session)
    await this.#topology.declareAll(session.jsm)
    this.#publisher.attach(session)
    this.#tidying.attach(session)
    for (const subscriber of this.#subscriptions) subscriber.attach(session)
  }

  /** An account may be forbidden to hear these. Then what is deleted is noticed when it is used. */
  #watch({ nc }: Session): void {
    const { stream } = this.#topology
    nc.subscribe(`$JS.EVENT.ADVISORY.CONSUMER.*.${stream}.*`, {
      callback: (error, { subject }) => {
        if (error !== null) return
        this.#publisher.interestChanged()
        const [kind, , durable] = subject.split('.').slice(4)
        if (kind === 'DELETED' && durable !== undefined && this.#topology.declares(durable)) this.#deleted(durable)
      },
    })
    nc.subscribe(`$JS.EVENT.ADVISORY.STREAM.DELETED.${stream}`, {
      callback: (error) => {
        if (error === null) this.#deleted()
      },
    })
  }

  /** A durable of ours, or the stream with all of them. */
  #deleted(durable?: string): void {
    this.#publisher.deleted()
    for (const subscriber of this.#subscriptions) subscriber.deleted(durable)
  }

  async #close(): Promise<void> {
    // Consumers first: what they are handling may still be acknowledged, and nothing new is taken.
    this.#tidying.detach()
    const published = this.#publisher.close()
    await this.#subscriptions.close()
    await published
    await this.#connection.close()
    this.#health.close()
  }
}
