/**
 * One subscription: a membership of the consumer's group, made again whenever it is lost, and the deliveries from it. What a handler gives back is
 * kept here and delivered again after a pause; the group is not told of it, so whoever takes the partition over gets it too.
 */
import type { BrokerHealth, Disposition, Message, SubscribeOptions, Timer } from 'skerry/engine'
import { keepConnected } from 'skerry/engine'
import { explain } from './explain.ts'
import { Membership } from './membership.ts'
import { readRecord } from './message.ts'
import type { Partition } from './partition.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

/** On its way to a handler, for the first time or again. */
interface Delivering {
  readonly partition: Partition
  readonly offset: bigint
  readonly message: Message
  readonly redelivered: boolean
}

export class Subscriber {
  /** Resolves when the group is joined for the first time, or the subscription is closed before. */
  readonly inPlace: Promise<void>
  readonly #options: SubscribeOptions
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  readonly #becomeInPlace: () => void
  readonly #closing = new AbortController()
  readonly #closeBegun = Promise.withResolvers<void>()
  readonly #running: Promise<void>
  #membership: Membership | undefined
  #turn = 0
  #inProgress = 0
  /** Given back, and not yet counted as gone: a failing consumer slows down instead of spinning through its messages. */
  readonly #paused = new Map<Delivering, Timer>()
  readonly #returned: Delivering[] = []
  #idle: PromiseWithResolvers<void> | undefined
  #closed: Promise<void> | undefined

  constructor(options: SubscribeOptions, settings: Settings, topology: Topology, health: BrokerHealth) {
    this.#options = options
    this.#settings = settings
    this.#topology = topology
    this.#health = health
    const { promise, resolve } = Promise.withResolvers<void>()
    this.inPlace = promise
    this.#becomeInPlace = resolve
    this.#running = keepConnected({
      ...settings,
      signal: this.#closing.signal,
      session: () => this.#session(),
      onDown: (reason) => this.#health.report(this, reason),
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #session(): Promise<string> {
    const { addresses, description } = this.#settings
    const { name } = this.#options
    const membership = new Membership(this.#settings, this.#options, () => this.#deliver())
    this.#membership = membership
    try {
      const joined = membership.join(this.#topology).then(() => {
        this.#health.report(this, undefined)
        this.#becomeInPlace()
        return membership.end
      })
      await Promise.race([joined, this.#closeBegun.promise])
      await this.#settled()
      return 'closed'
    } catch (error) {
      return `${description}: consumer "${name}": ${explain(error, addresses[0])}`
    } finally {
      await membership.close()
      this.#forgetReturned()
    }
  }

  #deliver(): void {
    while (!this.#closing.signal.aborted && this.#inProgress + this.#paused.size < this.#options.prefetch) {
      const next = this.#returned.shift() ?? this.#next()
      if (next === undefined) return
      if (next.partition.lost) continue
      this.#inProgress++
      this.#handle(next).then(
        (disposition) => this.#answered(next, disposition),
        () => this.#answered(next, 'requeue'),
      )
    }
  }

  /** The partitions take turns. */
  #next(): Delivering | undefined {
    const partitions = this.#membership?.partitions ?? []
    for (let tried = 0; tried < partitions.length; tried++) {
      const partition = partitions[this.#turn++ % partitions.length]!
      const [first] = partition.waiting
      if (first === undefined || !partition.offsets.mayDeliver(first.offset)) continue
      partition.waiting.shift()
      const { message, redelivered } = readRecord(this.#settings.prefix, first.record, {
        topic: partition.topic,
        partition: partition.partition,
        offset: first.offset,
      })
      const maybeBefore = partition.offsets.deliver(first.offset)
      this.#membership?.settled()
      return { partition, offset: first.offset, message, redelivered: redelivered || maybeBefore }
    }
    return undefined
  }

  /** Asynchronous, so that a handler that throws, against its contract, loses nothing. */
  async #handle({ message, redelivered }: Delivering): Promise<Disposition> {
    return this.#options.handle({ message, redelivered })
  }

  #answered(delivering: Delivering, disposition: Disposition): void {
    this.#inProgress--
    const { partition, offset } = delivering
    if (disposition === 'ack') partition.offsets.settle(offset)
    else if (!partition.lost && !this.#closing.signal.aborted) this.#pause({ ...delivering, redelivered: true })
    this.#membership?.settled()
    if (this.#inProgress === 0) this.#idle?.resolve()
    this.#deliver()
  }

  #pause(delivering: Delivering): void {
    const { clock, random, retryDelayMs } = this.#settings
    const timer = clock.setTimer(retryDelayMs * (0.75 + random.next() / 2), () => {
      this.#paused.delete(delivering)
      this.#returned.push(delivering)
      this.#deliver()
    })
    this.#paused.set(delivering, timer)
  }

  /** The next membership reads it again. */
  #forgetReturned(): void {
    for (const timer of this.#paused.values()) timer.cancel()
    this.#paused.clear()
    this.#returned.length = 0
  }

  async #settled(): Promise<void> {
    if (this.#inProgress === 0) return
    this.#idle = Promise.withResolvers()
    await this.#idle.promise
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    this.#closeBegun.resolve()
    this.#health.report(this, undefined)
    this.#becomeInPlace()
    await this.#running
    // Handlers of a membership that was lost may still be at work.
    await this.#settled()
  }
}
