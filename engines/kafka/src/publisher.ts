/**
 * Publishing: messages in the order of the calls, a bounded number of them unconfirmed, one request at a time with as many messages as there are.
 * A message is confirmed when all replicas that are in sync have it (acks=all). What no consumer names and no topic exists for is not sent at all.
 */
import type { MessageToProduce, Producer } from '@platformatic/kafka'
import type { BrokerHealth, Message, PublishOutcome, Unconfirmed } from 'skerry/engine'
import { CONFIRMED, PublishWindow } from 'skerry/engine'
import type { Session } from './connection.ts'
import { isLoss, isProtocolError, messageOf } from './explain.ts'
import { recordOf } from './message.ts'
import { topicNameOf } from './names.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

const UNROUTABLE: PublishOutcome = Object.freeze({ kind: 'unroutable' })
/** How many bytes of bodies go into one request. A larger one has it for itself, so that one too large fails alone. */
const MAX_REQUEST_BYTES = 512 * 1_024
/** How long the list of the cluster's topics is believed. */
const TOPICS_KNOWN_FOR_MS = 5_000

interface Sent extends Unconfirmed {
  readonly record: MessageToProduce
}

export class Publisher {
  readonly #settings: Settings
  readonly #topology: Topology
  readonly #health: BrokerHealth
  readonly #window: PublishWindow<Sent>
  /** In the window, and not in a request yet. */
  #queue: Sent[] = []
  #session: Session | undefined
  /** Whose requests are being made. */
  #sending: Session | undefined
  #topics: { readonly names: ReadonlySet<string>; readonly atMs: number } | undefined
  #asking = false
  readonly #warned = new Set<string>()

  constructor(settings: Settings, topology: Topology, health: BrokerHealth) {
    this.#settings = settings
    this.#topology = topology
    this.#health = health
    this.#window = new PublishWindow({
      ...settings,
      overdue: `${settings.description} has not confirmed it within ${settings.confirmTimeoutMs} ms; too few of its replicas may be in sync`,
      sizeOf: ({ body }) => Buffer.byteLength(body),
      decide: (message) => this.#decide(message),
      send: (message, answer) => this.#send(message, answer),
    })
  }

  publish(messages: readonly Message[]): Promise<readonly PublishOutcome[]> {
    return this.#window.publish(messages)
  }

  /** Takes a new connection into use, on which the topology has been declared. */
  attach(session: Session): void {
    if (this.#window.closed) return
    this.#session = session
    this.#topics = undefined
    this.#asking = false
    this.#health.report('publish', undefined)
    this.#window.open()
  }

  /** The connection is gone, or could not be made: everything on its way has failed, and so does what comes until the next one. */
  detach(reason: string): void {
    this.#session = undefined
    this.#queue = []
    if (!this.#window.closed) this.#health.report('publish', reason)
    this.#window.fail(reason)
  }

  /** Sends nothing more; resolves when what was sent has been answered, or given up after five seconds. */
  async close(): Promise<void> {
    await this.#window.close()
    this.#session = undefined
    this.#queue = []
  }

  #decide({ topic }: Message): 'send' | 'wait' | PublishOutcome {
    if (this.#topology.has(topic)) return 'send'
    if (this.#asking) return 'wait'
    const { clock, prefix } = this.#settings
    const known = this.#topics
    if (known !== undefined && clock.nowMs() - known.atMs <= TOPICS_KNOWN_FOR_MS)
      return known.names.has(topicNameOf(prefix, topic)) ? 'send' : UNROUTABLE
    void this.#ask(this.#session)
    return 'wait'
  }

  /** A topic that exists is somebody's: an operator has made it for consumers that are not ours. */
  async #ask(session: Session | undefined): Promise<void> {
    if (session === undefined) return
    this.#asking = true
    try {
      const names = new Set(await session.admin.listTopics())
      if (this.#session !== session) return
      this.#topics = { names, atMs: this.#settings.clock.nowMs() }
      this.#asking = false
      this.#window.pump()
    } catch (error) {
      // Whoever cannot be asked cannot be published to either.
      session.fail(error)
    }
  }

  #send(message: Message, answer: Unconfirmed['answer']): void {
    this.#warnOfBinding(message)
    const record = recordOf(this.#settings.prefix, message)
    const sent: Sent = { answer, record, bytes: record.value!.length }
    this.#window.add(sent)
    this.#queue.push(sent)
    const session = this.#session
    if (session === undefined || this.#sending === session) return
    this.#sending = session
    // What comes in the same turn travels together.
    queueMicrotask(() => void this.#sendAll(session))
  }

  async #sendAll(session: Session): Promise<void> {
    while (this.#session === session && this.#queue.length > 0) {
      let bytes = 0
      const fits = this.#queue.findIndex((sent, index) => (bytes += sent.bytes) > MAX_REQUEST_BYTES && index > 0)
      await this.#request(session, this.#queue.splice(0, fits === -1 ? this.#queue.length : fits))
    }
    if (this.#sending === session) this.#sending = undefined
  }

  async #request(session: Session, together: readonly Sent[]): Promise<void> {
    try {
      await produce(session.producer, together)
      for (const sent of together) this.#window.settle(sent, CONFIRMED)
    } catch (error) {
      // The loss of the connection is told with its reason, to all at once, by `detach`. A topic that is gone is declared on the next one.
      if (isLoss(error) || isProtocolError(error, 'UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID')) return session.fail(error)
      const [only] = together
      if (together.length > 1) for (const sent of together) await this.#request(session, [sent])
      else if (only !== undefined) this.#window.settle(only, { kind: 'failed', reason: this.#reasonOf(error, only) })
    }
  }

  #reasonOf(error: unknown, { record, bytes }: Sent): string {
    const { description } = this.#settings
    if (isProtocolError(error, 'MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'))
      return `its body has ${bytes} bytes, which is more than topic "${record.topic}" takes: raise max.message.bytes of the topic`
    return `${description} refused it: ${messageOf(error)}`
  }

  /** There is no AMQP here, and whoever was promised a queue should not have to find out by waiting. */
  #warnOfBinding({ bindings, topic }: Message): void {
    const queue = bindings?.amqp?.queue
    if (queue === undefined || this.#warned.has(queue)) return
    this.#warned.add(queue)
    this.#settings.onWarning(
      `The contract of "${topic}" promises its data to the AMQP queue "${queue}", which does not exist on Kafka. ` +
        `A foreign consumer can have a group of its own on topic "${topicNameOf(this.#settings.prefix, topic)}": it gets CloudEvents.`,
    )
  }
}

async function produce(producer: Producer, together: readonly Sent[]): Promise<void> {
  await producer.send({ messages: together.map(({ record }) => record), acks: -1 })
}
