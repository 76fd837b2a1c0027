/**
 * What must exist at RabbitMQ: the exchange, and for each consumer a quorum queue bound to its topics. Declaring is
 * idempotent and done on every new channel, so whatever was deleted under us is there again before it is used.
 */
import type { Channel } from 'amqplib'
import type { Consumer } from 'skerry/engine'
import type { Settings } from './settings.ts'

/**
 * How long a queue that was deleted is left alone, in milliseconds, so that RabbitMQ has told all its consumers. Before version 4 a
 * consumer whose queue exists again by then is not told but moved over to the new one, where it never receives anything.
 */
export const REMAKE_DELAY_MS = 1_000

export class Topology {
  readonly exchange: string
  readonly #prefix: string
  readonly #topicsByConsumer = new Map<string, Set<string>>()
  readonly #topics = new Set<string>()
  readonly #keepTheirLimit = new Set<string>()
  readonly #onWarning: (warning: string) => void

  constructor({ exchange, prefix, onWarning }: Settings, consumers: readonly Consumer[]) {
    this.exchange = exchange
    this.#prefix = prefix
    this.#onWarning = onWarning
    for (const consumer of consumers) this.add(consumer)
  }

  /** Makes a consumer known. Topics add up over all its mentions. */
  add({ name, topics }: Consumer): void {
    const known = this.#topicsByConsumer.get(name) ?? new Set()
    this.#topicsByConsumer.set(name, known)
    for (const topic of topics) {
      known.add(topic)
      this.#topics.add(topic)
    }
  }

  /** Whether some consumer wants the topic. */
  has(topic: string): boolean {
    return this.#topics.has(topic)
  }

  queueOf(consumer: string): string {
    return `${this.#prefix}.${consumer}`
  }

  async declareAll(channel: Channel): Promise<void> {
    await this.#declareExchange(channel)
    for (const consumer of this.#topicsByConsumer.keys()) await this.#declareQueue(channel, consumer)
  }

  /** Declares one consumer's queue. Resolves with its name. */
  async declare(channel: Channel, consumer: string): Promise<string> {
    await this.#declareExchange(channel)
    return this.#declareQueue(channel, consumer)
  }

  async #declareExchange(channel: Channel): Promise<void> {
    await channel.assertExchange(this.exchange, 'topic', { durable: true })
  }

  async #declareQueue(channel: Channel, consumer: string): Promise<string> {
    const queue = this.queueOf(consumer)
    const limit = this.#keepTheirLimit.has(queue) ? {} : noDeliveryLimit(channel)
    await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum', ...limit } }).catch((error: unknown) => {
      // Declared before RabbitMQ was upgraded to 4: an argument cannot be added to it. The next attempt takes it as it is.
      if ('x-delivery-limit' in limit && isPreconditionFailed(error)) {
        this.#keepTheirLimit.add(queue)
        this.#onWarning(
          `Queue "${queue}" was declared by an older RabbitMQ and now drops messages that were returned more than 20 times. ` +
            `Lift its limit: rabbitmqctl set_policy --apply-to queues skerry-no-delivery-limit '^${this.#prefix}\\.' '{"delivery-limit":-1}'`,
        )
      }
      throw error
    })
    for (const topic of this.#topicsByConsumer.get(consumer) ?? []) await channel.bindQueue(queue, this.exchange, topic)
    return queue
  }
}

/**
 * Attempts are counted by the platform; the broker must never drop a message because its consumer's database is down.
 * From version 4 RabbitMQ would after 20 returns, unless told otherwise; before it there is no limit and -1 is refused.
 */
function noDeliveryLimit(channel: Channel): Record<string, number> {
  const { version } = channel.connection.serverProperties
  return Number.parseInt(version, 10) >= 4 ? { 'x-delivery-limit': -1 } : {}
}

function isPreconditionFailed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 406
}
