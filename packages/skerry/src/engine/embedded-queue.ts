/**
 * A consumer's queue inside the process: who waits and who is served. Deliveries are made in the order of publishing, in turn to all
 * subscribers that have room; what was given back comes first. Nothing here knows of topics or publishers.
 */
import type { Timer } from '../base/clock.ts'
import { Fifo } from '../base/fifo.ts'
import type { Delivery, Disposition, Message, PublishOutcome, SubscribeOptions } from './broker.ts'
import type { Publication } from './embedded-publication.ts'
import { BROKER_CLOSED } from './embedded-publication.ts'

export type Pause = (action: () => void) => Timer

export interface Queued {
  readonly message: Message
  readonly publication: Publication
  readonly redelivered: boolean
}

/** What waits for one consumer, and the subscribers who share it. */
export class Queue {
  readonly name: string
  /** The connections that have declared it. It ends with the last of them. */
  readonly owners = new Set<object>()
  /** Runs an action after the pause that a returned message has to wait. */
  readonly pause: Pause
  readonly #waiting = new Fifo<Queued>()
  /** Given back by a subscriber: ahead of everything that was not delivered before. */
  readonly #returned = new Fifo<Queued>()
  #subscribers: Subscriber[] = []
  #turn = 0
  #pumping = false

  constructor(name: string, pause: Pause) {
    this.name = name
    this.pause = pause
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

export class Subscriber {
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
