/** Transactions that several events share, as a consumer opens them where they come faster than they are handled. */
import { describe, expect, it } from 'vitest'
import type { Database } from '../engine/database.ts'
import { currentScope } from '../telemetry/scope.ts'
import { delegate } from '../testing/test-databases.ts'
import type { Run } from './fixtures/consumers.ts'
import { useConsumers } from './fixtures/consumers.ts'

const scene = useConsumers()
const { consume, idle, never, publish, select, until } = scene

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
      ...delegate(scene.database),
      transaction: (isolation, work) =>
        scene.database.transaction(isolation, async (transaction) => {
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
    await scene.database.query(
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

  it('share one, too, after some of which none was new', async () => {
    const transactions = share()
    const keys = ['a', 'b', 'c', 'd']
    await publishAll(keys.map((key, number) => [key, 1, number] as const))
    await publishAll(keys.map((key, number) => [key, 1, number] as const))
    transactions.length = 0
    await publishAll(keys.map((key, number) => [key, 2, number] as const))
    await until(idle)
    expect(transactions.map(({ orders }) => orders)).toContainEqual([1, 2, 3])
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
    for (let step = 0; handled.length < 4; step++) await scene.clock.advance(step % 10 === 0 ? 10 : 0)
    expect(handled.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 100])
  })

  it('are fewer in a transaction the longer each takes', async () => {
    const transactions = share(() => scene.clock.advance(20))
    const handle = async (name: string): Promise<void> => {
      await publishAll(Array.from({ length: 60 }, (_, number) => [`${name}-${number}`, 1, number] as const))
      await until(idle)
    }
    await handle('first')
    // What the first have taught: before them nobody knew, and one by one since they took too long together.
    await scene.clock.advance(2_000)
    transactions.length = 0
    await handle('second')
    expect(Math.max(...transactions.map(({ orders }) => orders.length))).toBe(5)
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
