/**
 * One subscription: a channel with a consumer on the queue, opened again whenever it is lost. A delivery is answered on
 * the channel it came from or not at all: after a loss RabbitMQ delivers it again, marked as redelivered.
 */
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib'
import type { BrokerHealth, Disposition, SubscribeOptions, Timer } from 'skerry/engine'
import { within } from 'skerry/engine'
import { readMessage } from './message.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'
import { REMAKE_DELAY_MS } from './topology.ts'

/** A queue that takes longer to answer than this is reported. */
const PATIENCE_MS = 10_000
const CLOSE_TIMEOUT_MS = 5_000

export class Subscriber {
  /** Resolves when the consumer is registered for the first time, or the subscription is closed before. */
  readonly inPlace: Promise<void>
  readonly #options: SubscribeOptions
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  readonly #currentConnection: () => ChannelModel | undefined
  readonly #becomeInPlace: () => void
  #session: Session | undefined
  #opening: Promise<void> | undefined
  #failures = 0
  #retry: Timer | undefined
  /** Delivered, but beyond the prefetch: handlers of a lost channel are still at work. */
  readonly #early: Received[] = []
  readonly #paused = new Map<Received, Timer>()
  #inProgress = 0
  #onIdle: (() => void) | undefined
  #closing: Promise<void> | undefined
  #isClosing = false

  constructor(
    options: SubscribeOptions,
    settings: Settings,
    topology: Topology,
    health: BrokerHealth,
    currentConnection: () => ChannelModel | undefined,
  ) {
    this.#options = options
    this.#settings = settings
    this.#topology = topology
    this.#health = health
    this.#currentConnection = currentConnection
    const { promise, resolve } = Promise.withResolvers<void>()
    this.inPlace = promise
    this.#becomeInPlace = resolve
  }

  /** Takes a connection into use, unless one is. */
  attach(connection: ChannelModel | undefined): void {
    if (connection === undefined || this.#isClosing || this.#session !== undefined || this.#opening !== undefined) return
    this.#retry?.cancel()
    this.#opening = this.#open(connection).finally(() => (this.#opening = undefined))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #open(connection: ChannelModel): Promise<void> {
    const { clock, description } = this.#settings
    const { name, prefetch } = this.#options
    const impatience = clock.setTimer(PATIENCE_MS, () =>
      this.#health.report(
        this,
        `${description}: queue "${this.#topology.queueOf(name)}" has not answered for ${PATIENCE_MS} ms; it may have no leader`,
      ),
    )
    let session: Session | undefined
    try {
      const channel = await connection.createChannel()
      const opened: Session = { channel, open: true, problem: undefined }
      session = opened
      channel.on('error', (error) => (opened.problem = error.message))
      channel.on('close', () => this.#lost(opened))
      const queue = await this.#topology.declare(channel, name)
      await channel.prefetch(prefetch)
      this.#session = opened
      const { consumerTag } = await channel.consume(queue, (message) => {
        if (message === null) this.#cancelled(opened)
        else this.#received({ session: opened, message })
      })
      opened.consumerTag = consumerTag
      this.#failures = 0
      this.#health.report(this, undefined)
      this.#becomeInPlace()
    } catch (error) {
      if (session !== undefined) session.problem ??= error instanceof Error ? error.message : String(error)
      await this.#abandon(session, String(error))
    } finally {
      impatience.cancel()
    }
  }

  /** RabbitMQ cancels a consumer whose queue was deleted. */
  #cancelled(session: Session): void {
    session.problem = 'its queue was deleted; it is declared again'
    session.pauseMs = REMAKE_DELAY_MS
    void this.#abandon(session, session.problem)
  }

  async #abandon(session: Session | undefined, problem: string): Promise<void> {
    // Its close event does the rest; without a channel there will be none.
    if (session?.open === true) await within(this.#settings.clock, CLOSE_TIMEOUT_MS, session.channel.close())
    if (session === undefined || session.open) this.#lost(session ?? { problem })
  }

  #lost(session: Session | { problem: string; pauseMs?: number }): void {
    if ('channel' in session) {
      session.open = false
      if (this.#session === session) this.#session = undefined
    }
    if (this.#isClosing) return
    const { clock, random, description, maxReconnectDelayMs } = this.#settings
    this.#health.report(this, `${description}: consumer "${this.#options.name}": ${session.problem ?? 'its channel was closed'}`)
    const backoffMs = Math.min(maxReconnectDelayMs, (maxReconnectDelayMs / 100) * 2 ** Math.min(this.#failures++, 10))
    const delayMs = Math.max(session.pauseMs ?? 0, backoffMs * (0.5 + random.next() / 2))
    this.#retry?.cancel()
    this.#retry = clock.setTimer(delayMs, () => this.attach(this.#currentConnection()))
  }

  #received(received: Received): void {
    if (this.#isClosing) return this.#giveBack(received)
    this.#early.push(received)
    this.#handleNext()
  }

  #handleNext(): void {
    while (this.#inProgress < this.#options.prefetch) {
      const received = this.#early.shift()
      if (received === undefined) return
      if (!received.session.open) continue
      this.#inProgress++
      this.#handle(received.message).then(
        (disposition) => this.#answered(received, disposition),
        () => this.#answered(received, 'requeue'),
      )
    }
  }

  /** Asynchronous, so that a handler that throws, against its contract, loses nothing. */
  async #handle(message: ConsumeMessage): Promise<Disposition> {
    return this.#options.handle(readMessage(message))
  }

  #answered(received: Received, disposition: Disposition): void {
    this.#inProgress--
    if (disposition === 'ack') answer(received, (channel) => channel.ack(received.message))
    else if (this.#isClosing) this.#giveBack(received)
    else if (received.session.open) this.#pause(received)
    if (this.#inProgress === 0) this.#onIdle?.()
    if (!this.#isClosing) this.#handleNext()
  }

  /** Unanswered it counts against the prefetch: a failing consumer slows down instead of spinning through its queue. */
  #pause(received: Received): void {
    const { clock, random, retryDelayMs } = this.#settings
    const timer = clock.setTimer(retryDelayMs * (0.75 + random.next() / 2), () => {
      this.#paused.delete(received)
      this.#giveBack(received)
    })
    this.#paused.set(received, timer)
  }

  #giveBack(received: Received): void {
    answer(received, (channel) => channel.nack(received.message, false, true))
  }

  async #close(): Promise<void> {
    this.#isClosing = true
    this.#retry?.cancel()
    this.#health.report(this, undefined)
    this.#becomeInPlace()
    const { clock } = this.#settings
    let answers = this.#opening === undefined || (await within(clock, CLOSE_TIMEOUT_MS, this.#opening))
    const session = this.#session
    if (answers && session?.consumerTag !== undefined)
      answers = await within(clock, CLOSE_TIMEOUT_MS, session.channel.cancel(session.consumerTag))
    for (const received of this.#early.splice(0)) this.#giveBack(received)
    for (const [received, timer] of this.#paused) {
      timer.cancel()
      this.#giveBack(received)
    }
    this.#paused.clear()
    if (this.#inProgress > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    // Answered only when RabbitMQ has read every acknowledgement before it.
    if (answers && session?.open === true) await within(clock, CLOSE_TIMEOUT_MS, session.channel.close())
  }
}

/** One channel, from its opening to its loss. */
interface Session {
  readonly channel: Channel
  open: boolean
  problem: string | undefined
  /** At least this long before the next one. */
  pauseMs?: number
  consumerTag?: string
}

interface Received {
  readonly session: Session
  readonly message: ConsumeMessage
}

function answer({ session }: Received, send: (channel: Channel) => void): void {
  if (!session.open) return
  try {
    send(session.channel)
  } catch {
    // Lost in this very moment: RabbitMQ delivers the message again.
  }
}
