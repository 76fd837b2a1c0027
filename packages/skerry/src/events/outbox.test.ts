import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import { idSource } from '../base/id.ts'
import { seededRandom } from '../base/random.ts'
import { contract, event } from '../contract/index.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { migrate } from '../service/migrations.ts'
import { testDatabaseEngine } from '../testing/test-databases.ts'
import type { OutboxEntry, PendingEvent } from './outbox.ts'
import { flushOutbox, partOf, PARTS, pendingEvent } from './outbox.ts'

const Data = z.object({ key: z.union([z.string(), z.number()]), note: z.string().optional(), made: z.date().optional() })
const { events } = contract('orders', {
  version: '1.0.0',
  operations: {},
  events: {
    noted: event(Data, { key: 'key' }),
    slow: event(
      Data.refine(async () => true),
      { key: 'key' },
    ),
  },
})
const newId = idSource(new VirtualClock(), seededRandom(1))
const noted = (key: string | number, note?: string): PendingEvent => pendingEvent(events.noted, { key, note }, newId, 'trace')

describe('pendingEvent', () => {
  it('copies the data as the schema gives it, so that later changes do not reach the outbox', () => {
    const data = { key: 'a', note: 'one', surplus: true }
    const pending = pendingEvent(events.noted, data, newId, 'trace')
    data.note = 'two'
    expect(pending).toMatchObject({ event: events.noted, key: 'a', data: { key: 'a', note: 'one' } })
  })

  it('makes the key a text', () => {
    expect(noted(7).key).toBe('7')
  })

  it.each([
    ['of another shape', { key: 'a', note: 7 }, /emit.noted was given what its contract does not allow: \/note: /],
    ['without a key', { note: 'one' }, /emit.noted was given what its contract does not allow/],
    ['with a key longer than an index takes', { key: 'x'.repeat(1_001) }, /the ordering key "key" is longer than 1000 bytes/],
    ['with a key that PostgreSQL cannot store', { key: 'a\u0000' }, /the ordering key "key" holds control characters/],
  ])('refuses data %s', (_what, data, message) => {
    expect(() => pendingEvent(events.noted, data, newId, 'trace')).toThrow(
      expect.objectContaining({ code: 'contractBroken', message: expect.stringMatching(message) as string }) as Error,
    )
  })

  it('refuses a schema that answers later', () => {
    expect(() => pendingEvent(events.slow, { key: 'a' }, newId, 'trace')).toThrow(/asynchronous/)
  })
})

describe('partOf', () => {
  it('is the same in every version, else two hosts of different versions would both relay a key, or neither', () => {
    expect(['', 'a', 'b', '42', 'order-7', 'ключ', '🗝️'].map(partOf)).toEqual([5, 44, 37, 3, 59, 57, 32])
  })

  it('spreads keys over all parts', () => {
    const parts = new Set(Array.from({ length: 2_000 }, (_, index) => partOf(String(index))))
    expect(parts.size).toBe(PARTS)
    expect(Math.max(...parts)).toBe(PARTS - 1)
  })
})

describe('flushOutbox', () => {
  let engine: DatabaseEngine
  let database: Database
  beforeAll(async () => {
    engine = await testDatabaseEngine()
    database = await engine.open({ service: 'orders', shared: true })
    await migrate({ service: 'orders', database, folder: undefined, clock: new VirtualClock() })
  })
  afterAll(() => engine.close())

  const at = (second: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, second))
  const flush = (second: number, ...pending: PendingEvent[]): Promise<readonly OutboxEntry[]> =>
    database.transaction('repeatable read', (transaction) => flushOutbox(transaction, 'orders', pending, at(second)))
  const stored = async (): Promise<OutboxEntry[]> =>
    (
      await database.query<OutboxEntry>(
        'select id, part, topic, key, seq, message_id, type, payload::text as payload, traceparent, created_at, previous_at from skerry_outbox order by id',
      )
    ).rows

  it('numbers the events of each key without gaps, over transactions that are rolled back as well', async () => {
    const first = await flush(1, noted('a', 'one'))
    await expect(
      database.transaction('repeatable read', async (transaction) => {
        // Found wrong by COMMIT, after the number has been drawn.
        await transaction.script('create table doomed (id int unique deferrable initially deferred); insert into doomed values (1), (1)')
        await flushOutbox(transaction, 'orders', [noted('a', 'never')], at(2))
      }),
    ).rejects.toMatchObject({ sqlState: '23505' })
    const second = await flush(3, noted('b', 'two'), noted('a', 'three'), noted('a', 'four'), noted('b', 'five'))
    const third = await flush(4, noted('a', 'six'))
    const all = [...first, ...second, ...third]
    expect(
      all.map(({ key, seq, payload, previous_at }) => [key, seq, (JSON.parse(payload) as { note: string }).note, previous_at]),
    ).toEqual([
      ['a', 1, 'one', null],
      ['b', 1, 'two', null],
      ['a', 2, 'three', at(1)],
      ['a', 3, 'four', at(3)],
      ['b', 2, 'five', at(3)],
      ['a', 4, 'six', at(3)],
    ])
    // What is handed to the relay is what stands in the table, but for the spacing of the JSON.
    const plain = (entry: OutboxEntry): object => ({ ...entry, payload: JSON.parse(entry.payload) as unknown })
    expect((await stored()).map(plain)).toEqual(all.map(plain))
  })

  it('gives the ids of one key the order of their commits, however transactions overlap', async () => {
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => flush(10, noted(`k${index % 3}`), noted(`k${(index + 1) % 3}`), noted(`k${index % 3}`))),
    )
    const rows = await stored()
    for (const key of ['k0', 'k1', 'k2']) {
      const numbers = rows.filter((row) => row.key === key).map(({ seq }) => seq)
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1))
    }
    expect(rows.filter(({ key }) => key.startsWith('k'))).toHaveLength(120)
  })

  it('writes nothing for nothing', async () => {
    const before = await stored()
    expect(await flush(20)).toEqual([])
    expect(await stored()).toEqual(before)
  })
})
