/**
 * Queues of consumers that are not ours, which a contract's AMQP binding names. One that exists is used as it is, whatever
 * its properties; one that does not is declared as the contract says. Each is looked at once per connection.
 */
import type { Channel, ChannelModel } from 'amqplib'

/** `problem` says why the queue can be neither found nor declared. */
type Action = (problem?: string) => void

const NOT_FOUND = 404
/** Exclusive to another connection: it exists and can be published to, and more cannot be known. */
const RESOURCE_LOCKED = 405
const PRECONDITION_FAILED = 406

export class ForeignQueues {
  readonly #connection: ChannelModel
  readonly #onWarning: (warning: string) => void
  /** Outlives the connection: each warning is given once. */
  readonly #warned: Set<string>
  readonly #declared = new Set<string>()
  readonly #waiting = new Map<string, Action[]>()

  constructor(connection: ChannelModel, onWarning: (warning: string) => void, warned: Set<string>) {
    this.#connection = connection
    this.#onWarning = onWarning
    this.#warned = warned
  }

  /** Runs `action` when the queue is there: at once if it is known to be. Actions on one queue run in the order given. */
  whenDeclared(queue: string, durable: boolean, action: Action): void {
    if (this.#declared.has(queue)) return action()
    const waiting = this.#waiting.get(queue)
    if (waiting !== undefined) {
      waiting.push(action)
      return
    }
    this.#waiting.set(queue, [action])
    this.#declare(queue, durable).then(
      () => {
        this.#declared.add(queue)
        this.#run(queue)
      },
      (error: unknown) => this.#run(queue, error instanceof Error ? error.message : String(error)),
    )
  }

  /** It was deleted: look at it again before the next use. */
  forget(queue: string): void {
    this.#declared.delete(queue)
  }

  #run(queue: string, problem?: string): void {
    const waiting = this.#waiting.get(queue) ?? []
    this.#waiting.delete(queue)
    for (const action of waiting) action(problem)
  }

  async #declare(queue: string, durable: boolean): Promise<void> {
    const existed = await this.#exists(queue)
    try {
      await this.#onChannel((channel) => channel.assertQueue(queue, { durable }))
    } catch (error) {
      // Declared by someone else since we looked is as good.
      if (!existed && !(await this.#exists(queue))) throw error
      if (codeOf(error) !== PRECONDITION_FAILED || this.#warned.has(queue)) return
      this.#warned.add(queue)
      this.#onWarning(
        `Queue "${queue}" exists with other properties than the contract's AMQP binding says (durable: ${durable}); it is used as it is. ${String(error)}`,
      )
    }
  }

  async #exists(queue: string): Promise<boolean> {
    try {
      await this.#onChannel((channel) => channel.checkQueue(queue))
      return true
    } catch (error) {
      if (codeOf(error) === NOT_FOUND) return false
      if (codeOf(error) === RESOURCE_LOCKED) return true
      throw error
    }
  }

  /** On a channel of its own: RabbitMQ answers a question it does not like by closing the channel. */
  async #onChannel(work: (channel: Channel) => Promise<unknown>): Promise<void> {
    const channel = await this.#connection.createChannel()
    channel.on('error', () => undefined)
    try {
      await work(channel)
    } finally {
      await channel.close().catch(() => undefined)
    }
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
