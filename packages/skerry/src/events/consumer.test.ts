import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { idSource } from '../base/id.ts'
import { seededRandom } from '../base/random.ts'
import { CallError } from '../contract/call-error.ts'
import type { Broker, PublishOutcome } from '../engine/broker.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import { embeddedBroker } from '../engine/embedded-broker.ts'
import { migrate } from '../service/migrations.ts'
import { createLog } from '../telemetry/log.ts'
import { currentScope } from '../telemetry/scope.ts'
import { orders } from '../testing/fixtures/small-shop.ts'
import { testDatabaseEngine } from '../testing/test-databases.ts'
import { writeCloudEvent } from './cloud-event.ts'
import type { RunningConsumer } from './consumer.ts'
import { startConsumer } from './consumer.ts'
import { CLOCK_DOUBT_MS } from './inbox.ts'
import type { EventHandler, EventMeta } from './subscription.ts'
import { createTransactionRunner } from './transaction-runner.ts'

const { orderPlaced } = orders.events
const SINCE = Date.parse('2026-01-01T00:00:00Z')

type Run = (orderId: number, meta: EventMeta) => Promise<void> | void

let engine: DatabaseEngine
let database: Database
let clock: VirtualClock
let broker: Broker
let brokers: Broker[]
/** Those that live, and all that ever did. */
let consumers: RunningConsumer[]
let everyone: RunningConsumer[]
let releases: (() => void)[]

beforeAll(async () => {
  engine = await testDatabaseEngine()
  database = await engine.open({ service: 'notes', shared: true })
  await migrate({ service: 'notes', database, folder: undefined, clock: new VirtualClock() })
})
afterAll(() => engine.close())

beforeEach(async () => {
  for (const table of ['key_cursor', 'inbox', 'subscription', 'delivery', 'dead_letter'])
    await database.query(`delete from skerry_${table}`)
  clock = new VirtualClock(new Date(SINCE))
  brokers = []
  consumers = []
  everyone = []
  releases = []
  await openBroker()
  return async () => {
    for (const release of releases) release()
    await Promise.all(everyone.map((consumer) => consumer.close()))
    await Promise.all(brokers.map((opened) => opened.close()))
  }
})

async function openBroker(): Promise<void> {
  broker = await embeddedBroker({ clock }).open({ consumers: [{ name: 'notes', topics: ['orders'] }] })
  brokers.push(broker)
}

/** Never, as far as the test goes. */
function never(): Promise<void> {
  return new Promise((resolve) => releases.push(resolve))
}

/** An instance of the consumer `notes`, on the same database and broker as the others of the test. */
function consume(kind: EventHandler['kind'], run: Run, on: Database = database): RunningConsumer {
  const random = seededRandom(consumers.length + 1)
  const newId = idSource(clock, random)
  const transactions = createTransactionRunner({
    topic: 'notes',
    database: on,
    clock,
    random,
    newId,
    onEmitted: () => {},
    onUncertain: () => {},
    onDelayed: () => {},
  })
  const handler: EventHandler = {
    event: orderPlaced,
    kind,
    run: async (data: unknown, meta: EventMeta) => run((data as { id: number }).id, meta),
  }
  const options = {
    service: 'notes',
    contracts: [orders],
    handlers: [handler],
    database: on,
    transactions,
    broker,
    exclusive: false,
    clock,
    random,
    newId,
    log: createLog({ level: 'silent' }),
  }
  const consumer = startConsumer(options)
  consumers.push(consumer)
  everyone.push(consumer)
  return consumer
}

interface Published {
  readonly orderId?: number
  readonly previousTime?: Date
  readonly redelivered?: boolean
  readonly type?: string
  readonly data?: unknown
}

/** Publishes number `sequence` of a key. Resolves when the consumer has answered for it. */
async function publish(
  key: string,
  sequence: number,
  {
    orderId = sequence,
    previousTime = clock.now(),
    redelivered = false,
    type = orderPlaced.type,
    data = { id: orderId, userId: 1, product: 'cup' },
  }: Published = {},
) {
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
  const [outcome] = await broker.publish([
    { id, topic: 'orders', type, key, body: writeCloudEvent(envelope, JSON.stringify(data)), redelivered },
  ])
  return outcome as PublishOutcome
}

/** Moves the clock on until the condition holds. Real turns of the event loop pass meanwhile, in which the database answers. */
async function until(condition: () => boolean | Promise<boolean>, stepMs = 500): Promise<void> {
  for (let step = 0; step < 20_000; step++) {
    if (await condition()) return
    await clock.advance(consumers.every(({ idle }) => idle) ? stepMs : 0)
  }
  throw new Error(`The condition did not come true: ${String(condition)}`)
}

const idle = (): boolean => consumers.every((consumer) => consumer.idle)

async function select<Row>(sql: string): Promise<Row[]> {
  return (await database.query<Row>(sql)).rows
}

describe('what was unreachable', () => {
  it('is never counted as an attempt, however often', async () => {
    const attempts: number[] = []
    consume('effect', (_, meta) => {
      attempts.push(meta.attempt)
      if (attempts.length <= 30)
        throw new CallError('users', 'getUser', { code: 'unavailable', status: 503, detail: 'users is unavailable', data: {} })
    })
    await publish('a', 1)
    await until(() => attempts.length === 31, 60_000)
    await until(idle)
    expect(new Set(attempts)).toEqual(new Set([1]))
    expect(await select('select * from skerry_dead_letter')).toEqual([])
    expect(await select('select * from skerry_delivery')).toEqual([])
  })

  it('includes the own database: what can be recorded is tried again later instead of at once', async () => {
    let failures = 0
    const failing: Database = {
      ...delegate(database),
      transaction: (isolation, work) =>
        database.transaction(isolation, async (transaction) => {
          const result = await work(transaction)
          if (failures++ < 3) throw new DatabaseError('outcome-unknown', 'the connection was lost')
          return result
        }),
    }
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId), failing)
    expect(await publish('a', 1)).toEqual({ kind: 'confirmed' })
    expect(await select('select attempts, deferrals, last_error from skerry_delivery')).toEqual([
      { attempts: 0, deferrals: 1, last_error: 'the connection was lost' },
    ])
    await until(async () => (await select('select * from skerry_key_cursor')).length === 1)
    expect(handled).toHaveLength(4)
  })
})

describe('a message that never ends', () => {
  it('does not keep other kept messages from being tried again', async () => {
    const handled: number[] = []
    let hangs = false
    consume('effect', async (orderId, meta) => {
      if (meta.attempt === 1) throw new Error('not yet')
      if (orderId === 1) {
        hangs = true
        await never()
      }
      handled.push(orderId)
    })
    await publish('a', 1)
    await until(() => hangs)
    await publish('b', 1, { orderId: 2 })
    for (let step = 0; handled.length === 0 && step < 2_000; step++) await clock.advance(step % 10 === 0 ? 1_000 : 0)
    expect(handled).toEqual([2])
  })

  it('stays claimed by the instance that handles it, however long that takes', async () => {
    let begun = 0
    let end = (): void => {}
    const slow: Run = async (_, meta) => {
      if (meta.attempt === 1) throw new Error('not yet')
      begun++
      await new Promise<void>((resolve) => (end = resolve))
    }
    consume('effect', slow)
    consume('effect', slow)
    await publish('a', 1)
    await until(() => begun === 1)
    for (let seconds = 0; seconds < 300; seconds++) await clock.advance(1_000)
    expect(begun).toBe(1)
    end()
    await until(idle)
    expect(await select('select * from skerry_delivery')).toEqual([])
  })
})

describe('a message that ended its process', () => {
  /** What lives leave that were killed while they handled the message. */
  async function killedWhileHandling(key: string, times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      const consumer = consume('effect', never)
      void publish(key, 1, { redelivered: true })
      await until(
        async () => (await select(`select 1 from skerry_delivery where key = '${key}' and unfinished = ${time + 1}`)).length === 1,
        0,
      )
      void consumer.close()
      consumers = []
      await openBroker()
    }
  }

  it('is a dead letter after the last attempt, which nobody handles any more', async () => {
    await killedWhileHandling('a', 12)
    const handled: number[] = []
    consume('effect', (orderId) => void handled.push(orderId))
    expect(await publish('a', 1, { redelivered: true })).toEqual({ kind: 'confirmed' })
    expect(await select('select cause, attempts from skerry_dead_letter')).toEqual([{ cause: 'exhausted', attempts: 13 }])
    await publish('a', 1, { redelivered: true })
    expect(handled).toEqual([])
    expect(await select('select * from skerry_delivery')).toEqual([])
  })

  it('is handled alone from the third time on, so that only it is counted', async () => {
    await killedWhileHandling('a', 2)
    await killedWhileHandling('b', 2)
    consume('effect', never)
    void publish('a', 1, { redelivered: true })
    void publish('b', 1, { redelivered: true })
    await until(async () => (await select('select 1 from skerry_delivery where unfinished = 3')).length === 1, 0)
    for (let turn = 0; turn < 200; turn++) await clock.advance(0)
    expect(await select('select key, unfinished from skerry_delivery order by key')).toEqual([
      { key: 'a', unfinished: 3 },
      { key: 'b', unfinished: 2 },
    ])
  })
})

describe('a key that waits', () => {
  it('costs one look now and then, however many wait, and goes on as soon as it can', async () => {
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId))
    for (let sequence = 2; sequence <= 40; sequence++) await publish('a', sequence)
    await until(idle)
    const soon = await select<{ seq: number }>(
      `select seq from skerry_delivery where next_at < '${new Date(clock.nowMs() + 60_000).toISOString()}' order by seq`,
    )
    expect(soon).toEqual([{ seq: 2 }])
    await publish('a', 1)
    await until(() => handled.length === 40)
    expect(handled).toEqual(Array.from({ length: 40 }, (_, index) => index + 1))
    await until(idle)
    expect(await select('select * from skerry_delivery')).toEqual([])
  })

  it('goes on when another instance has handled what it waited for', async () => {
    const handled: string[] = []
    const first = consume('transactional', (orderId) => void handled.push(`first ${orderId}`))
    await publish('a', 2)
    await publish('a', 4)
    await until(idle)
    await first.close()
    consumers = []
    consume('transactional', (orderId) => void handled.push(`second ${orderId}`))
    await publish('a', 1)
    await publish('a', 3)
    await until(() => handled.length === 4)
    expect(handled).toEqual(['second 1', 'second 2', 'second 3', 'second 4'])
  })

  it('is handled, too, when its turn came while it was being put aside', async () => {
    const handled: number[] = []
    let overtaken = false
    /** Between the look at the cursor and what follows from it another instance handles the message before. */
    const racing: Database = {
      ...delegate(database),
      async query<Row>(sql: string, parameters?: readonly unknown[]) {
        const result = await database.query<Row>(sql, parameters)
        if (!overtaken && sql.includes('from skerry_key_cursor')) {
          overtaken = true
          await database.query(`insert into skerry_key_cursor (consumer, source, key, seq) values ('notes', '/services/orders', 'a', 1)`)
        }
        return result
      },
    }
    consume('effect', (orderId) => void handled.push(orderId), racing)
    await publish('a', 2)
    expect(handled).toEqual([2])
    expect(await select('select seq from skerry_key_cursor')).toEqual([{ seq: 2 }])
  })
})

describe('a consumer that joined later', () => {
  const before = new Date(SINCE - 1_000)

  it('begins a key in the middle, once nothing before it has come for a while', async () => {
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId))
    await publish('a', 7, { previousTime: before })
    await publish('a', 8)
    expect(handled).toEqual([])
    await until(() => handled.length === 2)
    expect(handled).toEqual([7, 8])
    expect(clock.nowMs() - SINCE).toBeLessThan(10_000)
  })

  it('begins it, too, where the clock of the publisher is ahead', async () => {
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId))
    await publish('a', 7, { previousTime: new Date(SINCE + 2_000) })
    await until(() => handled.length === 1)
    expect(clock.nowMs() - SINCE).toBeGreaterThanOrEqual(CLOCK_DOUBT_MS)
  })

  it('does not begin a key behind a message that waits for its next attempt', async () => {
    const handled: number[] = []
    consume('transactional', (orderId, meta) => {
      if (orderId === 1 && meta.attempt < 8) throw new Error('not yet')
      handled.push(orderId)
    })
    await publish('a', 1)
    await publish('a', 2, { previousTime: before })
    await until(() => handled.length === 2)
    expect(handled).toEqual([1, 2])
  })

  it('does not begin a key behind a dead letter', async () => {
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId))
    await publish('a', 1, { data: { nonsense: true } })
    await publish('a', 2, { previousTime: before })
    await clock.advance('1h')
    await until(idle)
    expect(handled).toEqual([])
    expect(await select('select cause from skerry_dead_letter')).toEqual([{ cause: 'invalid' }])
  })

  it('keeps what comes after all, too late for its turn, as a dead letter', async () => {
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId))
    await publish('a', 7, { previousTime: before })
    await until(() => handled.length === 1)
    await publish('a', 6)
    expect(handled).toEqual([7])
    expect(await select('select cause, key, seq from skerry_dead_letter')).toEqual([{ cause: 'overtaken', key: 'a', seq: 6 }])
    await publish('a', 7)
    expect(await select('select 1 from skerry_dead_letter')).toHaveLength(1)
  })
})

describe('an event of a type that nobody declares', () => {
  it('is a dead letter at its turn, and those behind it go on', async () => {
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId))
    await publish('a', 3)
    await publish('a', 2, { type: 'orders.orderMislaid.v9' })
    expect(await select('select 1 from skerry_dead_letter')).toEqual([])
    await publish('a', 1)
    await until(() => handled.length === 2)
    expect(handled).toEqual([1, 3])
    expect(await select('select cause, seq from skerry_dead_letter')).toEqual([{ cause: 'undeclared', seq: 2 }])
  })
})

describe('a message of a stranger', () => {
  const strange = (attributes: object): string =>
    JSON.stringify({
      specversion: '1.0',
      id: 'x',
      source: '/stranger',
      type: orderPlaced.type,
      data: { id: 9, userId: 1, product: 'cup' },
      ...attributes,
    })
  it.each([
    ['is not JSON', 'garbage'],
    ['holds the character that PostgreSQL cannot', 'garbage \u0000'],
    [
      'has an identifier longer than an index takes',
      strange({ id: Array.from({ length: 3_000 }, (_, index) => String.fromCharCode(97 + ((index * 7) % 26))).join('') }),
    ],
    ['has an identifier with U+0000', strange({ id: 'a\u0000b' })],
    ['has a key with a line break', strange({ subject: 'a\nb' })],
  ])('is a dead letter when it %s', async (_what, body) => {
    consume('transactional', () => {})
    const outcomes = await broker.publish([{ id: 'stranger-1', topic: 'orders', type: '', key: '', body }])
    expect(outcomes).toEqual([{ kind: 'confirmed' }])
    expect(await select('select cause, message_id from skerry_dead_letter')).toEqual([{ cause: 'undecodable', message_id: 'stranger-1' }])
  })

  it('takes effect once when it is a CloudEvent without our numbers, with or without its own', async () => {
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId))
    const body = strange({ sequence: '0000000042' })
    for (let time = 0; time < 3; time++) await broker.publish([{ id: 'x', topic: 'orders', type: orderPlaced.type, key: '', body }])
    expect(handled).toEqual([9])
  })

  it('is a dead letter when its handler fails with a text that cannot be stored as it is', async () => {
    consume('transactional', () => {
      throw new Error('broken \u0000')
    })
    await publish('a', 1)
    await until(async () => (await select('select 1 from skerry_dead_letter')).length === 1, 60_000)
    expect(await select('select error from skerry_dead_letter')).toEqual([{ error: 'broken \ufffd' }])
  })

  it('is forgotten after thirty days', async () => {
    const daysAgo = (days: number) => new Date(SINCE - days * 24 * 3_600_000)
    await database.query(
      `insert into skerry_inbox (consumer, message_id, received_at) values ('notes', 'old', $1), ('notes', 'young', $2)`,
      [daysAgo(31), daysAgo(29)],
    )
    consume('transactional', () => {})
    await until(idle)
    expect(await select('select message_id from skerry_inbox')).toEqual([{ message_id: 'young' }])
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

describe('messages that come faster than they are handled', () => {
  /** Which orders each transaction that was begun has handled, and whether it was committed. */
  interface Shared {
    readonly orders: number[]
    committed: boolean
  }

  /** Handles everything that has been published so far, with the effects of this handler. */
  function share(run: Run = () => {}): Shared[] {
    const all: Shared[] = []
    let current: Shared = { orders: [], committed: false }
    const counted: Database = {
      ...delegate(database),
      transaction: (isolation, work) =>
        database.transaction(isolation, async (transaction) => {
          const mine: Shared = { orders: [], committed: false }
          all.push((current = mine))
          const result = await work(transaction)
          mine.committed = true
          return result
        }),
    }
    const recorded: Run = async (orderId, meta) => {
      await run(orderId, meta)
      current.orders.push(orderId)
    }
    consume('transactional', recorded, counted)
    return all
  }

  /** The first is handled alone, and what comes meanwhile together. */
  const publishAll = (messages: readonly (readonly [key: string, sequence: number, orderId: number])[]): Promise<unknown> =>
    Promise.all(messages.map(([key, sequence, orderId]) => publish(key, sequence, { orderId })))

  it('share a transaction, each key in its order', async () => {
    const transactions = share()
    await publishAll([
      ['first', 1, 100],
      ['a', 1, 1],
      ['b', 1, 2],
      ['a', 2, 3],
      ['c', 1, 4],
      ['a', 3, 5],
    ])
    await until(idle)
    expect(transactions.map(({ orders: handled }) => handled)).toContainEqual([1, 3, 5, 2, 4])
    expect(await select('select key, seq from skerry_key_cursor order by key')).toEqual([
      { key: 'a', seq: 3 },
      { key: 'b', seq: 1 },
      { key: 'c', seq: 1 },
      { key: 'first', seq: 1 },
    ])
  })

  it('one that fails takes nothing from the others, and is tried again by itself', async () => {
    const seen: string[] = []
    share((orderId, meta) => {
      seen.push(`${orderId}.${meta.attempt}`)
      if (orderId === 2 && meta.attempt === 1) throw new Error('not yet')
    })
    await publishAll([
      ['first', 1, 100],
      ['a', 1, 1],
      ['b', 1, 2],
      ['b', 2, 3],
      ['c', 1, 4],
    ])
    await until(async () => (await select('select 1 from skerry_key_cursor')).length === 4 && idle())
    expect(await select(`select seq from skerry_key_cursor where key = 'b'`)).toEqual([{ seq: 2 }])
    expect(await select('select * from skerry_delivery')).toEqual([])
    expect(seen.slice(-2)).toEqual(['2.2', '3.1'])
  })

  it('one that was handled before, and one whose turn has not come, stay out of it', async () => {
    await database.query(
      `insert into skerry_key_cursor (consumer, source, key, seq) values ('notes', '/services/orders', 'b', 1), ('notes', '/services/orders', 'e', 1)`,
    )
    const transactions = share()
    await publishAll([
      ['first', 1, 100],
      ['a', 1, 1],
      ['b', 1, 2],
      ['c', 2, 3],
      ['d', 1, 4],
      ['e', 3, 5],
      ['e', 4, 6],
    ])
    await until(idle)
    const committed = transactions.filter(({ committed: isCommitted }) => isCommitted).flatMap(({ orders }) => orders)
    expect(committed.toSorted((a, b) => a - b)).toEqual([1, 4, 100])
    expect(await select('select key, seq from skerry_delivery order by key, seq')).toEqual([
      { key: 'c', seq: 2 },
      { key: 'e', seq: 3 },
      { key: 'e', seq: 4 },
    ])
  })

  it('do not wait for one that takes long among them', async () => {
    const handled: number[] = []
    let hung = false
    share(async (orderId) => {
      if (orderId === 1 && !hung) {
        hung = true
        await never()
      }
      handled.push(orderId)
    })
    void publishAll([
      ['first', 1, 100],
      ['a', 1, 1],
      ['b', 1, 2],
      ['c', 1, 3],
    ])
    for (let step = 0; handled.length < 4; step++) await clock.advance(step % 10 === 0 ? 10 : 0)
    expect(handled.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 100])
  })

  it('each is handled in the scope of its own event', async () => {
    const causes: (string | undefined)[] = []
    share(() => void causes.push(currentScope()?.cause))
    await publishAll([
      ['first', 1, 100],
      ['a', 1, 1],
      ['b', 1, 2],
    ])
    await until(idle)
    expect(new Set(causes)).toEqual(new Set(['a-1', 'b-1', 'first-1']))
  })
})
