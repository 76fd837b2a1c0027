/**
 * The broker inside the process. It keeps nothing of its own: a message is `confirmed` only once every consumer of its
 * topic has answered `ack`, so the outbox holds it until each inbox has recorded it, and after a crash the outbox
 * publishes it again. Declared consumers that have not subscribed yet are waited for; nobody is skipped.
 *
 * Whoever opens one engine is connected to the same broker. Publishers are held back by their own unanswered publishes.
 */
import type { Clock } from '../base/clock.ts'
import type {
  Broker,
  BrokerEngine,
  BrokerOptions,
  BrokerStatus,
  Consumer,
  Message,
  PublishOutcome,
  SubscribeOptions,
  Subscription,
} from './broker.ts'
import type { Publication } from './embedded-publication.ts'
import { Batch, BROKER_CLOSED } from './embedded-publication.ts'
import type { Pause } from './embedded-queue.ts'
import { Queue, Subscriber } from './embedded-queue.ts'
import { Subscriptions } from './subscriptions.ts'

export interface EmbeddedBrokerOptions {
  readonly clock: Clock
  /** How long a delivery answered with `requeue` waits, in milliseconds, before it is made again. Default 200. */
  readonly retryDelayMs?: number
  /** How many messages may wait for one consumer; beyond it publishing to that consumer fails. Default 100,000. */
  readonly maxQueuedMessages?: number
}

export function embeddedBroker({ clock, retryDelayMs = 200, maxQueuedMessages = 100_000 }: EmbeddedBrokerOptions): BrokerEngine {
  const exchange = new Exchange(maxQueuedMessages, (action) => clock.setTimer(retryDelayMs, action))
  return {
    description: 'embedded broker',
    open: async (options) => new EmbeddedBroker(exchange, options),
  }
}

const UP: BrokerStatus = Object.freeze({ up: true })
const CLOSED: BrokerStatus = Object.freeze({ up: false, reason: 'closed' })
const UNROUTABLE: PublishOutcome = Object.freeze({ kind: 'unroutable' })

class EmbeddedBroker implements Broker {
  readonly description = 'embedded broker'
  readonly #exchange: Exchange
  readonly #onStatus: BrokerOptions['onStatus']
  readonly #batches = new Set<Batch>()
  readonly #subscriptions = new Subscriptions<Subscriber>('the embedded broker')
  #status = UP
  #closing: Promise<void> | undefined

  constructor(exchange: Exchange, options: BrokerOptions) {
    this.#exchange = exchange
    this.#onStatus = options.onStatus
    for (const consumer of options.consumers) exchange.declare(consumer, this)
  }

  publish(messages: readonly Message[]): Promise<readonly PublishOutcome[]> {
    if (this.#closing !== undefined) return Promise.resolve(messages.map(() => BROKER_CLOSED))
    if (messages.length === 0) return Promise.resolve([])
    return new Promise((resolve) => {
      const batch = new Batch(messages.length, (outcomes) => {
        this.#batches.delete(batch)
        resolve(outcomes)
      })
      this.#batches.add(batch)
      for (const [index, message] of messages.entries()) this.#exchange.publish(message, batch.publications[index]!)
    })
  }

  subscribe(options: SubscribeOptions): Promise<Subscription> {
    return this.#subscriptions.open(options, () => new Subscriber(this.#exchange.declare(options, this), options))
  }

  status(): BrokerStatus {
    return this.#status
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const idle = this.#subscriptions.close()
    // What still waits somewhere is given up first: a handler in progress may itself be waiting for such a publish.
    for (const batch of this.#batches) batch.failQueued()
    await idle
    for (const batch of this.#batches) batch.fail()
    this.#exchange.forget(this)
    this.#status = CLOSED
    this.#onStatus?.(CLOSED)
  }
}

/** Knows who consumes what. A queue lives as long as an open connection has declared it. */
class Exchange {
  readonly #maxQueuedMessages: number
  readonly #pause: Pause
  readonly #queues = new Map<string, Queue>()
  readonly #queuesByTopic = new Map<string, Queue[]>()

  constructor(maxQueuedMessages: number, pause: Pause) {
    this.#maxQueuedMessages = maxQueuedMessages
    this.#pause = pause
  }

  declare({ name, topics }: Consumer, owner: EmbeddedBroker): Queue {
    let queue = this.#queues.get(name)
    if (queue === undefined) this.#queues.set(name, (queue = new Queue(name, this.#pause)))
    queue.owners.add(owner)
    for (const topic of topics) {
      const bound = this.#queuesByTopic.get(topic)
      if (bound === undefined) this.#queuesByTopic.set(topic, [queue])
      else if (!bound.includes(queue)) bound.push(queue)
    }
    return queue
  }

  forget(owner: EmbeddedBroker): void {
    for (const queue of this.#queues.values()) {
      if (!queue.owners.delete(owner) || queue.owners.size > 0) continue
      this.#queues.delete(queue.name)
      for (const [topic, bound] of this.#queuesByTopic) {
        const others = bound.filter((other) => other !== queue)
        if (others.length > 0) this.#queuesByTopic.set(topic, others)
        else this.#queuesByTopic.delete(topic)
      }
      queue.abandon()
    }
  }

  publish(message: Message, publication: Publication): void {
    const queues = this.#queuesByTopic.get(message.topic)
    if (queues === undefined) return publication.settle(UNROUTABLE)
    const full = queues.find((queue) => queue.size >= this.#maxQueuedMessages)
    if (full !== undefined) return publication.settle(full.refusal())
    // Rebuilt rather than passed on: what the publisher does to its object later is not the consumers' business.
    const copy: Message = Object.freeze({ id: message.id, topic: message.topic, type: message.type, key: message.key, body: message.body })
    publication.unanswered = publication.queued = queues.length
    for (const queue of queues) queue.add({ message: copy, publication, redelivered: message.redelivered === true })
  }
}
