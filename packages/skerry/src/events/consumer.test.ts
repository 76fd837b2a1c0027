/** A consumer at work, on a database that is really there: what it keeps, tries again, leaves to others and gives up. */
import { describe, expect, it } from 'vitest'
import { CallError } from '../contract/call-error.ts'
import type { Database } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import { orders } from '../testing/fixtures/small-shop.ts'
import { delegate } from '../testing/test-databases.ts'
import type { Run } from './fixtures/consumers.ts'
import { SINCE, useConsumers } from './fixtures/consumers.ts'
import { CLOCK_DOUBT_MS } from './inbox.ts'

const scene = useConsumers()
const { consume, idle, never, publish, select, until } = scene
const { orderPlaced } = orders.events

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
      ...delegate(scene.database),
      transaction: (isolation, work) =>
        scene.database.transaction(isolation, async (transaction) => {
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
    for (let step = 0; handled.length === 0 && step < 2_000; step++) await scene.clock.advance(step % 10 === 0 ? 1_000 : 0)
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
    for (let seconds = 0; seconds < 300; seconds++) await scene.clock.advance(1_000)
    expect(begun).toBe(1)
    end()
    await until(idle)
    expect(await select('select * from skerry_delivery')).toEqual([])
  })
})

it.each([
  ['are new', false],
  ['come again', true],
])(
  'no more than 64 deliveries that %s are handled at once, or they would wait for connections until they are given up',
  async (_, redelivered) => {
    const end = Promise.withResolvers<void>()
    let begun = 0
    consume('effect', () => {
      begun++
      return end.promise
    })
    try {
      void Promise.all(Array.from({ length: 100 }, (_, number) => publish(`key-${number}`, 1, { redelivered })))
      await until(() => begun >= 64)
      for (let turn = 0; turn < 20; turn++) await scene.clock.advance(0)
      // Whoever comes again is counted first: what this asks is answered after that.
      await select('select 1')
      expect(begun).toBe(64)
    } finally {
      end.resolve()
    }
    await until(() => begun === 100 && idle())
  },
)

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
      scene.living = []
      await scene.openBroker()
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

  it('is no dead letter when another delivery of it has been handled meanwhile', async () => {
    await killedWhileHandling('a', 12)
    const handled: number[] = []
    consume('effect', (orderId) => void handled.push(orderId))
    await publish('a', 1)
    expect(handled).toEqual([1])
    await publish('a', 1, { redelivered: true })
    expect(await select('select cause, attempts from skerry_dead_letter')).toEqual([])
    expect(await select('select * from skerry_delivery')).toEqual([])
    expect(handled).toEqual([1])
  })

  it('is handled alone from the third time on, so that only it is counted', async () => {
    await killedWhileHandling('a', 2)
    await killedWhileHandling('b', 2)
    consume('effect', never)
    void publish('a', 1, { redelivered: true })
    void publish('b', 1, { redelivered: true })
    await until(async () => (await select('select 1 from skerry_delivery where unfinished = 3')).length === 1, 0)
    for (let turn = 0; turn < 200; turn++) await scene.clock.advance(0)
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
      `select seq from skerry_delivery where next_at < '${new Date(scene.clock.nowMs() + 60_000).toISOString()}' order by seq`,
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
    scene.living = []
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
      ...delegate(scene.database),
      async query<Row>(sql: string, parameters?: readonly unknown[]) {
        const result = await scene.database.query<Row>(sql, parameters)
        if (!overtaken && sql.includes('from skerry_key_cursor')) {
          overtaken = true
          await scene.database.query(
            `insert into skerry_key_cursor (consumer, source, key, seq) values ('notes', '/services/orders', 'a', 1)`,
          )
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
    expect(scene.clock.nowMs() - SINCE).toBeLessThan(10_000)
  })

  it('begins it, too, where the clock of the publisher is ahead', async () => {
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId))
    await publish('a', 7, { previousTime: new Date(SINCE + 2_000) })
    await until(() => handled.length === 1)
    expect(scene.clock.nowMs() - SINCE).toBeGreaterThanOrEqual(CLOCK_DOUBT_MS)
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
    await scene.clock.advance('1h')
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
    const outcomes = await scene.broker.publish([{ id: 'stranger-1', topic: 'orders', type: '', key: '', body }])
    expect(outcomes).toEqual([{ kind: 'confirmed' }])
    expect(await select('select cause, message_id from skerry_dead_letter')).toEqual([{ cause: 'undecodable', message_id: 'stranger-1' }])
  })

  it('takes effect once when it is a CloudEvent without our numbers, with or without its own', async () => {
    const handled: number[] = []
    consume('transactional', (orderId) => void handled.push(orderId))
    const body = strange({ sequence: '0000000042' })
    for (let time = 0; time < 3; time++) await scene.broker.publish([{ id: 'x', topic: 'orders', type: orderPlaced.type, key: '', body }])
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
    await scene.database.query(
      `insert into skerry_inbox (consumer, message_id, received_at) values ('notes', 'old', $1), ('notes', 'young', $2)`,
      [daysAgo(31), daysAgo(29)],
    )
    consume('transactional', () => {})
    await until(idle)
    expect(await select('select message_id from skerry_inbox')).toEqual([{ message_id: 'young' }])
  })
})
