/**
 * What the cases of `brokerConformance` have in common: names of their own, so that cases do not meet on a broker that outlives them;
 * brokers that are closed at the end; consumers whose deliveries are written down; and waiting on conditions instead of on time.
 */
import { strict as assert } from 'node:assert'
import { sleep, systemClock } from '../../base/clock.ts'
import { idSource } from '../../base/id.ts'
import { systemRandom } from '../../base/random.ts'
import type {
  Broker,
  BrokerEngine,
  BrokerOptions,
  Delivery,
  Disposition,
  Message,
  PublishOutcome,
  Subscription,
} from '../../engine/broker.ts'
import type { ConformanceCase } from './conformance-case.ts'

const WAIT_MS = 20_000
const newId = idSource(systemClock, systemRandom)

/** A case that starts with nothing and leaves nothing open. */
export function brokerCase(name: string, run: (scene: BrokerScene) => Promise<void>): ConformanceCase<BrokerEngine> {
  return {
    name,
    async run(engine) {
      const scene = new BrokerScene(engine)
      try {
        await run(scene)
      } finally {
        await scene.end()
      }
    },
  }
}

export class BrokerScene {
  readonly #engine: BrokerEngine
  readonly #brokers: Broker[] = []
  readonly #recorders: Recorder[] = []

  constructor(engine: BrokerEngine) {
    this.#engine = engine
  }

  /** A topic or a consumer that no other case knows. */
  name(of: string): string {
    return `${of}-${newId()}`
  }

  message(topic: string, more: Partial<Message> = {}): Message {
    const id = newId()
    const body = JSON.stringify({ specversion: '1.0', id, source: '/conformance', type: 'conformance.happened', data: { id } })
    return { id, topic, type: 'conformance.happened', key: 'key', body, ...more }
  }

  messages(topic: string, count: number): Message[] {
    return Array.from({ length: count }, () => this.message(topic))
  }

  async open(consumers: BrokerOptions['consumers'], onStatus: BrokerOptions['onStatus'] = () => undefined): Promise<Broker> {
    const broker = await this.#engine.open({ consumers, onStatus })
    this.#brokers.push(broker)
    return broker
  }

  /** Subscribes a consumer that acknowledges everything, unless `handle` says otherwise. */
  async record(broker: Broker, name: string, topics: readonly string[], { prefetch = 10, handle }: RecordOptions = {}): Promise<Recorder> {
    const recorder = new Recorder(handle ?? (async () => 'ack'))
    this.#recorders.push(recorder)
    recorder.subscription = await broker.subscribe({ name, topics, prefetch, handle: (delivery) => recorder.receive(delivery) })
    return recorder
  }

  async end(): Promise<void> {
    for (const recorder of this.#recorders) recorder.release()
    await Promise.all(this.#brokers.map((broker) => broker.close()))
  }
}

export interface RecordOptions {
  readonly prefetch?: number
  readonly handle?: (delivery: Delivery, recorder: Recorder) => Promise<Disposition>
}

/** Deliveries to one subscription, in the order in which they came. */
export class Recorder {
  readonly deliveries: Delivery[] = []
  inProgress = 0
  mostInProgress = 0
  readonly #handle: (delivery: Delivery, recorder: Recorder) => Promise<Disposition>
  readonly #held: ((disposition: Disposition) => void)[] = []
  #released = false
  #subscription: Subscription | undefined

  constructor(handle: (delivery: Delivery, recorder: Recorder) => Promise<Disposition>) {
    this.#handle = handle
  }

  get subscription(): Subscription {
    assert.ok(this.#subscription)
    return this.#subscription
  }

  set subscription(subscription: Subscription) {
    this.#subscription = subscription
  }

  get ids(): string[] {
    return this.deliveries.map(({ message }) => message.id)
  }

  async receive(delivery: Delivery): Promise<Disposition> {
    this.deliveries.push(delivery)
    this.mostInProgress = Math.max(this.mostInProgress, ++this.inProgress)
    try {
      return await this.#handle(delivery, this)
    } finally {
      this.inProgress--
    }
  }

  /** For a handler: waits until the case answers for it. */
  held(): Promise<Disposition> {
    return new Promise((resolve) => (this.#released ? resolve('ack') : this.#held.push(resolve)))
  }

  /** Answers the handler that has been held longest. */
  answer(disposition: Disposition): void {
    const answer = this.#held.shift()
    assert.ok(answer, 'no handler is held')
    answer(disposition)
  }

  /** Acknowledges whatever is held, now and from now on. */
  release(): void {
    this.#released = true
    for (const answer of this.#held.splice(0)) answer('ack')
  }
}

/** Waits until `condition` holds; fails after 20 seconds, or `patienceMs`, with what was awaited. */
export async function until(awaited: string, condition: () => boolean | Promise<boolean>, patienceMs: number = WAIT_MS): Promise<void> {
  const deadlineMs = systemClock.nowMs() + patienceMs
  while (!(await condition())) {
    if (systemClock.nowMs() > deadlineMs) assert.fail(`waited ${patienceMs} ms in vain until ${awaited}`)
    await sleep(systemClock, 2)
  }
}

export function assertConfirmed(outcomes: readonly PublishOutcome[]): void {
  const other = outcomes.find((outcome) => outcome.kind !== 'confirmed')
  assert.equal(other, undefined, `expected every message to be confirmed, but one is ${JSON.stringify(other)}`)
}

export function kinds(outcomes: readonly PublishOutcome[]): string[] {
  return outcomes.map(({ kind }) => kind)
}
