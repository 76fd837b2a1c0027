/**
 * The broker of a simulated world, which outlives its clients: it keeps what it has confirmed until every consumer has acknowledged it, and
 * otherwise behaves as brokers may: late, twice, out of order, away for a while, or taking a message and not saying so.
 */
import type {
  Broker,
  BrokerEngine,
  BrokerOptions,
  BrokerStatus,
  Delivery,
  Message,
  PublishOutcome,
  SubscribeOptions,
} from '../engine/broker.ts'
import { CONFIRMED } from '../engine/publish-batch.ts'
import type { Choice } from './choices.ts'
import type { FaultKind } from './faults.ts'
import type { Life } from './life.ts'
import type { World } from './world.ts'

const LATENCY_MS = 1
const MAX_LATENCY_MS = 6
const MAX_LATE_MS = 5_000
const MAX_AWAY_MS = 5_000
const REQUEUE_MS = 200

/** One delivery. The same message delivered again is another one: an answer to the first says nothing about it. */
interface Held {
  readonly message: Message
  readonly redelivered: boolean
}

interface Subscriber {
  readonly life: Life
  readonly options: SubscribeOptions
  readonly inHand: Set<Held>
  /** Ends when the subscription is closed, and when the broker forgets it. */
  open: boolean
  onIdle: (() => void) | undefined
}

class Queue {
  readonly topics = new Set<string>()
  readonly waiting: Held[] = []
  readonly subscribers: Subscriber[] = []
}

export class SimulatedBroker {
  readonly #world: World
  readonly #queues = new Map<string, Queue>()
  readonly #clients = new Set<Client>()
  #awayUntilMs = 0

  constructor(world: World) {
    this.#world = world
  }

  /** The broker as one process reaches it. */
  engineOf(life: Life): BrokerEngine {
    return {
      description: 'the simulated broker',
      open: async (options) => {
        for (const { name, topics } of options.consumers) for (const topic of topics) this.queue(name).topics.add(topic)
        const client = new Client(this, life, options)
        this.#clients.add(client)
        return client
      },
    }
  }

  get isAway(): boolean {
    return this.#awayUntilMs > this.#world.nowMs
  }

  /** Nothing waits to be delivered, and nobody has anything in hand. */
  get isEmpty(): boolean {
    return [...this.#queues.values()].every(
      ({ waiting, subscribers }) => waiting.length === 0 && subscribers.every(({ inHand }) => inHand.size === 0),
    )
  }

  /** A process has ended: what it had in hand goes to somebody else. */
  left(life: Life): void {
    for (const client of this.#clients) if (client.life === life) this.#clients.delete(client)
    for (const queue of this.#queues.values())
      for (const subscriber of queue.subscribers.filter((other) => other.life === life)) this.forget(queue, subscriber)
  }

  queue(name: string): Queue {
    let queue = this.#queues.get(name)
    if (queue === undefined) this.#queues.set(name, (queue = new Queue()))
    return queue
  }

  async publish(life: Life, messages: readonly Message[]): Promise<readonly PublishOutcome[]> {
    const world = this.#world
    const { choices } = world
    const way = `${life.node} → broker`
    await world.pause(way, LATENCY_MS, MAX_LATENCY_MS)
    const away = world.fault('brokerRestart', way)
    if (away !== undefined) this.#leave(choices.sizeOf(away) * MAX_AWAY_MS)
    const outcomes = messages.map((message) => this.#take(message, way))
    await world.pause(`${way}: answer`, LATENCY_MS, MAX_LATENCY_MS)
    return outcomes
  }

  forget(queue: Queue, subscriber: Subscriber): void {
    subscriber.open = false
    queue.subscribers.splice(queue.subscribers.indexOf(subscriber), 1)
    for (const { message } of subscriber.inHand) queue.waiting.unshift({ message, redelivered: true })
    subscriber.inHand.clear()
    this.deliver(queue)
  }

  join(queue: Queue, subscriber: Subscriber): void {
    queue.subscribers.push(subscriber)
    this.deliver(queue)
  }

  /** Hands out what waits to whoever has room. Each delivery takes a time of its own, so that they may overtake each other. */
  deliver(queue: Queue): void {
    if (this.isAway) return
    for (;;) {
      const subscriber = this.#free(queue)
      const held = subscriber === undefined ? undefined : queue.waiting.shift()
      if (subscriber === undefined || held === undefined) return
      subscriber.inHand.add(held)
      this.#deliverLater(queue, subscriber, held)
    }
  }

  #deliverLater(queue: Queue, subscriber: Subscriber, held: Held): void {
    const { choices } = this.#world
    const way = `broker → ${subscriber.life.node}`
    const late = this.#fault('lateDelivery', way, held.message)
    const delayMs = choices.delayMs(way, LATENCY_MS, MAX_LATENCY_MS) + (late === undefined ? 0 : choices.sizeOf(late) * MAX_LATE_MS)
    const { redelivered } = held
    this.#world.after(delayMs, subscriber.life, () => {
      if (!subscriber.open || !subscriber.inHand.has(held)) return
      this.#world.say(`event ${held.message.type} of ${held.message.key}${redelivered ? ', again' : ''}`)
      const delivery: Delivery = { message: held.message, redelivered: redelivered || held.message.redelivered === true }
      subscriber.options.handle(delivery).then(
        (disposition) => this.#answered(queue, subscriber, held, disposition === 'ack'),
        () => this.#answered(queue, subscriber, held, false),
      )
    })
  }

  #answered(queue: Queue, subscriber: Subscriber, held: Held, isDone: boolean): void {
    const end = (): void => {
      if (!subscriber.inHand.delete(held)) return
      if (!isDone) queue.waiting.push({ message: held.message, redelivered: true })
      if (subscriber.inHand.size === 0) subscriber.onIdle?.()
      this.deliver(queue)
    }
    // The acknowledgement travels; what was given back pauses, and keeps its place meanwhile.
    this.#world.after(
      isDone ? this.#world.choices.delayMs(`${subscriber.life.node} → broker: ack`, 0, MAX_LATENCY_MS) : REQUEUE_MS,
      subscriber.life,
      end,
    )
  }

  #free({ subscribers }: Queue): Subscriber | undefined {
    const free = subscribers.filter(({ open, options, inHand }) => open && inHand.size < options.prefetch)
    if (free.length < 2) return free[0]
    return free[Math.floor(this.#world.choices.delayMs('broker: whose turn', 0, free.length)) % free.length]
  }

  #take(message: Message, way: string): PublishOutcome {
    if (this.isAway || this.#fault('refusedPublish', way, message) !== undefined) {
      this.#world.say(`${message.type} of ${message.key} is not taken by the broker`)
      return { kind: 'failed', reason: 'the simulated broker has not taken it' }
    }
    const queues = [...this.#queues].filter(([, { topics }]) => topics.has(message.topic))
    if (queues.length === 0) return { kind: 'unroutable' }
    this.#world.say(`publishes ${message.type} of ${message.key}`)
    for (const [name, queue] of queues) {
      const { redelivered = false } = message
      queue.waiting.push({ message: Object.freeze({ ...message }), redelivered })
      if (this.#fault('duplicateDelivery', `broker → ${name}`, message) !== undefined) {
        this.#world.say(`the broker has ${message.type} of ${message.key} twice`)
        queue.waiting.push({ message: Object.freeze({ ...message }), redelivered })
      }
      this.deliver(queue)
    }
    if (this.#fault('lostConfirmation', way, message) === undefined) return CONFIRMED
    this.#world.say(`the broker's confirmation of ${message.type} of ${message.key} is lost`)
    return { kind: 'failed', reason: 'the confirmation of the simulated broker was lost' }
  }

  #fault(kind: FaultKind, way: string, { body }: Message): Choice | undefined {
    const traceId = /"traceparent":"00-([0-9a-f]{32})/.exec(body)?.[1]
    return this.#world.fault(kind, way, traceId)
  }

  /** It restarts: what it holds is kept, what was in hand is delivered again to subscribers that come back. */
  #leave(forMs: number): void {
    this.#awayUntilMs = this.#world.nowMs + forMs
    this.#world.say(`the broker is away for ${Math.round(forMs)} ms`)
    for (const queue of this.#queues.values())
      for (const { inHand } of queue.subscribers) {
        for (const { message } of inHand) queue.waiting.unshift({ message, redelivered: true })
        inHand.clear()
      }
    this.#tell()
    this.#world.after(forMs, undefined, () => {
      if (!this.isAway) this.#comeBack()
    })
  }

  /** Whatever keeps it away ends. */
  heal(): void {
    if (!this.isAway) return
    this.#awayUntilMs = 0
    this.#comeBack()
  }

  #comeBack(): void {
    this.#tell()
    for (const queue of this.#queues.values()) this.deliver(queue)
  }

  #tell(): void {
    const status = this.status()
    for (const { life, options } of this.#clients) this.#world.after(0, life, () => options.onStatus?.(status))
  }

  status(): BrokerStatus {
    return this.isAway ? { up: false, reason: 'the simulated broker is away' } : { up: true }
  }
}

/** The connection of one process. */
class Client implements Broker {
  readonly description = 'the simulated broker'
  readonly life: Life
  readonly options: BrokerOptions
  readonly #broker: SimulatedBroker

  constructor(broker: SimulatedBroker, life: Life, options: BrokerOptions) {
    this.#broker = broker
    this.life = life
    this.options = options
  }

  publish(messages: readonly Message[]): Promise<readonly PublishOutcome[]> {
    return this.#broker.publish(this.life, messages)
  }

  async subscribe(options: SubscribeOptions): ReturnType<Broker['subscribe']> {
    const queue = this.#broker.queue(options.name)
    for (const topic of options.topics) queue.topics.add(topic)
    const subscriber: Subscriber = { life: this.life, options, inHand: new Set(), open: true, onIdle: undefined }
    this.#broker.join(queue, subscriber)
    return {
      close: async () => {
        subscriber.open = false
        if (subscriber.inHand.size > 0) await new Promise<void>((resolve) => (subscriber.onIdle = resolve))
        this.#broker.forget(queue, subscriber)
      },
    }
  }

  status(): BrokerStatus {
    return this.#broker.status()
  }

  async close(): Promise<void> {
    this.#broker.left(this.life)
  }
}
