/**
 * Lets go of what every consumer has handled. A stream could do so by itself (interest retention), but when a server stops it has
 * no consumers any more for the time of a few messages, and what is published then is confirmed and dropped. So the stream keeps everything,
 * and whoever is connected purges, now and then, each subject up to where its slowest consumer is. Doing it twice does no harm.
 *
 * A consumer that is made meanwhile starts behind what the stream held before: nothing that it could want is purged.
 */
import type { Timer } from 'skerry/engine'
import type { Session } from './connection.ts'
import { consumed, doneUpTo, wants } from './consumers.ts'
import type { Settings } from './settings.ts'
import type { Topology } from './topology.ts'

/** How soon after the stream was found full. */
const WHEN_FULL_MS = 50

export class Purge {
  readonly #settings: Settings
  readonly #topology: Topology
  #session: Session | undefined
  readonly #purged = new Map<string, number>()
  #timer: { readonly timer: Timer; readonly soon: boolean } | undefined
  #running = false

  constructor(settings: Settings, topology: Topology) {
    this.#settings = settings
    this.#topology = topology
  }

  attach(session: Session): void {
    this.#session = session
    this.#purged.clear()
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
    const { clock, random, purgeEveryMs } = this.#settings
    this.#timer?.timer.cancel()
    this.#timer = { soon: false, timer: clock.setTimer(purgeEveryMs * (0.5 + random.next()), () => this.#run()) }
  }

  #run(): void {
    this.#timer = undefined
    const session = this.#session
    if (session === undefined || this.#running) return
    this.#running = true
    this.#purge(session)
      // Room is not urgent, and what stands in the way (a server that does not answer) is told by everything else.
      .catch(() => undefined)
      .finally(() => {
        this.#running = false
        if (this.#session !== undefined && this.#timer === undefined) this.#later()
      })
  }

  async #purge({ jsm }: Session): Promise<void> {
    const { stream, consumers } = await consumed(jsm, this.#topology.stream)
    const missing = this.#topology.durables().some((durable) => !consumers.some(({ name }) => name === durable))
    if (missing) return
    for (const subject of Object.keys(stream.state.subjects ?? {})) {
      const wanting = consumers.filter((consumer) => wants(consumer, subject))
      const upTo = Math.min(stream.state.last_seq, ...wanting.map(doneUpTo))
      if (upTo <= (this.#purged.get(subject) ?? 0)) continue
      await jsm.streams.purge(this.#topology.stream, { filter: subject, seq: upTo + 1 })
      this.#purged.set(subject, upTo)
    }
  }
}
