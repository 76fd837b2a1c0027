import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { idSource } from '../base/id.ts'
import { seededRandom } from '../base/random.ts'
import type { Broker } from '../engine/broker.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { embeddedBroker } from '../engine/embedded-broker.ts'
import { migrate } from '../service/migrations.ts'
import { createLog } from '../telemetry/log.ts'
import { orders } from '../testing/fixtures/small-shop.ts'
import { testDatabaseEngine } from '../testing/test-databases.ts'
import { writeCloudEvent } from './cloud-event.ts'
import type { RunningConsumer } from './consumer.ts'
import { startConsumer } from './consumer.ts'
import type { Act, ActResult } from './dead-letters.ts'
import { discardDeadLetter, replayDeadLetter } from './dead-letters.ts'
import type { EventMeta } from './subscription.ts'
import { createTransactionRunner } from './transaction-runner.ts'

const { orderPlaced } = orders.events
const SINCE = Date.parse('2026-01-01T00:00:00Z')
const BEFORE = new Date(SINCE - 1_000)

let engine: DatabaseEngine
let database: Database
let clock: VirtualClock
let broker: Broker
let consumer: RunningConsumer | undefined
let act: Act
/** What was handled, in order. */
let handled: EventMeta[]
/** Keys whose first event cannot be handled now. */
let broken: Set<string>

beforeAll(async () => {
  engine = await testDatabaseEngine()
  database = await engine.open({ service: 'notes', shared: true })
  await migrate({ service: 'notes', database, folder: undefined, clock: new VirtualClock() })
})
afterAll(() => engine.close())

beforeEach(async () => {
  for (const table of ['key_cursor', 'inbox', 'subscription', 'delivery', 'dead_letter', 'dead_letter_audit'])
    await database.query(`delete from skerry_${table}`)
  clock = new VirtualClock(new Date(SINCE))
  act = { by: 'ann', note: 'fixed', now: clock.now(), newId: idSource(clock, seededRandom(7)) }
  broker = await embeddedBroker({ clock }).open({ consumers: [{ name: 'notes', topics: ['orders'] }] })
  handled = []
  broken = new Set()
  return async () => {
    await consumer?.close()
    await broker.close()
  }
})

/** Starts an instance of the consumer in the place of the one before, which remembered more. */
async function consume(): Promise<void> {
  await consumer?.close()
  const random = seededRandom(1)
  const newId = idSource(clock, random)
  const transactions = createTransactionRunner({
    topic: 'notes',
    database,
    clock,
    random,
    newId,
    onEmitted() {},
    onUncertain() {},
    onDelayed() {},
  })
  consumer = startConsumer({
    service: 'notes',
    contracts: [orders],
    handlers: [
      {
        event: orderPlaced,
        kind: 'transactional',
        async run(_data, meta) {
          if (broken.has(`${meta.key}-${meta.sequence ?? meta.id}`)) throw new Error('broken')
          handled.push(meta)
        },
      },
    ],
    database,
    transactions,
    broker,
    exclusive: false,
    clock,
    random,
    newId,
    log: createLog({ level: 'silent' }),
  })
  await idle()
}

interface Published {
  readonly previousTime?: Date
  readonly type?: string
  readonly nonsense?: boolean
}

async function publish(key: string, sequence: number, { previousTime = clock.now(), type = orderPlaced.type, nonsense }: Published = {}) {
  const id = `${key}-${sequence}`
  const envelope = {
    id,
    source: '/services/orders',
    type,
    key,
    time: clock.now().toISOString(),
    traceparent: undefined,
    sequence,
    previousTime: sequence === 1 ? undefined : previousTime.toISOString(),
  }
  const body = writeCloudEvent(envelope, JSON.stringify(nonsense === true ? {} : { id: sequence, userId: 1, product: 'cup' }))
  await broker.publish([{ id, topic: 'orders', type, key, body }])
  await idle()
}

async function until(condition: () => boolean | Promise<boolean>, stepMs = 500): Promise<void> {
  for (let step = 0; step < 20_000; step++) {
    if (await condition()) return
    await clock.advance(consumer?.idle === false ? 0 : stepMs)
  }
  throw new Error(`The condition did not come true: ${String(condition)}`)
}

async function idle(): Promise<void> {
  await until(() => consumer!.idle, 0)
}

async function select<Row = Record<string, unknown>>(sql: string): Promise<Row[]> {
  return (await database.query<Row>(sql)).rows
}

async function letterOf(messageId: string): Promise<string> {
  const [letter] = await select<{ id: string }>(`select id from skerry_dead_letter where message_id = '${messageId}'`)
  if (letter === undefined) throw new Error(`There is no dead letter of ${messageId}`)
  return letter.id
}

const replay = async (messageId: string, outOfOrder = false): Promise<ActResult> =>
  replayDeadLetter(database, await letterOf(messageId), { ...act, now: clock.now(), outOfOrder })
const discard = async (messageId: string): Promise<ActResult> =>
  discardDeadLetter(database, await letterOf(messageId), { ...act, now: clock.now() })
const cursors = () => select('select key, seq from skerry_key_cursor order by key')

describe('a letter that is replayed', () => {
  it('is handled once, with the same id, key and number, and what waited behind it goes on in order', async () => {
    broken.add('a-1')
    await consume()
    for (let sequence = 1; sequence <= 30; sequence++) await publish('a', sequence)
    await until(async () => (await select('select 1 from skerry_dead_letter')).length === 1, 60_000)
    expect(handled).toEqual([])
    broken.clear()
    // An instance that remembers nothing of what waits.
    await consume()
    const before = clock.nowMs()
    expect(await replay('a-1')).toMatchObject({ done: true, letter: { message_id: 'a-1', key: 'a', seq: 1, cause: 'exhausted' } })
    await until(() => handled.length === 30)
    expect(handled.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1))
    expect(handled[0]).toMatchObject({ id: 'a-1', key: 'a', attempt: 1 })
    expect(clock.nowMs() - before).toBeLessThan(20_000)
    await idle()
    expect(await select('select * from skerry_delivery')).toEqual([])
    expect(await select('select * from skerry_dead_letter')).toEqual([])
    expect(await select('select action, by, note, message_id, key, seq, cause from skerry_dead_letter_audit')).toEqual([
      { action: 'replay', by: 'ann', note: 'fixed', message_id: 'a-1', key: 'a', seq: 1, cause: 'exhausted' },
    ])
  })

  it('is a dead letter once more when it fails as before, after as many attempts', async () => {
    broken.add('a-1')
    await consume()
    await publish('a', 1)
    await until(async () => (await select('select 1 from skerry_dead_letter')).length === 1, 60_000)
    const first = await letterOf('a-1')
    await replay('a-1')
    expect(await select('select attempts, deferrals from skerry_delivery')).toEqual([{ attempts: 0, deferrals: 0 }])
    await until(async () => (await select('select 1 from skerry_dead_letter')).length === 1, 60_000)
    expect(await letterOf('a-1')).not.toBe(first)
    expect(await select('select attempts from skerry_dead_letter')).toEqual([{ attempts: 12 }])
    expect(handled).toEqual([])
  })

  it('is replayed by one of two who do it at once', async () => {
    await consume()
    await publish('a', 1, { nonsense: true })
    const id = await letterOf('a-1')
    const results = await Promise.all([1, 2, 3].map(() => replayDeadLetter(database, id, act)))
    expect(results.filter(({ done }) => done)).toHaveLength(1)
    expect(results.filter((result) => !result.done).map((result) => !result.done && result.reason)).toEqual(['gone', 'gone'])
    expect(await select('select 1 from skerry_dead_letter_audit')).toHaveLength(1)
  })

  it.each([1, 2, 3])('stays a dead letter when the process dies before statement %i behind its removal', async (count) => {
    await consume()
    await publish('a', 1, { nonsense: true })
    const id = await letterOf('a-1')
    await consumer!.close()
    const dying: Database = {
      ...delegate(database),
      transaction: (isolation, work) =>
        database.transaction(isolation, async (transaction) => {
          let left = count
          const query: typeof transaction.query = (sql, parameters) => {
            if (left-- === 0) throw new Error('killed')
            return transaction.query(sql, parameters)
          }
          const result = await work({ ...transaction, query })
          if (left >= 0) throw new Error('killed')
          return result
        }),
    }
    await expect(replayDeadLetter(dying, id, act)).rejects.toThrow('killed')
    expect(await letterOf('a-1')).toBe(id)
    expect(await select('select 1 from skerry_delivery')).toEqual([])
    expect(await select('select 1 from skerry_dead_letter_audit')).toEqual([])
  })

  describe('of a type that nobody declared, whose key went on', () => {
    beforeEach(async () => {
      await consume()
      await publish('a', 1, { type: 'orders.orderMislaid.v9' })
      await publish('a', 2)
      // The next version of this service knows the type.
      await database.query(`update skerry_dead_letter set envelope = replace(envelope, 'orders.orderMislaid.v9', '${orderPlaced.type}')`)
    })

    it('is refused, for it would be out of order', async () => {
      expect(await replay('a-1')).toEqual({ done: false, reason: 'passed' })
      expect(await select('select 1 from skerry_dead_letter')).toHaveLength(1)
      expect(await select('select 1 from skerry_dead_letter_audit')).toEqual([])
    })

    it('is handled once when that is what is wanted', async () => {
      expect(await replay('a-1', true)).toMatchObject({ done: true })
      await until(() => handled.length === 2)
      expect(handled).toMatchObject([
        { id: 'a-2', sequence: 2 },
        { id: 'a-1', sequence: undefined },
      ])
      await idle()
      expect(await cursors()).toEqual([{ key: 'a', seq: 2 }])
      expect(await select('select message_id from skerry_inbox')).toEqual([{ message_id: 'a-1' }])
      expect(await select('select 1 from skerry_delivery')).toEqual([])
    })
  })
})

describe('a letter that is discarded', () => {
  it('lets its key go on behind it, from the very transaction on', async () => {
    await consume()
    await publish('a', 1, { nonsense: true })
    await publish('a', 2)
    await publish('a', 3)
    expect(handled).toEqual([])
    expect(await discard('a-1')).toMatchObject({ done: true })
    expect(await cursors()).toEqual([{ key: 'a', seq: 1 }])
    expect(
      await select('select seq from skerry_delivery where next_at <= $now order by seq'.replace('$now', `'${clock.now().toISOString()}'`)),
    ).toEqual([{ seq: 2 }])
    await until(() => handled.length === 2)
    expect(handled.map(({ sequence }) => sequence)).toEqual([2, 3])
    await publish('a', 1)
    expect(handled).toHaveLength(2)
    expect(await select('select action, by, message_id from skerry_dead_letter_audit')).toEqual([
      { action: 'discard', by: 'ann', message_id: 'a-1' },
    ])
  })

  it('is refused while one before it is dead, and waits for nobody when its turn has come', async () => {
    await consume()
    await publish('a', 1, { nonsense: true })
    await publish('a', 2)
    await database.query(
      `insert into skerry_dead_letter (id, consumer, message_id, topic, type, source, key, seq, envelope, cause, error, error_hash, attempts, died_at)
       select '019b76da-a800-7000-8000-000000000002', consumer, message_id, 'orders', 'x', source, key, seq, envelope, 'exhausted', 'it killed', 'h', 13, $1
       from skerry_delivery where message_id = 'a-2'`,
      [clock.now()],
    )
    await database.query(`delete from skerry_delivery`)
    await publish('a', 3)
    expect(await discard('a-2')).toEqual({ done: false, reason: 'notItsTurn' })
    expect(await cursors()).toEqual([])
    expect(await discard('a-1')).toMatchObject({ done: true })
    expect(await discard('a-2')).toMatchObject({ done: true })
    await until(() => handled.length === 1)
    expect(handled).toMatchObject([{ sequence: 3 }])
  })

  it('begins its key where the consumer joined later', async () => {
    await consume()
    await publish('a', 7, { previousTime: BEFORE, nonsense: true })
    await until(async () => (await select('select 1 from skerry_dead_letter')).length === 1)
    await publish('a', 8)
    await clock.advance('1m')
    expect(await discard('a-7')).toMatchObject({ done: true })
    await until(() => handled.length === 1)
    expect(handled).toMatchObject([{ sequence: 8 }])
    await publish('a', 6)
    expect(await select('select cause, seq from skerry_dead_letter')).toEqual([{ cause: 'overtaken', seq: 6 }])
    // It held nothing back, so nothing is to be moved.
    expect(await discard('a-6')).toMatchObject({ done: true })
    expect(await cursors()).toEqual([{ key: 'a', seq: 8 }])
  })

  it('is a no-op should the broker deliver it once more, also without a number', async () => {
    await consume()
    const body = JSON.stringify({ specversion: '1.0', id: 'x', source: '/stranger', type: orderPlaced.type, data: {} })
    await broker.publish([{ id: 'x', topic: 'orders', type: orderPlaced.type, key: '', body }])
    expect(await discard('x')).toMatchObject({ done: true })
    await broker.publish([{ id: 'x', topic: 'orders', type: orderPlaced.type, key: '', body }])
    await idle()
    expect(await select('select 1 from skerry_dead_letter')).toEqual([])
  })
})

function delegate(to: Database): Database {
  return {
    query: (sql, parameters) => to.query(sql, parameters),
    transaction: (isolation, work) => to.transaction(isolation, work),
    ping: () => to.ping(),
    close: () => to.close(),
  }
}
