/**
 * What must exist at NATS: one stream that keeps what it has been given, and for each consumer and topic one durable pull consumer. Declaring is idempotent and done on every new connection, so whatever was deleted under us is there again
 * before it is used.
 */
import type { ConsumerInfo, JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import type { Consumer } from 'skerry/engine'
import { sleep } from 'skerry/engine'
import { durableOf, subjectOf } from './names.ts'
import type { Settings } from './settings.ts'

/**
 * How long a stream that was deleted stays away. The server tells of a deletion before it removes the files, and of a stream that is made
 * again by then it removes them too: what that had confirmed is gone, and what it is given afterwards it does not deliver (seen on 2.9).
 */
const FILES_REMOVED_AFTER_MS = 1_000

export class Topology {
  readonly stream: string
  readonly #settings: Settings
  readonly #topicsByConsumer = new Map<string, Set<string>>()
  readonly #topics = new Set<string>()
  /** Durables that have existed. */
  readonly #seen = new Set<string>()
  readonly #warned = new Set<string>()
  #streamSeen = false

  constructor(settings: Settings, consumers: readonly Consumer[]) {
    this.stream = settings.prefix
    this.#settings = settings
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

  /** The names of the durables that we declare. */
  durables(): readonly string[] {
    return [...this.#topicsByConsumer].flatMap(([consumer, topics]) => [...topics].map((topic) => durableOf(consumer, topic)))
  }

  declares(durable: string): boolean {
    return this.durables().includes(durable)
  }

  async declareAll(jsm: JetStreamManager): Promise<void> {
    await this.#declareStream(jsm)
    const known = new Map<string, ConsumerInfo>()
    for await (const info of jsm.consumers.list(this.stream)) known.set(info.name, info)
    for (const [consumer, topics] of this.#topicsByConsumer)
      for (const topic of topics) await this.#declareDurable(jsm, consumer, topic, known.get(durableOf(consumer, topic)))
  }

  /** Declares one consumer. Resolves with the names of its durables. */
  async declare(jsm: JetStreamManager, consumer: string): Promise<string[]> {
    await this.#declareStream(jsm)
    const names: string[] = []
    for (const topic of this.#topicsByConsumer.get(consumer) ?? []) {
      const name = durableOf(consumer, topic)
      const existing = await orMissing(JetStreamApiCodes.ConsumerNotFound, jsm.consumers.info(this.stream, name))
      await this.#declareDurable(jsm, consumer, topic, existing)
      names.push(name)
    }
    return names
  }

  async #declareStream(jsm: JetStreamManager): Promise<void> {
    const subjects = [`${this.stream}.>`]
    const find = (): Promise<StreamInfo | undefined> => orMissing(JetStreamApiCodes.StreamNotFound, jsm.streams.info(this.stream))
    let existing = await find()
    if (existing === undefined && this.#streamSeen) {
      await sleep(this.#settings.clock, FILES_REMOVED_AFTER_MS)
      existing = await find()
    }
    if (existing !== undefined) {
      this.#streamSeen = true
      return this.#inspect(existing, subjects)
    }
    await jsm.streams.add({
      name: this.stream,
      subjects,
      // Not interest: see tidying.ts.
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      num_replicas: this.#settings.replicas,
      // Full means refused, never silently dropped.
      discard: DiscardPolicy.New,
    })
    this.#streamSeen = true
  }

  /** Limits, replicas and placement are the operator's; what would lose messages is not taken. */
  #inspect({ config }: StreamInfo, subjects: readonly string[]): void {
    const wrong = [
      config.retention === RetentionPolicy.Limits ? [] : [`its retention is ${config.retention}, not limits`],
      subjects.every((subject) => config.subjects.includes(subject)) ? [] : [`it does not take ${subjects.join(', ')}`],
    ].flat()
    if (wrong.length > 0)
      throw new Error(
        `stream "${this.stream}" exists and is not Skerry's: ${wrong.join(', and ')}. Choose another name with ?prefix= in the url, or delete it`,
      )
    const lossy = [
      config.max_age > 0 ? ['drops messages by age'] : [],
      config.max_msgs_per_subject > 0 ? ['drops old messages of a subject'] : [],
      config.discard === DiscardPolicy.New ? [] : ['drops old messages when it is full'],
      config.storage === StorageType.File ? [] : ['keeps its messages in memory'],
    ].flat()
    for (const problem of lossy) {
      if (this.#warned.has(problem)) continue
      this.#warned.add(problem)
      this.#settings.onWarning(
        `Stream "${this.stream}" ${problem}: events can be lost before their consumers have them. Change it with: nats stream edit ${this.stream}`,
      )
    }
  }

  async #declareDurable(jsm: JetStreamManager, consumer: string, topic: string, existing: ConsumerInfo | undefined): Promise<void> {
    const ackWait = nanos(this.#settings.ackWaitMs)
    const name = durableOf(consumer, topic)
    const info =
      existing ??
      (await jsm.consumers.add(this.stream, {
        durable_name: name,
        description: `Skerry: what "${consumer}" has not yet handled of "${topic}"`,
        filter_subject: subjectOf(this.#settings.prefix, topic),
        // From its birth on, as a queue does: what the stream still holds for others is not its. But one that was deleted under us is
        // owed what it has missed; that it gets more than that again, the platform knows how to bear.
        deliver_policy: this.#seen.has(name) ? DeliverPolicy.All : DeliverPolicy.New,
        ack_policy: AckPolicy.Explicit,
        ack_wait: ackWait,
        // Attempts are counted by the platform; the broker must never give up because a consumer's database is down.
        max_deliver: -1,
        // Bounded by the prefetch of each instance: one that is stuck holds back no other.
        max_ack_pending: -1,
      }))
    if (info.config.ack_wait !== ackWait) await jsm.consumers.update(this.stream, name, { ack_wait: ackWait })
    this.#seen.add(name)
  }
}

async function orMissing<T>(code: number, asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === code) return undefined
    throw error
  }
}
