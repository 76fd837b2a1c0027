/**
 * A broker as the platform takes brokers to be: it keeps what it has confirmed and delivers it at least once, in any order. What a consumer
 * has not acknowledged when it dies, or when the broker restarts, is delivered again to anyone.
 */
import type { PublishOutcome } from '../../engine/broker.ts'
import type { ModelEvent } from './event.ts'
import type { Host } from './host.ts'
import type { World } from './world.ts'

const CONFIRMED: PublishOutcome = { kind: 'confirmed' }
const FAILED: PublishOutcome = { kind: 'failed', reason: 'the connection was lost' }
const DOWN_MS = { min: 200, max: 4_000 }
const CHECK_MS = 1_500
const AGAIN_MS = 30

/** One message in a queue. */
export interface Parcel {
  readonly event: ModelEvent
  redelivered: boolean
  /** Counts its deliveries: an acknowledgement is of one of them. */
  delivery: number
  /** Who has it. */
  holder: Host | undefined
}

/** Where messages of a queue go. */
export interface Receiver {
  readonly host: Host
  receive(parcel: Parcel, delivery: number): void
}

export class QueueModel {
  readonly consumer: number
  readonly name: string
  readonly #world: World
  readonly #parcels = new Set<Parcel>()
  readonly #receivers: Receiver[] = []

  constructor(world: World, consumer: number, name: string) {
    this.#world = world
    this.consumer = consumer
    this.name = name
  }

  get size(): number {
    return this.#parcels.size
  }

  subscribe(receiver: Receiver): void {
    const others = this.#receivers.filter(({ host }) => host !== receiver.host)
    this.#receivers.length = 0
    this.#receivers.push(...others, receiver)
    for (const parcel of this.#parcels) if (parcel.holder === undefined) this.#deliver(parcel)
  }

  /** A consumer's connection is gone. */
  lose(host: Host): void {
    const place = this.#receivers.findIndex((receiver) => receiver.host === host)
    if (place !== -1) this.#receivers.splice(place, 1)
    for (const parcel of this.#parcels) if (parcel.holder === host) this.#redeliver(parcel)
  }

  restart(): void {
    for (const parcel of this.#parcels) if (parcel.holder !== undefined) this.#redeliver(parcel)
  }

  take(event: ModelEvent, redelivered: boolean): void {
    event.routed |= 1 << this.consumer
    this.#add(event, redelivered)
    if (this.#world.strikes('duplicate', `${this.name} duplicates`) !== undefined) this.#add(event, false)
  }

  /** The consumer has answered one delivery. */
  answer(parcel: Parcel, delivery: number, disposition: 'ack' | 'requeue'): void {
    if (parcel.delivery !== delivery) return
    if (disposition === 'requeue') return this.#redeliver(parcel)
    if (this.#world.strikes('unacknowledged', `${this.name} loses an acknowledgement`) !== undefined) {
      this.#world.reached('an acknowledgement was lost')
      this.#redeliver(parcel)
    } else this.#parcels.delete(parcel)
  }

  #add(event: ModelEvent, redelivered: boolean): void {
    const parcel: Parcel = { event, redelivered, delivery: 0, holder: undefined }
    this.#parcels.add(parcel)
    this.#deliver(parcel)
  }

  #redeliver(parcel: Parcel): void {
    parcel.delivery++
    parcel.holder = undefined
    parcel.redelivered = true
    this.#world.reached('a message was delivered again')
    this.#deliver(parcel)
  }

  #deliver(parcel: Parcel): void {
    const world = this.#world
    const delivery = ++parcel.delivery
    let delayMs = world.delayMs(`${this.name} delivers`, 1, 15)
    if (parcel.redelivered) delayMs += AGAIN_MS
    const late = world.strikes('late', `${this.name} is late`)
    if (late !== undefined) delayMs += world.sizeMs(late, 50, world.choices.sizeOf(late, 'far') < 0.2 ? 12_000 : 600)
    world.at(world.nowMs + delayMs, () => {
      if (parcel.delivery !== delivery || this.#receivers.length === 0) return
      const receiver = this.#receivers[(parcel.event.number + delivery) % this.#receivers.length]!
      parcel.holder = receiver.host
      world.note('receives', this.name, parcel.event.number, delivery)
      receiver.receive(parcel, delivery)
    })
  }
}

export class BrokerModel {
  readonly #world: World
  /** By topic: the number of the service. */
  readonly #bound: QueueModel[][] = []
  readonly #queues = new Set<QueueModel>()
  /** Told when it can be reached again. */
  onBack: () => void = () => undefined
  #downUntilMs = 0

  constructor(world: World) {
    this.#world = world
  }

  bind(queue: QueueModel, topics: readonly number[]): void {
    this.#queues.add(queue)
    for (const topic of topics) (this.#bound[topic] ??= []).push(queue)
  }

  /** Looks from time to time whether it restarts. */
  start(): void {
    const world = this.#world
    world.at(world.nowMs + CHECK_MS, () => {
      if (world.healed) return
      const choice = world.strikes('restart', 'broker restarts')
      if (choice !== undefined) this.#restart(world.sizeMs(choice, DOWN_MS.min, DOWN_MS.max))
      this.start()
    })
  }

  lose(host: Host): void {
    for (const queue of this.#queues) queue.lose(host)
  }

  get size(): number {
    let size = 0
    for (const queue of this.#queues) size += queue.size
    return size
  }

  publish(host: Host, batch: readonly ModelEvent[], startedMs: number, answer: (outcomes: readonly PublishOutcome[]) => void): void {
    const world = this.#world
    let taken = batch.length
    let confirmed = batch.length
    if (world.nowMs < this.#downUntilMs) taken = confirmed = 0
    else {
      const rejected = world.strikes('reject', `${host.name} publishes in vain`)
      if (rejected !== undefined) {
        confirmed = Math.floor(world.choices.sizeOf(rejected) * batch.length)
        // Those behind the one that is refused are taken, or not.
        taken = world.choices.sizeOf(rejected, 'rest') < 0.5 ? confirmed : -1
        world.reached('a publication was refused')
      } else {
        const unconfirmed = world.strikes('unconfirmed', `${host.name} confirmation lost`)
        if (unconfirmed !== undefined) {
          confirmed = Math.floor(world.choices.sizeOf(unconfirmed) * batch.length)
          world.reached('a confirmation was lost')
        }
      }
    }
    for (const [place, event] of batch.entries()) {
      if (taken === -1 ? place === confirmed : place >= taken) continue
      for (const queue of this.#bound[event.service] ?? []) queue.take(event, event.createdAtMs < startedMs)
    }
    const onlyOneFailed = taken === -1
    const outcomes = batch.map((_, place) => ((onlyOneFailed ? place !== confirmed : place < confirmed) ? CONFIRMED : FAILED))
    host.after('is answered by the broker', 1, 20, () => answer(outcomes))
  }

  #restart(downMs: number): void {
    const world = this.#world
    world.note('restarts', 'broker', downMs, 0)
    world.reached('the broker restarted')
    this.#downUntilMs = world.nowMs + downMs
    world.at(this.#downUntilMs, () => {
      for (const queue of this.#queues) queue.restart()
      this.onBack()
    })
  }
}
