/**
 * What must exist at Kafka: a topic for each topic that a consumer names. Groups need no declaring: one that has committed nothing begins with what
 * its topics still hold. Declaring is idempotent and done on every new connection, so whatever was deleted under us is there again.
 */
import type { Admin } from '@platformatic/kafka'
import { UnsupportedApiError } from '@platformatic/kafka'
import type { Consumer } from 'skerry/engine'
import { isProtocolError, messageOf } from './explain.ts'
import { topicNameOf } from './names.ts'
import type { Settings } from './settings.ts'

export class Topology {
  readonly #settings: Settings
  readonly #topics = new Set<string>()

  constructor(settings: Settings, consumers: readonly Consumer[]) {
    this.#settings = settings
    for (const consumer of consumers) this.add(consumer)
  }

  /** Makes a consumer known. */
  add({ topics }: Consumer): void {
    for (const topic of topics) this.#topics.add(topic)
  }

  /** Whether some consumer wants the topic. */
  has(topic: string): boolean {
    return this.#topics.has(topic)
  }

  /** Sees to it that all topics exist. Rejects when one does not and cannot be made. */
  async declareAll(admin: Admin): Promise<void> {
    const existing = new Set(await admin.listTopics())
    const missing = [...this.#topics].map((topic) => topicNameOf(this.#settings.prefix, topic)).filter((name) => !existing.has(name))
    if (missing.length > 0) await this.#create(admin, missing)
  }

  async #create(admin: Admin, topics: string[]): Promise<void> {
    const { partitions, replicas, retentionMs, maxMessageBytes } = this.#settings
    const configs = [
      { name: 'cleanup.policy', value: 'delete' },
      { name: 'retention.ms', value: String(retentionMs) },
      { name: 'max.message.bytes', value: String(maxMessageBytes) },
      // Confirmed means on more than one of them; and one may be away.
      ...(replicas !== undefined && replicas > 2 ? [{ name: 'min.insync.replicas', value: '2' }] : []),
    ]
    try {
      await admin.createTopics({ topics, partitions, replicas: replicas ?? -1, configs })
    } catch (error) {
      // Another host was sooner.
      if (isProtocolError(error, 'TOPIC_ALREADY_EXISTS')) return
      if (isUnsupported(error)) return this.#provoke(admin, topics)
      throw new Error(
        `${topics.length > 1 ? 'topics' : 'topic'} ${topics.map((topic) => `"${topic}"`).join(', ')} cannot be created: ${messageOf(error)}. ` +
          `Allow it, or create them: kafka-topics.sh --create --partitions ${partitions} --topic …`,
        { cause: error },
      )
    }
  }

  /** Where topics cannot be created by request they may come into being when they are asked about. */
  async #provoke(admin: Admin, topics: string[]): Promise<void> {
    await admin.metadata({ topics, autocreateTopics: true, forceUpdate: true })
  }
}

function isUnsupported(error: unknown): boolean {
  return error instanceof UnsupportedApiError || (error instanceof AggregateError && error.errors.some(isUnsupported))
}
