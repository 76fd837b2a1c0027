/**
 * The broker inside the process. It keeps nothing of its own: a message is `confirmed` only once every consumer of its
 * topic has answered `ack`, so the outbox holds it until each inbox has recorded it, and after a crash the outbox
 * publishes it again. Declared consumers that have not subscribed yet are waited for; nobody is skipped.
 *
 * Whoever opens one engine is connected to the same broker. Publishers are held back by their own unanswered publishes.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type {
  Broker,
  BrokerEngine,
  BrokerOptions,
  BrokerStatus,
  Consumer,
  Delivery,
  Disposition,
  Message,
  PublishOutcome,
  SubscribeOptions,
  Subscription,
} from './broker.ts'

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
const CONFIRMED: PublishOutcome = Object.freeze({ kind: 'confirmed' })
const UNROUTABLE: PublishOutcome = Object.freeze({ kind: 'unroutable' })
const BROKER_CLOSED: PublishOutcome = Object.freeze({
  kind: 'failed',
  reason: 'the embedded broker was closed before every consumer had answered',
})

class EmbeddedBroker implements Broker {
  readonly description = 'embedded broker'
  readonly #exchange: Exchange
  readonly #onStatus: BrokerOptions['onStatus']
  readonly #batches = new Set<Batch>()
  readonly #subscribers = new Set<Subscriber>()
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

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    if (this.#closing !== undefined)
      throw new Error(`Consumer "${options.name}" cannot subscribe: this connection to the embedded broker is closed`)
    if (!Number.isInteger(options.prefetch) || options.prefetch < 1)
      throw new RangeError(`Consumer "${options.name}" has a prefetch of ${options.prefetch}: expected a whole number of at least 1`)
    const subscriber = new Subscriber(this.#exchange.declare(options, this), options)
    this.#subscribers.add(subscriber)
    return {
      close: () => {
        this.#subscribers.delete(subscriber)
        return subscriber.close()
      },
    }
  }

  status(): BrokerStatus {
    return this.#status
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const idle = [...this.#subscribers].map((subscriber) => subscriber.close())
    // What still waits somewhere is given up first: a handler in progress may itself be waiting for such a publish.
    for (const batch of this.#batches) batch.failQueued()
    await Promise.all(idle)
    for (const batch of this.#batches) batch.fail()
    this.#exchange.forget(this)
    this.#status = CLOSED
    this.#onStatus?.(CLOSED)
  }
}

/** Knows who consumes what. A queue lives as long as an open connection has declared it. */
class Exchange {
  readonly maxQueuedMessages: number
  readonly pause: (action: () => void) => Timer
  readonly #queues = new Map<string, Queue>()
  readonly #queuesByTopic = new Map<string, Queue[]>()

  constructor(maxQueuedMessages: number, pause: (action: () => void) => Timer) {
    this.maxQueuedMessages = maxQueuedMessages
    this.pause = pause
  }

  declare({ name, topics }: Consumer, owner: EmbeddedBroker): Queue {
    let queue = this.#queues.get(name)
    if (queue === undefined) this.#queues.set(name, (queue = new Queue(name, this)))
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
    const full = queues.find((queue) => queue.size >= this.maxQueuedMessages)
    if (full !== undefined) return publication.settle(full.refusal())
    // Rebuilt rather than passed on: what the publisher does to its object later is not the consumers' business.
    const copy: Message = Object.freeze({ id: message.id, topic: message.topic, type: message.type, key: message.key, body: message.body })
    publication.unanswered = publication.queued = queues.length
    for (const queue of queues) queue.add({ message: copy, publication, redelivered: message.redelivered === true })
  }
}

/** One `publish()` call: resolves when each of its publications is settled. */
class Batch {
  readonly publications: readonly Publication[]
  readonly #outcomes: PublishOutcome[]
  readonly #resolve: (outcomes: readonly PublishOutcome[]) => void
  #unsettled: number

  constructor(length: number, resolve: (outcomes: readonly PublishOutcome[]) => void) {
    this.#unsettled = length
    this.#resolve = resolve
    this.#outcomes = Array.from<PublishOutcome>({ length }).fill(CONFIRMED)
    this.publications = Array.from({ length }, (_, index) => new Publication(this, index))
  }

  settle(index: number, outcome: PublishOutcome): void {
    this.#outcomes[index] = outcome
    if (--this.#unsettled === 0) this.#resolve(this.#outcomes)
  }

  failQueued(): void {
    for (const publication of this.publications) if (publication.queued > 0) publication.settle(BROKER_CLOSED)
  }

  fail(): void {
    for (const publication of this.publications) publication.settle(BROKER_CLOSED)
  }
}

/** One message of a batch, until every queue that took it has been answered. */
class Publication {
  /** Queues in which it still waits; the others have delivered it. */
  queued = 0
  unanswered = 0
  settled = false
  readonly #batch: Batch
  readonly #index: number

  constructor(batch: Batch, index: number) {
    this.#batch = batch
    this.#index = index
  }

  acknowledge(): void {
    if (--this.unanswered === 0) this.settle(CONFIRMED)
  }

  settle(outcome: PublishOutcome): void {
    if (this.settled) return
    this.settled = true
    this.#batch.settle(this.#index, outcome)
  }
}

interface Queued {
  readonly message: Message
  readonly publication: Publication
  readonly redelivered: boolean
}

/** What waits for one consumer, and the subscribers who share it. */
class Queue {
  readonly name: string
  readonly owners = new Set<EmbeddedBroker>()
  readonly #exchange: Exchange
  readonly #waiting = new Fifo<Queued>()
  /** Given back by a subscriber: ahead of everything that was not delivered before. */
  readonly #returned = new Fifo<Queued>()
  #subscribers: Subscriber[] = []
  #turn = 0
  #pumping = false

  constructor(name: string, exchange: Exchange) {
    this.name = name
    this.#exchange = exchange
  }

  get size(): number {
    return this.#waiting.size + this.#returned.size
  }

  add(queued: Queued): void {
    this.#waiting.push(queued)
    this.pump()
  }

  giveBack({ message, publication }: Queued): void {
    if (publication.settled) return
    publication.queued++
    this.#returned.push({ message, publication, redelivered: true })
    this.pump()
  }

  join(subscriber: Subscriber): void {
    this.#subscribers.push(subscriber)
    this.pump()
  }

  leave(subscriber: Subscriber): void {
    this.#subscribers = this.#subscribers.filter((other) => other !== subscriber)
  }

  pause(action: () => void): Timer {
    return this.#exchange.pause(action)
  }

  refusal(): PublishOutcome {
    return { kind: 'failed', reason: `${this.size} messages already wait for consumer "${this.name}" in the embedded broker` }
  }

  abandon(): void {
    for (let queued = this.#next(); queued !== undefined; queued = this.#next()) queued.publication.settle(BROKER_CLOSED)
  }

  /** Delivers in a microtask of its own, one for however many messages: never on the stack of a publisher or a handler. */
  pump(): void {
    if (this.#pumping || this.#subscribers.length === 0) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      for (let subscriber = this.#free(); subscriber !== undefined; subscriber = this.#free()) {
        const queued = this.#next()
        if (queued === undefined) return
        subscriber.deliver(queued)
      }
    })
  }

  #next(): Queued | undefined {
    for (;;) {
      const queued = this.#returned.shift() ?? this.#waiting.shift()
      if (queued === undefined) return undefined
      // Its publisher has been told that it failed and will publish it again.
      if (queued.publication.settled) continue
      queued.publication.queued--
      return queued
    }
  }

  #free(): Subscriber | undefined {
    for (let tried = 0; tried < this.#subscribers.length; tried++) {
      const subscriber = this.#subscribers[this.#turn++ % this.#subscribers.length]!
      if (subscriber.hasRoom) return subscriber
    }
    return undefined
  }
}

class Subscriber {
  readonly #queue: Queue
  readonly #prefetch: number
  readonly #handle: (delivery: Delivery) => Promise<Disposition>
  /** Answered with `requeue`. They keep their place until the pause is over: a failing consumer slows down instead of spinning through its queue. */
  readonly #paused = new Map<Queued, Timer>()
  #inProgress = 0
  #onIdle: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(queue: Queue, options: SubscribeOptions) {
    this.#queue = queue
    this.#prefetch = options.prefetch
    this.#handle = options.handle
    queue.join(this)
  }

  get hasRoom(): boolean {
    return this.#inProgress + this.#paused.size < this.#prefetch
  }

  deliver(queued: Queued): void {
    this.#inProgress++
    const { message, redelivered } = queued
    // A handler that throws or rejects breaks its contract; the message must not be lost by it.
    let answer: Promise<Disposition>
    try {
      answer = this.#handle({ message, redelivered })
    } catch {
      answer = Promise.resolve('requeue')
    }
    answer.then(
      (disposition) => this.#answered(queued, disposition),
      () => this.#answered(queued, 'requeue'),
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#queue.leave(this)
    for (const [queued, timer] of this.#paused) {
      timer.cancel()
      this.#queue.giveBack(queued)
    }
    this.#paused.clear()
    if (this.#inProgress > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
  }

  #answered(queued: Queued, disposition: Disposition): void {
    this.#inProgress--
    if (disposition === 'ack') queued.publication.acknowledge()
    else if (this.#closing !== undefined) this.#queue.giveBack(queued)
    else this.#pause(queued)
    this.#queue.pump()
    if (this.#inProgress === 0) this.#onIdle?.()
  }

  #pause(queued: Queued): void {
    const timer = this.#queue.pause(() => {
      this.#paused.delete(queued)
      this.#queue.giveBack(queued)
    })
    this.#paused.set(queued, timer)
  }
}

/** First in, first out, without moving the rest at every step. */
class Fifo<Item> {
  #items: (Item | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  shift(): Item | undefined {
    if (this.#head === this.#items.length) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) this.#items.length = this.#head = 0
    else if (this.#head > 1_024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }
}
