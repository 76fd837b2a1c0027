/**
 * Publishing: messages in the order of the calls, a bounded number of them unconfirmed. JetStream answers each with a PubAck or an
 * error. A message leaves here with exactly one outcome: what its answer says, or `failed` when the connection is lost or the
 * answer is overdue. What nobody wants is not sent at all.
 */
import { JetStreamApiError } from '@nats-io/jetstream'
import { ClosedConnectionError, RequestError, TimeoutError } from '@nats-io/transport-node'
import type { BrokerHealth, Message, PublishOutcome, Timer, Unconfirmed } from 'skerry/engine'
import { CONFIRMED, PublishWindow } from 'skerry/engine'
import type { Session } from './connection.ts'
import { messageOf } from './explain.ts'
import { Interest } from './interest.ts'
import { encode, headersOf } from './message.ts'
import { subjectOf } from './names.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

const UNROUTABLE: PublishOutcome = Object.freeze({ kind: 'unroutable' })
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
  readonly #window: PublishWindow<Unconfirmed>
  #session: Session | undefined
  #asking = false
  #redeclaring: Timer | undefined
  readonly #warned = new Set<string>()

  constructor(settings: Settings, topology: Topology, health: BrokerHealth, onFull: () => void) {
    this.#onFull = onFull
    this.#settings = settings
    this.#topology = topology
    this.#health = health
    this.#interest = new Interest(settings.clock, topology.stream)
    this.#window = new PublishWindow({
      ...settings,
      overdue: overdue(settings),
      sizeOf: ({ body }) => Buffer.byteLength(body),
      decide: (message) => this.#decide(message),
      send: (message, answer) => void this.#send(message, answer),
    })
  }

  publish(messages: readonly Message[]): Promise<readonly PublishOutcome[]> {
    return this.#window.publish(messages)
  }

  /** Takes a new connection into use, on which the topology has been declared. */
  attach(session: Session): void {
    if (this.#window.closed) return
    this.#session = session
    this.#interest.forget()
    this.#health.report('publish', undefined)
    this.#window.open()
  }

  /** The connection is gone, or could not be made: everything on its way has failed, and so does what comes until the next one. */
  detach(reason: string): void {
    this.#session = undefined
    this.#redeclaring?.cancel()
    this.#redeclaring = undefined
    if (!this.#window.closed) this.#health.report('publish', reason)
    this.#window.fail(reason)
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
    await this.#window.close()
    this.#session = undefined
    this.#redeclaring?.cancel()
    this.#redeclaring = undefined
  }

  #decide({ topic }: Message): 'send' | 'wait' | PublishOutcome {
    const session = this.#session
    if (session === undefined || this.#redeclaring !== undefined || this.#asking) return 'wait'
    const subject = subjectOf(this.#settings.prefix, topic)
    const wanted = this.#topology.has(topic) || this.#interest.known(subject)
    if (wanted !== undefined) return wanted ? 'send' : UNROUTABLE
    this.#ask(session, subject)
    return 'wait'
  }

  async #send(message: Message, answer: Unconfirmed['answer']): Promise<void> {
    // Decided upon a moment ago, in the same microtask.
    const session = this.#session!
    const body = Buffer.from(message.body)
    const sent: Unconfirmed = { answer, bytes: body.length }
    this.#window.add(sent)
    this.#warnOfBinding(message)
    try {
      this.#refuseTooLarge(session, body.length)
      await session.js.publish(subjectOf(this.#settings.prefix, message.topic), body, {
        msgID: encode(message.id),
        expect: { streamName: this.#topology.stream },
        headers: headersOf(message),
        // The sweeper is sooner; this only lets go of what nobody waits for any more.
        timeout: 2 * this.#settings.confirmTimeoutMs,
      })
      this.#window.settle(sent, CONFIRMED)
    } catch (error) {
      // The loss of the connection is told with its reason, to all at once, by `detach`.
      if (!isLoss(error)) this.#window.settle(sent, { kind: 'failed', reason: this.#reasonOf(error) })
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
    const { description } = this.#settings
    if (error instanceof JetStreamApiError) {
      if (error.message.startsWith('maximum ')) this.#onFull()
      return `${description} refused it: ${error.message}`
    }
    if (error instanceof TimeoutError) return overdue(this.#settings)
    const cause = error instanceof Error ? error.cause : undefined
    if (cause instanceof RequestError && cause.isNoResponders()) {
      this.#redeclare()
      return `${description} has no stream "${this.#topology.stream}" at work: it was deleted, has no leader, or JetStream is off`
    }
    return `it could not be sent to ${description}: ${messageOf(error)}`
  }

  #ask(session: Session, subject: string): void {
    this.#asking = true
    this.#interest
      .ask(session.jsm, subject)
      // Whoever cannot be asked cannot be published to either: the connection starts again from the beginning.
      .catch(() => session.nc.close())
      .finally(() => {
        this.#asking = false
        this.#window.pump()
      })
  }

  #redeclare(): void {
    const session = this.#session
    if (session === undefined || this.#window.closed) return
    this.#redeclaring ??= this.#settings.clock.setTimer(REDECLARE_DELAY_MS, () => {
      this.#topology
        .declareAll(session.jsm)
        .catch(() => session.nc.close())
        .finally(() => {
          if (this.#session !== session) return
          this.#redeclaring = undefined
          this.#interest.forget()
          this.#window.pump()
        })
    })
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

function overdue({ description, confirmTimeoutMs }: Settings): string {
  return `${description} has not confirmed it within ${confirmTimeoutMs} ms`
}
