/**
 * Publishing: one confirm channel, messages in the order of the calls, a bounded number of them unconfirmed. RabbitMQ
 * answers each with an ack, a nack, or, when no queue takes it, a return followed by an ack. A message leaves here with
 * exactly one outcome: what its answer says, or `failed` when the channel is lost or the answer is overdue.
 */
import type { ChannelModel, ConfirmChannel, Message as Returned, Options } from 'amqplib'
import type { BrokerHealth, Message, PublishOutcome, Timer } from 'skerry/engine'
import { CONFIRMED, PublishBatch, within } from 'skerry/engine'
import { ForeignQueues } from './foreign-queues.ts'
import { publishOptions } from './message.ts'
import type { Copy } from './publication.ts'
import { Publication } from './publication.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'
import { REMAKE_DELAY_MS } from './topology.ts'

const UNROUTABLE: PublishOutcome = Object.freeze({ kind: 'unroutable' })
const CLOSE_TIMEOUT_MS = 5_000

export class Publisher {
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  /** Calls with messages not sent yet, oldest first. */
  readonly #waiting: PublishBatch[] = []
  /** Sent and not answered, oldest first. */
  readonly #unconfirmed = new Set<Copy>()
  #unconfirmedBytes = 0
  #channel: ConfirmChannel | undefined
  #foreignQueues: ForeignQueues | undefined
  readonly #warned = new Set<string>()
  /** Why messages fail at once. Undefined at first too: what is published during the first attempt to connect waits for it. */
  #downReason: string | undefined
  #blockedReason: string | undefined
  #stalledSinceMs: number
  #pumping = false
  #closed = false
  #redeclaring: Timer | undefined
  #sweeper: Timer | undefined
  #onIdle: (() => void) | undefined

  constructor(settings: Settings, topology: Topology, health: BrokerHealth) {
    this.#settings = settings
    this.#topology = topology
    this.#health = health
    this.#stalledSinceMs = settings.clock.nowMs()
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

  /** Takes a new connection into use: the topology is declared on it before the first message. */
  async attach(connection: ChannelModel): Promise<void> {
    let problem: string | undefined
    const channel = await connection.createConfirmChannel()
    channel.on('error', (error) => (problem = error.message))
    channel.on('close', () => {
      if (this.#channel !== channel) return
      this.detach(`${this.#settings.description} closed the channel${problem === undefined ? '' : `: ${problem}`}`)
      // A connection of which only this channel broke starts again from the beginning: with the topology.
      connection.close().catch(() => undefined)
    })
    channel.on('return', (message) => this.#returned(message))
    connection.on('blocked', (reason) => this.#block(`${this.#settings.description} takes no messages: ${reason}`))
    connection.on('unblocked', () => this.#block(undefined))
    await this.#topology.declareAll(channel)
    if (this.#closed) return
    this.#channel = channel
    this.#foreignQueues = new ForeignQueues(connection, this.#settings.onWarning, this.#warned)
    this.#downReason = undefined
    this.#health.report('publish', undefined)
    this.#pump()
  }

  /** The connection is gone, or could not be made: everything on its way has failed, and so does what comes until the next one. */
  detach(reason: string): void {
    this.#channel = undefined
    this.#foreignQueues = undefined
    if (!this.#closed) {
      this.#downReason = reason
      this.#health.report('publish', reason)
    }
    this.#stalledSinceMs = this.#settings.clock.nowMs()
    this.#block(undefined)
    const failed: PublishOutcome = { kind: 'failed', reason }
    for (const copy of this.#unconfirmed) this.#answer(copy, failed)
    for (const batch of this.#waiting.splice(0)) batch.failUnsent(failed)
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
    this.#redeclaring?.cancel()
    this.#sweeper?.cancel()
  }

  /** In a microtask: answers come in bunches, and by then a channel that was lost with them is known to be. */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      this.#pumping = false
      for (let batch = this.#waiting[0]; batch !== undefined; batch = this.#waiting[0]) {
        const { messages, next } = batch
        const message = messages[next]!
        if (this.#channel === undefined || this.#blockedReason !== undefined || !this.#hasRoomFor(message)) return
        if (++batch.next === messages.length) this.#waiting.shift()
        this.#send(message, new Publication(batch, next, message.bindings?.amqp === undefined ? 1 : 2))
      }
    })
  }

  #hasRoomFor(message: Message): boolean {
    if (this.#unconfirmed.size === 0) return true
    return (
      this.#unconfirmed.size < this.#settings.maxUnconfirmed &&
      this.#unconfirmedBytes + sizeOf(message) <= this.#settings.maxUnconfirmedBytes
    )
  }

  #send(message: Message, publication: Publication): void {
    this.#transmit(this.#copy(publication, this.#topology.exchange, message.topic, message.id, message.body), publishOptions(message))
    const amqp = message.bindings?.amqp
    if (amqp === undefined) return
    // Waits for its queue if need be, without holding back the messages behind it.
    const copy = this.#copy(publication, '', amqp.queue, message.id, amqp.data)
    this.#foreignQueues?.whenDeclared(amqp.queue, amqp.durable, (problem) => {
      if (problem === undefined) this.#transmit(copy, foreignOptions(message))
      else this.#answer(copy, { kind: 'failed', reason: `queue "${amqp.queue}": ${problem}` })
    })
  }

  #copy(publication: Publication, exchange: string, routingKey: string, id: string, body: string): Copy {
    const content = Buffer.from(body)
    const copy: Copy = { publication, exchange, routingKey, id, content, sentMs: this.#settings.clock.nowMs(), returned: false }
    this.#unconfirmed.add(copy)
    this.#unconfirmedBytes += content.length
    return copy
  }

  #transmit(copy: Copy, options: Options.Publish): void {
    if (!this.#unconfirmed.has(copy)) return
    try {
      this.#channel?.publish(copy.exchange, copy.routingKey, copy.content, options, (refusal: Error | null) => {
        if (refusal !== null) this.#answer(copy, { kind: 'failed', reason: `${this.#settings.description} refused it: ${refusal.message}` })
        else this.#answer(copy, copy.returned ? this.#unroutable(copy) : CONFIRMED)
      })
    } catch (error) {
      // The channel is closed, or a property is longer than AMQP can say.
      this.#answer(copy, {
        kind: 'failed',
        reason: `it could not be sent to ${this.#settings.description}: ${error instanceof Error ? error.message : String(error)}`,
      })
    }
  }

  #answer(copy: Copy, outcome: PublishOutcome): void {
    if (!this.#unconfirmed.delete(copy)) return
    this.#unconfirmedBytes -= copy.content.length
    copy.publication.answer(outcome, copy.exchange === '')
    if (this.#unconfirmed.size === 0) this.#onIdle?.()
    this.#pump()
  }

  /** A return carries no number, only the message; it comes before its ack, and returns of equal messages come in their order. */
  #returned({ fields, properties }: Returned): void {
    for (const copy of this.#unconfirmed)
      if (
        !copy.returned &&
        copy.id === properties.messageId &&
        copy.routingKey === fields.routingKey &&
        copy.exchange === fields.exchange
      ) {
        copy.returned = true
        return
      }
  }

  #unroutable({ exchange, routingKey }: Copy): PublishOutcome {
    if (exchange === '') {
      this.#foreignQueues?.forget(routingKey)
      return { kind: 'failed', reason: `queue "${routingKey}" was deleted; it is declared again` }
    }
    if (!this.#topology.has(routingKey)) return UNROUTABLE
    this.#redeclare()
    return {
      kind: 'failed',
      reason: `no queue takes topic "${routingKey}" although a consumer declares it: its queue was deleted and is declared again`,
    }
  }

  #redeclare(): void {
    this.#redeclaring ??= this.#settings.clock.setTimer(REMAKE_DELAY_MS, () => {
      this.#redeclaring = undefined
      // A refusal closes the channel, which says why and starts the connection again.
      if (this.#channel !== undefined) this.#topology.declareAll(this.#channel).catch(() => undefined)
    })
  }

  #block(reason: string | undefined): void {
    this.#blockedReason = reason
    this.#stalledSinceMs = this.#settings.clock.nowMs()
    this.#health.report('blocked', reason)
    this.#pump()
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
    for (const copy of this.#unconfirmed) {
      if (copy.sentMs > overdueMs) break
      this.#answer(copy, {
        kind: 'failed',
        reason: `${description} has not confirmed it within ${confirmTimeoutMs} ms; its queue may have no leader`,
      })
    }
    if ((this.#channel !== undefined && this.#blockedReason === undefined) || this.#stalledSinceMs > overdueMs) return
    const reason = this.#blockedReason ?? `${description} could not be reached within ${confirmTimeoutMs} ms`
    for (const batch of this.#waiting.splice(0)) batch.failUnsent({ kind: 'failed', reason })
  }
}

/** For consumers that know nothing of CloudEvents: bare data, kept for a day so that a queue nobody reads cannot fill the disk. */
function foreignOptions({ id, type }: Message): Options.Publish {
  return { mandatory: true, persistent: true, contentType: 'application/json', messageId: id, type, expiration: '86400000' }
}

function sizeOf({ body, bindings }: Message): number {
  return Buffer.byteLength(body) + (bindings?.amqp === undefined ? 0 : Buffer.byteLength(bindings.amqp.data))
}
