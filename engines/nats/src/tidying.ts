/**
 * Lets go of what every consumer has handled. A stream could do so by itself (interest retention), but when a server stops it has
 * no consumers any more for the time of a few messages, and what is published then is confirmed and dropped. So the stream keeps everything,
 * and whoever is connected deletes, now and then, from its beginning up to where its slowest consumer is. Doing it twice does no harm.
 * Message by message: a purge makes servers of 2.9 forget what they have delivered and must deliver again.
 *
 * A consumer that is made meanwhile starts behind what the stream held before: nothing that it could want is deleted.
 */
import type { JetStreamManager } from '@nats-io/jetstream'
import { JetStreamApiError } from '@nats-io/jetstream'
import type { Timer } from 'skerry/engine'
import type { Session } from './connection.ts'
import { consumed, doneUpTo } from './consumers.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

/** How soon after the stream was found full. */
const WHEN_FULL_MS = 50
/** How many messages are deleted in one go, and how many at the same time. */
const MAX_DELETED = 50_000
const AT_ONCE = 50

export class Tidying {
  readonly #settings: Settings
  readonly #topology: Topology
  #session: Session | undefined
  #timer: { readonly timer: Timer; readonly soon: boolean } | undefined
  #running = false

  constructor(settings: Settings, topology: Topology) {
    this.#settings = settings
    this.#topology = topology
  }

  attach(session: Session): void {
    this.#session = session
    this.#later()
  }

  detach(): void {
    this.#session = undefined
    this.#timer?.timer.cancel()
    this.#timer = undefined
  }

  /** The stream is full. */
  soon(): void {
    if (this.#session === undefined || this.#timer?.soon === true) return
    this.#timer?.timer.cancel()
    this.#timer = { soon: true, timer: this.#settings.clock.setTimer(WHEN_FULL_MS, () => this.#run()) }
  }

  #later(): void {
    const { clock, random, tidyEveryMs } = this.#settings
    this.#timer?.timer.cancel()
    this.#timer = { soon: false, timer: clock.setTimer(tidyEveryMs * (0.5 + random.next()), () => this.#run()) }
  }

  #run(): void {
    this.#timer = undefined
    const session = this.#session
    if (session === undefined || this.#running) return
    this.#running = true
    this.#tidy(session)
      // Room is not urgent, and what stands in the way (a server that does not answer) is told by everything else.
      .catch(() => undefined)
      .finally(() => {
        this.#running = false
        if (this.#session !== undefined && this.#timer === undefined) this.#later()
      })
  }

  async #tidy({ jsm }: Session): Promise<void> {
    const { stream, consumers } = await consumed(jsm, this.#topology.stream)
    const { messages, first_seq: first, last_seq: last } = stream.state
    if (messages === 0) return
    const missing = this.#topology.durables().some((durable) => !consumers.some(({ name }) => name === durable))
    if (missing) return
    const upTo = Math.min(last, first + MAX_DELETED, ...consumers.map((consumer) => doneUpTo(consumer, last)))
    let next = first
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (next <= upTo && this.#session !== undefined) await this.#delete(jsm, next++)
      }),
    )
  }

  /** What is gone already was deleted by another host. */
  async #delete(jsm: JetStreamManager, sequence: number): Promise<void> {
    try {
      await jsm.streams.deleteMessage(this.#topology.stream, sequence, false)
    } catch (error) {
      if (!(error instanceof JetStreamApiError)) throw error
    }
  }
}
