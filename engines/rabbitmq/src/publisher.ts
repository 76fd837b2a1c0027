/**
 * Publishing: one confirm channel, messages in the order of the calls, a bounded number of them unconfirmed. RabbitMQ
 * answers each with an ack, a nack, or, when no queue takes it, a return followed by an ack. A message leaves here with
 * exactly one outcome: what its answer says, or `failed` when the channel is lost or the answer is overdue.
 */
import type { ChannelModel, ConfirmChannel, Message as Returned, Options } from 'amqplib'
import type { BrokerHealth, Message, PublishOutcome, Timer } from 'skerry/engine'
import { CONFIRMED, PublishWindow } from 'skerry/engine'
import { ForeignQueues } from './foreign-queues.ts'
import { publishOptions } from './message.ts'
import type { Copy } from './publication.ts'
import { Publication } from './publication.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'
import { REMAKE_DELAY_MS } from './topology.ts'

const UNROUTABLE: PublishOutcome = Object.freeze({ kind: 'unroutable' })

export class Publisher {
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  readonly #window: PublishWindow<Copy>
  #channel: ConfirmChannel | undefined
  #foreignQueues: ForeignQueues | undefined
  readonly #warned = new Set<string>()
  #redeclaring: Timer | undefined

  constructor(settings: Settings, topology: Topology, health: BrokerHealth) {
    this.#settings = settings
    this.#topology = topology
    this.#health = health
    this.#window = new PublishWindow({
      ...settings,
      overdue: `${settings.description} has not confirmed it within ${settings.confirmTimeoutMs} ms; its queue may have no leader`,
      sizeOf,
      send: (message, answer) => this.#send(message, new Publication(answer, message.bindings?.amqp === undefined ? 1 : 2)),
    })
  }

  publish(messages: readonly Message[]): Promise<readonly PublishOutcome[]> {
    return this.#window.publish(messages)
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
    if (this.#window.closed) return
    this.#channel = channel
    this.#foreignQueues = new ForeignQueues(connection, this.#settings.onWarning, this.#warned)
    this.#health.report('publish', undefined)
    this.#window.open()
  }

  /** The connection is gone, or could not be made: everything on its way has failed, and so does what comes until the next one. */
  detach(reason: string): void {
    this.#channel = undefined
    this.#foreignQueues = undefined
    if (!this.#window.closed) this.#health.report('publish', reason)
    this.#block(undefined)
    this.#window.fail(reason)
  }

  /** Sends nothing more; resolves when what was sent has been answered, or given up after five seconds. */
  async close(): Promise<void> {
    await this.#window.close()
    this.#channel = undefined
    this.#redeclaring?.cancel()
  }

  #send(message: Message, publication: Publication): void {
    this.#transmit(this.#copy(publication, this.#topology.exchange, message.topic, message.id, message.body), publishOptions(message))
    const amqp = message.bindings?.amqp
    if (amqp === undefined) return
    // Waits for its queue if need be, without holding back the messages behind it.
    const copy = this.#copy(publication, '', amqp.queue, message.id, amqp.data)
    this.#foreignQueues?.whenDeclared(amqp.queue, amqp.durable, (problem) => {
      if (problem === undefined) this.#transmit(copy, foreignOptions(message))
      else this.#window.settle(copy, { kind: 'failed', reason: `queue "${amqp.queue}": ${problem}` })
    })
  }

  #copy(publication: Publication, exchange: string, routingKey: string, id: string, body: string): Copy {
    const content = Buffer.from(body)
    const answer = (outcome: PublishOutcome): void => publication.answer(outcome, exchange === '')
    const copy: Copy = { answer, exchange, routingKey, id, content, bytes: content.length, returned: false }
    this.#window.add(copy)
    return copy
  }

  #transmit(copy: Copy, options: Options.Publish): void {
    if (!this.#window.has(copy)) return
    try {
      this.#channel?.publish(copy.exchange, copy.routingKey, copy.content, options, (refusal: Error | null) => {
        if (refusal !== null)
          this.#window.settle(copy, { kind: 'failed', reason: `${this.#settings.description} refused it: ${refusal.message}` })
        else this.#window.settle(copy, copy.returned ? this.#unroutable(copy) : CONFIRMED)
      })
    } catch (error) {
      // The channel is closed, or a property is longer than AMQP can say.
      this.#window.settle(copy, {
        kind: 'failed',
        reason: `it could not be sent to ${this.#settings.description}: ${error instanceof Error ? error.message : String(error)}`,
      })
    }
  }

  /** A return carries no number, only the message; it comes before its ack, and returns of equal messages come in their order. */
  #returned({ fields, properties }: Returned): void {
    for (const copy of this.#window.unconfirmed)
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
    this.#health.report('blocked', reason)
    this.#window.hold(reason)
  }
}

/** For consumers that know nothing of CloudEvents: bare data, kept for a day so that a queue nobody reads cannot fill the disk. */
function foreignOptions({ id, type }: Message): Options.Publish {
  return { mandatory: true, persistent: true, contentType: 'application/json', messageId: id, type, expiration: '86400000' }
}

function sizeOf({ body, bindings }: Message): number {
  return Buffer.byteLength(body) + (bindings?.amqp === undefined ? 0 : Buffer.byteLength(bindings.amqp.data))
}
