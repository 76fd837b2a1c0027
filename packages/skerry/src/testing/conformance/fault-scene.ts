/** What the cases of `brokerFaultConformance` have in common: a scene with books, publishers who do not give up, and long patience. */
import { sleep, systemClock } from '../../base/clock.ts'
import type { Broker, BrokerEngine, Message } from '../../engine/broker.ts'
import type { RunningConsumer } from '../../events/consumer.ts'
import { BrokerScene, until } from './broker-scene.ts'
import type { BrokerUnderFault, FaultMeans } from './broker-under-fault.ts'
import type { ConformanceCase } from './conformance-case.ts'
import { Ledger } from './ledger.ts'

export interface FaultCase extends ConformanceCase<BrokerUnderFault> {
  /** A subject without these cannot have this fault. */
  readonly needs?: FaultMeans
}

/** A broker that starts again, on a busy machine, takes its time. */
const PATIENCE_MS = 120_000
const RETRY_MS = 20

/** A case that needs nothing but the broker. */
export function faultCase(name: string, run: (scene: FaultScene) => Promise<void>): FaultCase {
  return { name, run: (subject) => inScene(subject, run) }
}

/** A case that needs some means to do harm, and gets them. */
export function faultCaseOf<Means extends FaultMeans>(
  needs: Means,
  name: string,
  run: (scene: FaultScene, means: NonNullable<BrokerUnderFault[Means]>) => Promise<void>,
): FaultCase {
  return {
    name,
    needs,
    async run(subject) {
      const means = subject[needs]
      if (means === undefined) throw new TypeError(`This case needs "${needs}", which the broker under fault does not have: leave it out`)
      await inScene(subject, (scene) => run(scene, means))
    },
  }
}

async function inScene(subject: BrokerUnderFault, run: (scene: FaultScene) => Promise<void>): Promise<void> {
  const scene = new FaultScene(subject)
  try {
    await run(scene)
  } finally {
    await scene.end()
  }
}

export class FaultScene extends BrokerScene {
  readonly #subject: BrokerUnderFault
  readonly #ledgers: Ledger[] = []
  readonly #consumers: RunningConsumer[] = []
  readonly #brokers: Broker[] = []

  constructor(subject: BrokerUnderFault) {
    super(subject.engine)
    this.#subject = subject
  }

  /** A consumer of its own topic, with a database. */
  async ledger(): Promise<Ledger> {
    const ledger = await Ledger.open(this.#subject.databases, this.#shortName('books'), this.#shortName('things'))
    this.#ledgers.push(ledger)
    return ledger
  }

  /** Starts an instance of a ledger's consumer in this process. */
  consume(ledger: Ledger, broker: Broker, by = 'this process'): RunningConsumer {
    const consumer = ledger.consume(broker, { by })
    this.#consumers.push(consumer)
    return consumer
  }

  /** Opens another engine than the subject's. */
  async openOn(engine: BrokerEngine, ...options: Parameters<BrokerEngine['open']>): Promise<Broker> {
    const broker = await engine.open(...options)
    this.#brokers.push(broker)
    return broker
  }

  override async end(): Promise<void> {
    await super.end()
    await Promise.all(this.#consumers.map((consumer) => consumer.close()))
    await Promise.all(this.#brokers.map((broker) => broker.close()))
    await Promise.all(this.#ledgers.map((ledger) => ledger.close()))
  }

  /** Names of contracts and schemas are short. */
  #shortName(of: string): string {
    return `${of}-${this.name('').slice(-12)}`
  }
}

/** The declaration of a ledger's consumer. */
export function consumersOf({ service, topic }: Ledger) {
  return [{ name: service, topics: [topic] }]
}

/** As the relay does: what failed is published again, marked as such, and of each key nothing before what failed. */
export async function publishUntilConfirmed(broker: Broker, batch: readonly Message[]): Promise<void> {
  const deadlineMs = systemClock.nowMs() + PATIENCE_MS
  for (let left = batch; ;) {
    const outcomes = await broker.publish(left)
    left = left.filter((_, index) => outcomes[index]!.kind !== 'confirmed').map((message) => ({ ...message, redelivered: true }))
    if (left.length === 0) return
    if (systemClock.nowMs() > deadlineMs) throw new Error(`${left.length} messages are still not confirmed: ${JSON.stringify(outcomes[0])}`)
    await sleep(systemClock, RETRY_MS)
  }
}

/** Waits, with patience for a broker that starts again. */
export function eventually(awaited: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  return until(awaited, condition, PATIENCE_MS)
}

/** Waits until everything published has taken effect, and fails unless it did so once and in order. */
export async function settled(ledger: Ledger): Promise<void> {
  await eventually('every event has taken effect', async () => (await ledger.missing()) === 0)
  await ledger.verify()
}
