/** Who is subscribed to one open broker. */
import type { SubscribeOptions, Subscription } from './broker.ts'

/** One consumer's deliveries, as an engine makes them. */
export interface Subscriber {
  /** Resolves when the broker holds for it what is published from then on. Undefined: it does so at once. */
  readonly inPlace?: Promise<void>
  /** Takes nothing more, and resolves when what is in progress has been answered. May be called again. */
  close(): Promise<void>
}

/** What AMQP has room for, and more than any engine makes use of. */
const MAX_PREFETCH = 65_535

/** The subscribers of one open broker: what `Broker.subscribe` and `Broker.close` have in common whatever the engine. */
export class Subscriptions<S extends Subscriber> implements Iterable<S> {
  readonly #broker: string
  readonly #subscribers = new Set<S>()
  #closed = false

  /** `broker`: what it is called in errors. */
  constructor(broker: string) {
    this.#broker = broker
  }

  /** Rejects after `close`, and when the options ask for what cannot be; `make` is called when they do not. */
  async open(options: SubscribeOptions, make: () => S): Promise<Subscription> {
    const { name, prefetch } = options
    if (this.#closed) throw new Error(`Consumer "${name}" cannot subscribe: this connection to ${this.#broker} is closed`)
    if (!Number.isInteger(prefetch) || prefetch < 1 || prefetch > MAX_PREFETCH)
      throw new RangeError(`Consumer "${name}" has a prefetch of ${prefetch}: expected a whole number from 1 to 65,535`)
    const subscriber = make()
    this.#subscribers.add(subscriber)
    await subscriber.inPlace
    return {
      close: async () => {
        await subscriber.close()
        this.#subscribers.delete(subscriber)
      },
    }
  }

  [Symbol.iterator](): Iterator<S> {
    return this.#subscribers.values()
  }

  /** Refuses new ones from now on, and resolves when all are closed. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#subscribers].map((subscriber) => subscriber.close()))
  }
}
