/**
 * Whether anyone wants a topic that no consumer of this system names. A stream takes what nobody wants, too, so NATS is asked beforehand,
 * and its answer kept until a consumer comes or goes.
 */
import type { JetStreamManager } from '@nats-io/jetstream'
import type { Clock } from 'skerry/engine'
import { consumed, wants } from './consumers.ts'

/** For accounts that may not hear of consumers coming and going. */
const KNOWN_FOR_MS = 5_000

export class Interest {
  readonly #clock: Clock
  readonly #stream: string
  readonly #answers = new Map<string, { readonly wanted: boolean; readonly atMs: number }>()

  constructor(clock: Clock, stream: string) {
    this.#clock = clock
    this.#stream = stream
  }

  /** Undefined: ask. */
  known(subject: string): boolean | undefined {
    const answer = this.#answers.get(subject)
    return answer === undefined || this.#clock.nowMs() - answer.atMs > KNOWN_FOR_MS ? undefined : answer.wanted
  }

  async ask(jsm: JetStreamManager, subject: string): Promise<void> {
    const atMs = this.#clock.nowMs()
    const { consumers } = await consumed(jsm, this.#stream)
    this.#answers.set(subject, { wanted: consumers.some((consumer) => wants(consumer, subject)), atMs })
  }

  forget(): void {
    this.#answers.clear()
  }
}
