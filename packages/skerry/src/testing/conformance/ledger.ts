/**
 * A consumer as a service has it: inbox, cursor, transactions. Each handling makes one entry, in the transaction of its inbox, so that
 * the entries tell what took effect, how often, and in what order. It can hold an event while it is handled, and visits tell who
 * got how far: other processes look at the same tables.
 */
import { strict as assert } from 'node:assert'
import { sleep, systemClock } from '../../base/clock.ts'
import { idSource } from '../../base/id.ts'
import { systemRandom } from '../../base/random.ts'
import type { Contract } from '../../contract/contract.ts'
import { contract } from '../../contract/contract.ts'
import type { Event } from '../../contract/event.ts'
import { event } from '../../contract/event.ts'
import type { Schema } from '../../contract/schema.ts'
import type { Broker, Message } from '../../engine/broker.ts'
import type { Database, DatabaseEngine } from '../../engine/database.ts'
import { sourceOf, writeCloudEvent } from '../../events/cloud-event.ts'
import type { RunningConsumer } from '../../events/consumer.ts'
import { startConsumer } from '../../events/consumer.ts'
import type { EventHandler } from '../../events/subscription.ts'
import type { TransactionRunner } from '../../events/transaction-runner.ts'
import { createTransactionRunner } from '../../events/transaction-runner.ts'
import { migrate } from '../../service/migrations.ts'
import { createLog } from '../../telemetry/log.ts'
import type { InstanceOptions } from './broker-under-fault.ts'

export interface Entry {
  readonly key: string
  readonly sequence: number
  readonly by: string
}

const TABLES = `
create table if not exists ledger_entry (nr bigint generated always as identity primary key, key text not null, sequence int not null, by text not null);
create table if not exists ledger_visit (nr bigint generated always as identity primary key, by text not null, what text not null);
create table if not exists ledger_release (by text primary key)`
const LOOK_EVERY_MS = 20

/** Of events whose data is the key they belong to. */
interface Happened {
  readonly key: string
}

const Happened: Schema<Happened> = {
  '~standard': {
    version: 1,
    vendor: 'skerry',
    validate: (value) => ({ value: value as Happened }),
    jsonSchema: { input: () => ({ type: 'object' }), output: () => ({ type: 'object' }) },
  },
}

export class Ledger {
  readonly service: string
  readonly topic: string
  readonly #database: Database
  readonly #contract: Contract
  readonly #event: Event
  readonly #published = new Map<string, { sequence: number; time: string }>()
  readonly #newId = idSource(systemClock, systemRandom)

  /** Opens the books of one consumer of one topic, and makes them when they do not exist. */
  static async open(databases: DatabaseEngine, service: string, topic: string): Promise<Ledger> {
    const database = await databases.open({ service, shared: true })
    await migrate({ service, database, folder: undefined, clock: systemClock })
    await database.transaction('read committed', (transaction) => transaction.script(TABLES))
    return new Ledger(database, service, topic)
  }

  private constructor(database: Database, service: string, topic: string) {
    const published = contract(topic, { version: '1.0.0', operations: {}, events: { happened: event(Happened, { key: 'key' }) } })
    this.service = service
    this.topic = topic
    this.#database = database
    this.#contract = published
    this.#event = published.events.happened
  }

  /** The next event of a key, numbered as an outbox does. */
  next(key: string): Message {
    const previous = this.#published.get(key)
    const [id, sequence, time] = [this.#newId(), (previous?.sequence ?? 0) + 1, systemClock.now().toISOString()]
    this.#published.set(key, { sequence, time })
    const { type } = this.#event
    const envelope = { id, source: sourceOf(this.topic), type, key, time, sequence, previousTime: previous?.time, traceparent: undefined }
    return { id, topic: this.topic, type, key, body: writeCloudEvent(envelope, JSON.stringify({ key } satisfies Happened)) }
  }

  /** The next events of several keys, in turn. */
  batch(keys: readonly string[], each: number): Message[] {
    return Array.from({ length: each }, () => keys.map((key) => this.next(key))).flat()
  }

  /** Starts an instance of the consumer. */
  consume(broker: Broker, { by, hold }: Pick<InstanceOptions, 'by'> & { readonly hold?: InstanceOptions['hold'] }): RunningConsumer {
    const { service } = this
    const database = this.#database
    const handler: EventHandler = {
      event: this.#event,
      kind: 'transactional',
      run: async (_, { key, sequence = 0 }, { transaction }) => {
        await transaction.query('insert into ledger_entry (key, sequence, by) values ($1, $2, $3)', [key, sequence, by])
        if (hold === 'within') await this.#hold(by, `${key} ${sequence}`)
      },
    }
    const tools = { clock: systemClock, random: systemRandom, newId: this.#newId }
    const ignore = (): void => undefined
    const run = createTransactionRunner({
      ...tools,
      topic: service,
      database,
      onEmitted: ignore,
      onUncertain: ignore,
      onDelayed: ignore,
    })
    const held: TransactionRunner = async (scope, isolation, work) => {
      if (hold === 'before') await this.#hold(by, 'begin')
      const result = await run(scope, isolation, work)
      if (hold !== undefined) await this.#visit(by, 'end')
      return result
    }
    return startConsumer({
      ...tools,
      service,
      contracts: [this.#contract],
      handlers: [handler],
      database,
      transactions: held,
      broker,
      exclusive: false,
      log: createLog({ level: 'silent' }),
    })
  }

  /** What an instance has passed: `begin` or `<key> <sequence>` when it held an event, `end` when the transaction was over. */
  async visits(by: string): Promise<string[]> {
    const { rows } = await this.#database.query<{ what: string }>('select what from ledger_visit where by = $1 order by nr', [by])
    return rows.map(({ what }) => what)
  }

  /** Holds nothing more in that instance. */
  async letGo(by: string): Promise<void> {
    await this.#database.query('insert into ledger_release (by) values ($1)', [by])
  }

  /** What took effect, in order. */
  async entries(): Promise<Entry[]> {
    return (await this.#database.query<Entry & Record<string, unknown>>('select key, sequence, by from ledger_entry order by nr')).rows
  }

  /** How many of the published events have not taken effect yet. */
  async missing(): Promise<number> {
    const expected = [...this.#published.values()].reduce((sum, { sequence }) => sum + sequence, 0)
    const { rows } = await this.#database.query<{ count: number }>('select count(distinct (key, sequence)) as count from ledger_entry')
    return expected - rows[0]!.count
  }

  /** Fails unless every published event has taken effect once, in the order of its key. */
  async verify(): Promise<void> {
    const entries = await this.entries()
    for (const [key, { sequence }] of this.#published)
      assert.deepEqual(
        entries.filter((entry) => entry.key === key).map((entry) => entry.sequence),
        Array.from({ length: sequence }, (_, index) => index + 1),
        `the effects of key "${key}" are those of its events, once each and in order`,
      )
  }

  async close(): Promise<void> {
    await this.#database.close()
  }

  async #hold(by: string, what: string): Promise<void> {
    await this.#visit(by, what)
    while ((await this.#database.query('select 1 from ledger_release where by = $1', [by])).affected === 0)
      await sleep(systemClock, LOOK_EVERY_MS)
  }

  async #visit(by: string, what: string): Promise<void> {
    await this.#database.query('insert into ledger_visit (by, what) values ($1, $2)', [by, what])
  }
}
