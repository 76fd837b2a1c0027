import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sleep, VirtualClock } from '../base/clock.ts'
import type { NewId } from '../base/id.ts'
import { idSource } from '../base/id.ts'
import { seededRandom } from '../base/random.ts'
import type { Broker, Message, PublishOutcome } from '../engine/broker.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import { migrate } from '../service/migrations.ts'
import { createLog } from '../telemetry/log.ts'
import { orders } from '../testing/fixtures/small-shop.ts'
import { testDatabaseEngine } from '../testing/test-databases.ts'
import type { RelayWorker, RelayWorkerOptions } from './relay-worker.ts'
import { startRelay } from './relay-worker.ts'
import { createTransactionRunner } from './transaction-runner.ts'

const { orderPlaced } = orders.events

let engine: DatabaseEngine
let database: Database
let clock: VirtualClock
let newId: NewId
let relays: RelayWorker[]
/** What has been sent and not been answered yet, oldest first. */
let sent: { readonly messages: readonly Message[]; answer(outcomes?: readonly PublishOutcome[]): void }[]

/** A broker of which the test is the other end. */
const broker: Broker = {
  description: 'the test',
  publish: (messages) =>
    new Promise((resolve) =>
      sent.push({ messages, answer: (outcomes) => resolve(outcomes ?? messages.map(() => ({ kind: 'confirmed' }) as const)) }),
    ),
  subscribe: () => Promise.reject(new Error('nobody subscribes here')),
  status: () => ({ up: true }),
  close: async () => {},
}

beforeAll(async () => {
  engine = await testDatabaseEngine()
  database = await engine.open({ service: 'orders', shared: true })
  await migrate({ service: 'orders', database, folder: undefined, clock: new VirtualClock() })
})
afterAll(() => engine.close())
beforeEach(async () => {
  await database.query('delete from skerry_outbox')
  await database.query('delete from skerry_key_head')
  await database.query('update skerry_lease set owner = null, expires_at = null')
  await database.query('delete from skerry_lease_member')
  clock = new VirtualClock()
  newId = idSource(clock, seededRandom(1))
  relays = []
  sent = []
  return async () => {
    for (const relay of relays) relay.stop()
    for (const { answer } of sent) answer()
    for (const relay of relays) await relay.drained()
  }
})

function relay(options: Partial<RelayWorkerOptions> = {}): RelayWorker {
  const started = startRelay({
    service: 'orders',
    database,
    broker,
    clock,
    log: createLog({ level: 'silent' }),
    owner: newId(),
    exclusive: true,
    hasConsumers: true,
    events: new Map([[orderPlaced.type, orderPlaced]]),
    ...options,
  })
  relays.push(started)
  return started
}

/** Commits one event; `to` is given it as the service's own process would. */
async function commit(id: number, to?: RelayWorker, on: Database = database): Promise<void> {
  const transactions = createTransactionRunner({
    topic: 'orders',
    database: on,
    clock,
    random: seededRandom(id),
    newId,
    onEmitted: (entries) => to?.offer(entries),
    onUncertain: () => to?.lookAgain(),
    onDelayed: () => {},
  })
  const scope = { service: 'orders', trace: { traceId: '1'.repeat(32), spanId: '1'.repeat(16), sampled: false }, deadlineAtMs: Infinity }
  await transactions(scope, 'repeatable read', async ({ emit }) => emit(orderPlaced, { id, userId: 1, product: 'cup' }))
}

async function until(condition: () => boolean | Promise<boolean>, stepMs = 0): Promise<void> {
  for (let step = 0; step < 5_000; step++) {
    if (await condition()) return
    await clock.advance(stepMs)
  }
  throw new Error(`The condition did not come true: ${String(condition)}`)
}

const isEmpty = async (): Promise<boolean> => (await database.query('select 1 from skerry_outbox')).rows.length === 0
const keysOf = (messages: readonly Message[]): string[] => messages.map(({ key }) => key)
const down: PublishOutcome = { kind: 'failed', reason: 'down' }

/** Long enough for everything that has been begun and waits for no timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await clock.advance(0)
}

describe('a relay', () => {
  it('publishes what a commit hands over, and deletes it when it is confirmed', async () => {
    const worker = relay()
    await settle()
    await commit(1, worker)
    await until(() => sent.length === 1)
    expect(await isEmpty()).toBe(false)
    expect(sent[0]!.messages).toMatchObject([{ topic: 'orders', type: orderPlaced.type, key: '1', redelivered: false }])
    sent[0]!.answer()
    await until(isEmpty)
  })

  it('says of what an earlier life left that it may have been published before', async () => {
    await commit(1)
    await clock.advance('1s')
    relay()
    await until(() => sent.length === 1)
    expect(sent[0]!.messages).toMatchObject([{ key: '1', redelivered: true }])
  })

  it('keeps what the broker refuses, lets others pass, and tries again', async () => {
    const worker = relay()
    await settle()
    await commit(1, worker)
    await commit(2, worker)
    await until(() => sent.length === 2)
    sent[0]!.answer([down])
    sent[1]!.answer()
    await until(() => sent.length === 3, 50)
    expect(keysOf(sent[2]!.messages)).toEqual(['1'])
    sent[2]!.answer()
    await until(isEmpty)
  })

  it('sends the later events of a key only when the earlier ones are confirmed', async () => {
    const worker = relay()
    await settle()
    await commit(1, worker)
    await commit(1, worker)
    await commit(1, worker)
    await settle()
    expect(sent).toHaveLength(1)
    sent[0]!.answer([down])
    await until(() => sent.length === 2, 50)
    expect(sent[1]!.messages.map(({ body }) => (JSON.parse(body) as { sequence: string }).sequence)).toEqual(['1', '2', '3'])
  })

  it('waits for a queue where a consumer is declared, and not where none is', async () => {
    const worker = relay()
    await settle()
    await commit(1, worker)
    sent[0]!.answer([{ kind: 'unroutable' }])
    await settle()
    expect(await isEmpty()).toBe(false)
    worker.stop()
    await worker.drained()
    relay({ hasConsumers: false })
    await until(() => sent.length === 2)
    sent[1]!.answer([{ kind: 'unroutable' }])
    await until(isEmpty)
  })

  it('tries what is parked at once when the broker comes back', async () => {
    const worker = relay()
    await settle()
    await commit(1, worker)
    for (let time = 0; time < 12; time++) {
      await until(() => sent.length === time + 1, 1_000)
      sent[time]!.answer([down])
    }
    await settle()
    worker.retryNow()
    await until(() => sent.length === 13)
  })

  it('does not forget a parked key over a database that could not be read in the meantime', async () => {
    let failing = false
    const flaky: Database = {
      ...delegate(database),
      query: (sql, parameters) => (failing ? Promise.reject(new DatabaseError('unavailable', 'gone')) : database.query(sql, parameters)),
    }
    const worker = relay({ database: flaky })
    await settle()
    await commit(1, worker)
    for (let time = 0; time < 8; time++) {
      await until(() => sent.length === time + 1, 1_000)
      sent[time]!.answer([down])
    }
    await settle()
    failing = true
    worker.lookAgain()
    await settle()
    failing = false
    await until(() => sent.length === 9, 1_000)
    expect(keysOf(sent[8]!.messages)).toEqual(['1'])
  })

  it('does not forget a key whose pause ends while the outbox is being read', async () => {
    let slow = false
    const slowly: Database = {
      ...delegate(database),
      async query(sql, parameters) {
        const result = await database.query(sql, parameters)
        if (slow) await sleep(clock, 20)
        return result as never
      },
    }
    const worker = relay({ database: slowly })
    await settle()
    await commit(1, worker)
    await commit(2, worker)
    await until(() => sent.length === 2)
    sent[0]!.answer([down])
    await settle()
    await clock.advance(10)
    sent[1]!.answer([down])
    await settle()
    slow = true
    await until(() => sent.length === 3, 1)
    expect(keysOf(sent[2]!.messages)).toEqual(['1'])
    await clock.advance(20)
    slow = false
    await until(() => sent.length === 4, 100)
    expect(keysOf(sent[3]!.messages)).toEqual(['2'])
  })

  it('finds what was committed although the answer to the commit was lost', async () => {
    const worker = relay()
    await settle()
    const lossy: Database = {
      ...delegate(database),
      async transaction(isolation, work) {
        await database.transaction(isolation, work)
        throw new DatabaseError('outcome-unknown', 'the answer to COMMIT was lost')
      },
    }
    await expect(commit(1, worker, lossy)).rejects.toThrow('the answer to COMMIT was lost')
    await until(() => sent.length === 1)
    expect(keysOf(sent[0]!.messages)).toEqual(['1'])
  })

  it('publishes again what was confirmed and could not be deleted', async () => {
    let failing = true
    const flaky: Database = {
      ...delegate(database),
      query: (sql, parameters) =>
        failing && sql.startsWith('delete') ? Promise.reject(new DatabaseError('unavailable', 'gone')) : database.query(sql, parameters),
    }
    const worker = relay({ database: flaky })
    await settle()
    await commit(1, worker)
    await until(() => sent.length === 1)
    sent[0]!.answer()
    await until(() => sent.length === 2, 100)
    failing = false
    sent[1]!.answer()
    await until(isEmpty)
  })

  it('reads what is in the table once, where nobody else can have put something in front, and again what could not be deleted', async () => {
    const rows = 3_000
    await database.query(
      `insert into skerry_outbox (part, topic, key, seq, message_id, type, payload, traceparent, created_at)
       select 0, 'orders', n::text, 1, gen_random_uuid(), $1, '{}', '', $2 from generate_series(1, ${rows}) n`,
      [orderPlaced.type, clock.now()],
    )
    let read = 0
    let failing = false
    const counted: Database = {
      ...delegate(database),
      async query<Row>(sql: string, parameters?: readonly unknown[]) {
        if (failing && sql.startsWith('delete')) throw new DatabaseError('unavailable', 'gone')
        const result = await database.query<Row>(sql, parameters)
        if (sql.includes('from skerry_outbox') && sql.includes('select')) read += result.rows.length
        return result
      },
    }
    relay({ database: counted, exclusive: true })
    let answered = 0
    await until(async () => {
      failing = answered >= 2_000 && answered < 2_100
      for (const { messages, answer } of sent.splice(0, 100)) {
        answered += messages.length
        answer()
      }
      return isEmpty()
    })
    expect(answered).toBeGreaterThan(rows)
    expect(read).toBeLessThan(2 * rows)
  })

  it('does not let what is handed over overtake what it has not read yet', async () => {
    // More than may be on their way at once; key 1100 is behind them.
    await database.query(
      `insert into skerry_outbox (part, topic, key, seq, message_id, type, payload, traceparent, created_at)
       select 0, 'orders', n::text, 1, gen_random_uuid(), $1, '{}', '', $2 from generate_series(1, 1100) n`,
      [orderPlaced.type, clock.now()],
    )
    await database.query(`insert into skerry_key_head (topic, key, seq, at) values ('orders', '1100', 1, $1)`, [clock.now()])
    const worker = relay()
    await until(() => sent.length >= 1_000)
    await settle()
    for (const { answer } of sent.splice(0, 500)) answer()
    await settle()
    await commit(1100, worker)
    const ofKey: string[] = []
    await until(async () => {
      for (const { messages, answer } of sent.splice(0)) {
        ofKey.push(...messages.filter(({ key }) => key === '1100').map(({ body }) => (JSON.parse(body) as { sequence: string }).sequence))
        answer()
      }
      return isEmpty()
    })
    expect(ofKey).toEqual(['1', '2'])
  })

  it('claims nothing more once stopped, and is drained when all is answered', async () => {
    const worker = relay()
    await settle()
    await commit(1, worker)
    await until(() => sent.length === 1)
    worker.stop()
    await commit(2, worker)
    let drained = false
    void worker.drained().then(() => (drained = true))
    await settle()
    expect(drained).toBe(false)
    sent[0]!.answer()
    await until(() => drained)
    expect(sent).toHaveLength(1)
    expect((await database.query('select key from skerry_outbox')).rows).toEqual([{ key: '2' }])
  })
})

describe('two relays of one outbox', () => {
  it('share it, and one takes over all of it when the other has died', async () => {
    const [first, second] = [relay({ exclusive: false }), relay({ exclusive: false })]
    // Both must have asked twice before the shares are equal.
    for (let seconds = 0; seconds < 6; seconds++) await clock.advance('1s').then(settle)
    for (let id = 1; id <= 40; id++) await commit(id, id % 2 === 0 ? first : second)
    await until(() => sent.flatMap(({ messages }) => messages).length === 40, 100)
    expect(new Set(sent.flatMap(({ messages }) => keysOf(messages))).size).toBe(40)
    for (const { answer } of sent) answer()
    await until(isEmpty)

    // A process that dies gives nothing back; a stopped relay that is not drained does neither.
    first.stop()
    sent = []
    for (let id = 101; id <= 140; id++) await commit(id, second)
    await until(() => new Set(sent.flatMap(({ messages }) => keysOf(messages))).size === 40, 500)
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
