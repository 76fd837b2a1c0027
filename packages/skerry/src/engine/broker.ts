/**
 * The port to a broker. Skerry asks little of it: carry messages, at least once, in any order, and say truthfully when
 * it has taken responsibility for one. Order per key, effects once, retries and dead letters are made by the platform
 * on both sides, so they are the same on every engine. `brokerConformance` in `skerry/testing` states what an engine must do.
 */

/** A message on its way. `body` is a CloudEvent in structured JSON form (CloudEvents 1.0, JSON event format). */
export interface Message {
  /** Unique per message and the same at every attempt: the CloudEvent's id. */
  readonly id: string
  /** What subscribers subscribe to: the name of the publishing contract. */
  readonly topic: string
  /** The CloudEvent's type, for routing and for people. */
  readonly type: string
  /** Messages of one key are handled in order; the platform sees to it. */
  readonly key: string
  readonly body: string
  /** True when the publisher may have published it before, as after a restart. Arrives as `Delivery.redelivered`. */
  readonly redelivered?: boolean | undefined
  /** What else the contract promises to foreign consumers on this broker; engines ignore what is not theirs. */
  readonly bindings?: MessageBindings | undefined
}

export interface MessageBindings {
  /** AMQP: the event's bare data, as JSON, also goes to this queue of the default exchange. `durable: false` matches a consumer that declares it so. */
  readonly amqp?: { readonly queue: string; readonly durable: boolean; readonly data: string } | undefined
}

export type PublishOutcome =
  /** The broker holds the message for every declared consumer: it may be forgotten here. */
  | { readonly kind: 'confirmed' }
  /** No queue took it. */
  | { readonly kind: 'unroutable' }
  /** Refused or unknown: publish it again. */
  | { readonly kind: 'failed'; readonly reason: string }

export interface Delivery {
  readonly message: Message
  /** True when this message may have been delivered before: as far as the broker knows, or because its publisher said so. */
  readonly redelivered: boolean
}

/**
 * `ack`: the platform has recorded the outcome, forget the message. `requeue`: nothing was recorded (the database is
 * down): deliver it again, to anyone, after a pause of the engine's choosing.
 */
export type Disposition = 'ack' | 'requeue'

export interface Consumer {
  /** Names the durable queue. All instances of one consumer share it. */
  readonly name: string
  readonly topics: readonly string[]
}

export interface SubscribeOptions extends Consumer {
  /** How many deliveries may be in progress at once: 1 to 65,535. */
  readonly prefetch: number
  /** Never rejects. */
  readonly handle: (delivery: Delivery) => Promise<Disposition>
}

export interface Subscription {
  /** Takes no new deliveries; resolves when those in progress have been answered. */
  close(): Promise<void>
}

export type BrokerStatus = { readonly up: true } | { readonly up: false; readonly reason: string }

export interface Broker {
  /** For messages, such as `RabbitMQ at mq:5672`. Never holds a password. */
  readonly description: string
  /**
   * Sends the messages in the order given and resolves with one outcome for each, in that order, once all are known.
   * Never rejects: while the broker cannot be reached the outcome is `failed`.
   */
  publish(messages: readonly Message[]): Promise<readonly PublishOutcome[]>
  /**
   * Starts a consumer. Resolves when the subscription is in place; while the broker cannot be reached the engine keeps
   * trying, and resubscribes after every loss of the connection, until it is closed.
   */
  subscribe(options: SubscribeOptions): Promise<Subscription>
  status(): BrokerStatus
  close(): Promise<void>
}

export interface BrokerOptions {
  /** Every consumer of the system: their queues are declared before anything is published, so that nothing is published to nobody. */
  readonly consumers: readonly Consumer[]
  /** Told of every change of `status()`. */
  readonly onStatus?: (status: BrokerStatus) => void
}

export interface BrokerEngine {
  readonly description: string
  /** Does not wait for the connection: a broker that is down at start is connected to when it comes up. Rejects only for what waiting cannot cure. */
  open(options: BrokerOptions): Promise<Broker>
}
