/**
 * One subscription: a pull on each durable of the consumer, made again whenever it is lost. A delivery belongs to this process as long
 * as NATS gets a sign of life within the ack wait, whatever becomes of the connection: it may be answered on a later one.
 */
import { nanos } from '@nats-io/transport-node'
import type { Msg } from '@nats-io/transport-node'
import type { BrokerHealth, Disposition, SubscribeOptions, Timer } from 'skerry/engine'
import { within } from 'skerry/engine'
import type { Session } from './connection.ts'
import { messageOf } from './explain.ts'
import { readMessage } from './message.ts'
import { Pull } from './pull.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

const CLOSE_TIMEOUT_MS = 5_000

const ACK = '+ACK'
const IN_PROGRESS = '+WPI'
const NAK = '-NAK'

export class Subscriber {
  /** Resolves when the durables exist for the first time, or the subscription is closed before. */
  readonly inPlace: Promise<void>
  readonly #options: SubscribeOptions
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  readonly #currentSession: () => Session | undefined
  readonly #becomeInPlace: () => void
  #session: Session | undefined
  #pulls: Pull[] = []
  #failures = 0
  #retry: Timer | undefined
  #heartbeat: Timer | undefined
  /** Delivered, but beyond the prefetch: each topic is asked for as many as there is room for. */
  readonly #early: Msg[] = []
  readonly #inProgress = new Set<Msg>()
  /** Given back, and not yet counted as gone: a failing consumer slows down instead of spinning through its messages. */
  readonly #pauses = new Set<Timer>()
  #onIdle: (() => void) | undefined
  #closing: Promise<void> | undefined
  #isClosing = false

  constructor(
    options: SubscribeOptions,
    settings: Settings,
    topology: Topology,
    health: BrokerHealth,
    currentSession: () => Session | undefined,
  ) {
    this.#options = options
    this.#settings = settings
    this.#topology = topology
    this.#health = health
    this.#currentSession = currentSession
    const { promise, resolve } = Promise.withResolvers<void>()
    this.inPlace = promise
    this.#becomeInPlace = resolve
  }

  /** Takes a connection into use, unless it is. */
  attach(session: Session | undefined): void {
    if (session === undefined || this.#isClosing || this.#session === session) return
    this.#session = session
    this.#pulls = []
    this.#retry?.cancel()
    void this.#open(session)
  }

  /**
   * One durable is gone, or all are. Who asks one that is not there is never answered, also when it is there again: so all is declared and
   * asked for anew, rather than waiting for an answer.
   */
  deleted(durable?: string): void {
    if (this.#session === undefined || this.#pulls.length === 0) return
    if (durable === undefined || this.#pulls.some((pull) => pull.durable === durable)) this.#lost(this.#session, 'its durable was deleted')
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #open(session: Session): Promise<void> {
    try {
      const durables = await this.#topology.declare(session.jsm, this.#options.name)
      if (this.#isClosing || this.#session !== session) return
      const { clock } = this.#settings
      this.#pulls = durables.map(
        (durable) =>
          new Pull(session, this.#topology.stream, durable, clock, {
            onMessage: (message) => this.#received(message),
            onRoom: () => this.#askForMore(),
            onEnd: (problem) => this.#lost(session, problem),
          }),
      )
      this.#failures = 0
      this.#health.report(this, undefined)
      this.#becomeInPlace()
      this.#askForMore()
    } catch (error) {
      this.#lost(session, messageOf(error))
    }
  }

  /** Something of it is gone while the connection is not; a connection that is gone too attaches its successor. */
  #lost(session: Session, problem: string): void {
    if (this.#session !== session) return
    this.#session = undefined
    for (const pull of this.#pulls.splice(0)) pull.close().catch(() => undefined)
    if (this.#isClosing || session.nc.isClosed()) return
    const { clock, random, description, maxReconnectDelayMs } = this.#settings
    this.#health.report(this, `${description}: consumer "${this.#options.name}": ${problem}`)
    const delayMs = Math.min(maxReconnectDelayMs, (maxReconnectDelayMs / 100) * 2 ** Math.min(this.#failures++, 10))
    this.#retry?.cancel()
    this.#retry = clock.setTimer(delayMs * (0.5 + random.next() / 2), () => this.attach(this.#currentSession()))
  }

  #askForMore(): void {
    if (this.#isClosing) return
    const room = this.#options.prefetch - this.#inProgress.size - this.#pauses.size - this.#early.length
    if (room > 0) for (const pull of this.#pulls) pull.ask(room)
  }

  #received(message: Msg): void {
    if (this.#isClosing) return this.#send(message, NAK)
    this.#early.push(message)
    this.#handleNext()
    this.#showLife()
  }

  #handleNext(): void {
    while (this.#inProgress.size + this.#pauses.size < this.#options.prefetch) {
      const message = this.#early.shift()
      if (message === undefined) return
      this.#inProgress.add(message)
      this.#handle(message).then(
        (disposition) => this.#answered(message, disposition),
        () => this.#answered(message, 'requeue'),
      )
    }
  }

  /** Asynchronous, so that a handler that throws, against its contract, loses nothing. */
  async #handle(message: Msg): Promise<Disposition> {
    return this.#options.handle(readMessage(this.#settings.prefix, message))
  }

  #answered(message: Msg, disposition: Disposition): void {
    this.#inProgress.delete(message)
    if (disposition === 'ack') this.#send(message, ACK)
    else if (this.#isClosing) this.#send(message, NAK)
    else this.#pause(message)
    if (this.#inProgress.size === 0) this.#onIdle?.()
    if (this.#isClosing) return
    this.#handleNext()
    this.#askForMore()
  }

  #pause(message: Msg): void {
    const { clock, random, retryDelayMs } = this.#settings
    // Whole: NATS ignores a delay that is not a whole number of nanoseconds, and delivers at once.
    const delayMs = Math.round(retryDelayMs * (0.75 + random.next() / 2))
    this.#send(message, `${NAK} ${JSON.stringify({ delay: nanos(delayMs) })}`)
    const pause = clock.setTimer(delayMs, () => {
      this.#pauses.delete(pause)
      this.#handleNext()
      this.#askForMore()
    })
    this.#pauses.add(pause)
  }

  /** Tells NATS, three times per ack wait, that what it has delivered is being worked on. */
  #showLife(): void {
    this.#heartbeat ??= this.#settings.clock.setTimer(this.#settings.ackWaitMs / 3, () => {
      this.#heartbeat = undefined
      const held = [...this.#inProgress, ...this.#early]
      for (const message of held) this.#send(message, IN_PROGRESS)
      if (held.length > 0) this.#showLife()
    })
  }

  /** Without a connection nothing is sent: NATS delivers the message again, and the platform knows that it has handled it. */
  #send({ reply }: Msg, answer: string): void {
    const nc = this.#currentSession()?.nc
    if (reply === undefined || nc === undefined || nc.isClosed()) return
    nc.publish(reply, answer)
  }

  async #close(): Promise<void> {
    this.#isClosing = true
    this.#retry?.cancel()
    this.#health.report(this, undefined)
    this.#becomeInPlace()
    for (const pause of this.#pauses) pause.cancel()
    const { clock } = this.#settings
    // What arrives while NATS is told to stop goes back at once.
    await within(clock, CLOSE_TIMEOUT_MS, Promise.all(this.#pulls.map((pull) => pull.close())))
    for (const message of this.#early.splice(0)) this.#send(message, NAK)
    if (this.#inProgress.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve))
    this.#heartbeat?.cancel()
    // Answered only when NATS has read every acknowledgement before it.
    const nc = this.#currentSession()?.nc
    if (nc !== undefined && !nc.isClosed()) await within(clock, CLOSE_TIMEOUT_MS, nc.flush())
  }
}
