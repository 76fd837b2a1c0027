/**
 * Publishing: messages in the order of the calls, a bounded number of them unconfirmed. JetStream answers each with a PubAck or an
 * error. A message leaves here with exactly one outcome: what its answer says, or `failed` when the connection is lost or the
 * answer is overdue. What nobody wants is not sent at all.
 */
import { JetStreamApiError } from '@nats-io/jetstream'
import { ClosedConnectionError, RequestError, TimeoutError } from '@nats-io/transport-node'
import type { BrokerHealth, Message, PublishOutcome, Timer } from 'skerry/engine'
import { CONFIRMED, PublishBatch, within } from 'skerry/engine'
import type { Session } from './connection.ts'
import { messageOf } from './explain.ts'
import { Interest } from './interest.ts'
import { encode, headersOf } from './message.ts'
import { subjectOf } from './names.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

const UNROUTABLE: PublishOutcome = Object.freeze({ kind: 'unroutable' })
const CLOSE_TIMEOUT_MS = 5_000
/** How long after something was found missing it is declared again: whoever deletes a thing often deletes more. */
const REDECLARE_DELAY_MS = 100
/** What NATS counts as the payload and is not the body: our headers, at most. */
const HEADERS_BYTES = 16 * 1_024

export class Publisher {
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  readonly #interest: Interest
  readonly #onFull: () => void
  /** Calls with messages not sent yet, oldest first. */
  readonly #waiting: PublishBatch[] = []
  /** Sent and not answered, oldest first. */
  readonly #unconfirmed = new Set<Sent>()
  #unconfirmedBytes = 0
  #session: Session | undefined
  /** Why messages fail at once. Undefined at first too: what is published during the first attempt to connect waits for it. */
  #downReason: string | undefined
  #waitingSinceMs: number
  #pumping = false
  #asking = false
  #closed = false
  #redeclaring: Timer | undefined
  #sweeper: Timer | undefined
  #onIdle: (() => void) | undefined
  readonly #warned = new Set<string>()

  constructor(settings: Settings, topology: Topology, health: BrokerHealth, onFull: () => void) {
    this.#onFull = onFull
    this.#settings = settings
    this.#topology = topology
    this.#health = health
    this.#interest = new Interest(settings.clock, topology.stream)
    this.#waitingSinceMs = settings.clock.nowMs()
  }

  publish(messages: readonly Message[]): Promise<readonly PublishOutcome[]> {
    if (messages.length === 0) return Promise.resolve([])
    if (this.#downReason !== undefined) {
      const failed: PublishOutcome = { kind: 'failed', reason: this.#downReason }
      return Promise.resolve(messages.map(() => failed))
    }
    return new Promise((resolve) => {
      this.#waiting.push(new PublishBatch(messages, resolve))
      this.#pump()
      this.#sweepLater()
    })
  }

  /** Takes a new connection into use, on which the topology has been declared. */
  attach(session: Session): void {
    if (this.#closed) return
    this.#session = session
    this.#interest.forget()
    this.#downReason = undefined
    this.#health.report('publish', undefined)
    this.#pump()
  }

  /** The connection is gone, or could not be made: everything on its way has failed, and so does what comes until the next one. */
  detach(reason: string): void {
    this.#session = undefined
    this.#redeclaring?.cancel()
    this.#redeclaring = undefined
    if (!this.#closed) {
      this.#downReason = reason
      this.#health.report('publish', reason)
    }
    this.#waitingSinceMs = this.#settings.clock.nowMs()
    const failed: PublishOutcome = { kind: 'failed', reason }
    for (const sent of this.#unconfirmed) this.#answer(sent, failed)
    for (const batch of this.#waiting.splice(0)) batch.failUnsent(failed)
  }

  /** A consumer came or went. */
  interestChanged(): void {
    this.#interest.forget()
  }

  /** Something of ours was deleted: nothing is sent until it is there again. */
  deleted(): void {
    this.#redeclare()
  }

  /** Sends nothing more; resolves when what was sent has been answered, or given up after five seconds. */
  async close(): Promise<void> {
    this.#closed = true
    const reason = `the connection to ${this.#settings.description} was closed`
    this.#downReason = reason
    for (const batch of this.#waiting.splice(0)) batch.failUnsent({ kind: 'failed', reason })
    if (this.#unconfirmed.size > 0)
      await within(this.#settings.clock, CLOSE_TIMEOUT_MS, new Promise<void>((resolve) => (this.#onIdle = resolve)))
    this.detach(reason)
    this.#sweeper?.cancel()
  }

  /** In a microtask: answers come in bunches. */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      for (let batch = this.#waiting[0]; batch !== undefined; batch = this.#waiting[0]) {
        const { messages, next } = batch
        const message = messages[next]!
        const session = this.#session
        if (session === undefined || this.#redeclaring !== undefined || this.#asking || !this.#hasRoomFor(message)) return
        const subject = subjectOf(this.#settings.prefix, message.topic)
        const wanted = this.#topology.has(message.topic) || this.#interest.known(subject)
        if (wanted === undefined) return this.#ask(session, subject)
        if (++batch.next === messages.length) this.#waiting.shift()
        if (wanted) void this.#send(session, subject, message, { batch, index: next })
        else batch.settle(next, UNROUTABLE)
      }
    })
  }

  #hasRoomFor({ body }: Message): boolean {
    if (this.#unconfirmed.size === 0) return true
    return (
      this.#unconfirmed.size < this.#settings.maxUnconfirmed &&
      this.#unconfirmedBytes + Buffer.byteLength(body) <= this.#settings.maxUnconfirmedBytes
    )
  }

  async #send(session: Session, subject: string, message: Message, place: Pick<Sent, 'batch' | 'index'>): Promise<void> {
    const { clock, confirmTimeoutMs } = this.#settings
    const body = Buffer.from(message.body)
    const sent: Sent = { ...place, bytes: body.length, sentMs: clock.nowMs() }
    this.#unconfirmed.add(sent)
    this.#unconfirmedBytes += sent.bytes
    this.#warnOfBinding(message)
    try {
      this.#refuseTooLarge(session, body.length)
      await session.js.publish(subject, body, {
        msgID: encode(message.id),
        expect: { streamName: this.#topology.stream },
        headers: headersOf(message),
        // The sweeper is sooner; this only lets go of what nobody waits for any more.
        timeout: 2 * confirmTimeoutMs,
      })
      this.#answer(sent, CONFIRMED)
    } catch (error) {
      // The loss of the connection is told with its reason, to all at once, by `detach`.
      if (!isLoss(error)) this.#answer(sent, { kind: 'failed', reason: this.#reasonOf(error) })
    }
  }

  #refuseTooLarge({ nc }: Session, bytes: number): void {
    const limitBytes = nc.info?.max_payload ?? Number.POSITIVE_INFINITY
    if (bytes + HEADERS_BYTES > limitBytes)
      throw new Error(
        `its body has ${bytes} bytes, and with headers the server takes ${limitBytes}: raise max_payload in its configuration`,
      )
  }

  #reasonOf(error: unknown): string {
    const { description, confirmTimeoutMs } = this.#settings
    if (error instanceof JetStreamApiError) {
      if (error.message.startsWith('maximum ')) this.#onFull()
      return `${description} refused it: ${error.message}`
    }
    if (error instanceof TimeoutError) return `${description} has not confirmed it within ${confirmTimeoutMs} ms`
    const cause = error instanceof Error ? error.cause : undefined
    if (cause instanceof RequestError && cause.isNoResponders()) {
      this.#redeclare()
      return `${description} has no stream "${this.#topology.stream}" at work: it was deleted, has no leader, or JetStream is off`
    }
    return `it could not be sent to ${description}: ${messageOf(error)}`
  }

  #answer(sent: Sent, outcome: PublishOutcome): void {
    if (!this.#unconfirmed.delete(sent)) return
    this.#unconfirmedBytes -= sent.bytes
    sent.batch.settle(sent.index, outcome)
    if (this.#unconfirmed.size === 0) this.#onIdle?.()
    this.#pump()
  }

  #ask(session: Session, subject: string): void {
    this.#asking = true
    this.#interest
      .ask(session.jsm, subject)
      // Whoever cannot be asked cannot be published to either: the connection starts again from the beginning.
      .catch(() => session.nc.close())
      .finally(() => {
        this.#asking = false
        this.#pump()
      })
  }

  #redeclare(): void {
    const session = this.#session
    if (session === undefined || this.#closed) return
    this.#redeclaring ??= this.#settings.clock.setTimer(REDECLARE_DELAY_MS, () => {
      this.#topology
        .declareAll(session.jsm)
        .catch(() => session.nc.close())
        .finally(() => {
          if (this.#session !== session) return
          this.#redeclaring = undefined
          this.#interest.forget()
          this.#pump()
        })
    })
  }

  /** Fails what is overdue, at the latest half as late again as it may be: one timer for all messages. */
  #sweepLater(): void {
    this.#sweeper ??= this.#settings.clock.setTimer(this.#settings.confirmTimeoutMs / 2, () => {
      this.#sweeper = undefined
      this.#sweep()
      if (this.#unconfirmed.size > 0 || this.#waiting.length > 0) this.#sweepLater()
    })
  }

  #sweep(): void {
    const { clock, confirmTimeoutMs, description } = this.#settings
    const overdueMs = clock.nowMs() - confirmTimeoutMs
    for (const sent of this.#unconfirmed) {
      if (sent.sentMs > overdueMs) break
      this.#answer(sent, { kind: 'failed', reason: `${description} has not confirmed it within ${confirmTimeoutMs} ms` })
    }
    if (this.#session !== undefined || this.#waitingSinceMs > overdueMs) return
    const reason = `${description} could not be reached within ${confirmTimeoutMs} ms`
    for (const batch of this.#waiting.splice(0)) batch.failUnsent({ kind: 'failed', reason })
  }

  /** There is no AMQP here, and whoever was promised a queue should not have to find out by waiting. */
  #warnOfBinding({ bindings, topic }: Message): void {
    const queue = bindings?.amqp?.queue
    if (queue === undefined || this.#warned.has(queue)) return
    this.#warned.add(queue)
    this.#settings.onWarning(
      `The contract of "${topic}" promises its data to the AMQP queue "${queue}", which does not exist on NATS. ` +
        `A foreign consumer can have a consumer of its own on stream "${this.#topology.stream}", subject ${subjectOf(this.#settings.prefix, topic)}: it gets CloudEvents.`,
    )
  }
}

function isLoss(error: unknown): boolean {
  return error instanceof ClosedConnectionError || (error instanceof RequestError && error.message === 'connection closed')
}

/** One message on its way. */
interface Sent {
  readonly batch: PublishBatch
  readonly index: number
  readonly bytes: number
  readonly sentMs: number
}
