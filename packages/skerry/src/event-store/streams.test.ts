import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { VirtualClock } from '../base/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { createLog } from '../telemetry/log.ts'
import { MAX_EVENT_BYTES } from './append.ts'
import type { OrderState } from './fixtures/orders.ts'
import { order } from './fixtures/orders.ts'
import type { Store, TestDatabase } from './fixtures/store.ts'
import { openStore, openTestDatabase, SCOPE } from './fixtures/store.ts'
import { storedEvent } from './stored-event.ts'
import { stream } from './stream.ts'

let held: TestDatabase
let clock: VirtualClock
let store: Store<{ order: typeof order }>
let uncertain: string[]

beforeAll(async () => {
  held = await openTestDatabase()
})
afterAll(() => held[Symbol.asyncDispose]())
beforeEach(async () => {
  await held.clear()
  clock = new VirtualClock()
  uncertain = []
  store = openStore(held.database, { order }, { clock })
})

const placed = { type: 'placed', data: { customer: 'ann' } } as const
const line = (sku: string, quantity = 1) => ({ type: 'lineAdded', data: { sku, quantity } }) as const
const append = (
  id: string,
  expected: number,
  ...events: Parameters<Parameters<Parameters<typeof store.transaction>[0]>[0]['order']['append']>[2]
) => store.transaction(async (streams) => streams.order.append(id, { expected }, events))
const all = async <T>(from: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = []
  for await (const element of from) list.push(element)
  return list
}

describe('a stream', () => {
  it('is nothing before anything has happened, and then what its events make of it', async () => {
    expect(await store.streams.order.load('7')).toEqual({ state: order.initial, version: 0 })
    expect(await append('7', 0, placed, line('kettle', 2))).toMatchObject({ version: 2 })
    expect(await append('7', 2, line('kettle'))).toMatchObject({ version: 3 })
    expect(await store.streams.order.load('7')).toEqual({ state: { status: 'open', lines: { kettle: 3 } }, version: 3 })
    expect((await store.streams.order.load('8')).version).toBe(0)
  })

  it.each([0, 1, 3])(
    'that is at version 2 refuses what expects %d, with an error that says so and can be tried again',
    async (expected) => {
      await append('7', 0, placed, line('kettle'))
      await expect(append('7', expected, line('cup'))).rejects.toMatchObject({
        code: 'streamConflict',
        status: 409,
        retryable: true,
        data: { stream: 'order', id: '7', expected },
      })
      expect((await store.streams.order.load('7')).version).toBe(2)
    },
  )

  it('holds nothing of a transaction that fails', async () => {
    await expect(
      store.transaction(async (streams) => {
        await streams.order.append('7', { expected: 0 }, [placed])
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect((await store.streams.order.load('7')).version).toBe(0)
  })

  it('is read inside a transaction as that has made it', async () => {
    await store.transaction(async (streams) => {
      await streams.order.append('7', { expected: 0 }, [placed])
      expect(await streams.order.load('7')).toMatchObject({ version: 1, state: { status: 'open' } })
      await streams.order.decide('7', (state) => [line(state.status), { type: 'closed', data: {} }])
    })
    expect((await store.streams.order.load('7')).state).toEqual({ status: 'closed', lines: { open: 1 } })
  })

  it('that is decided on without a result stays as it is', async () => {
    await append('7', 0, placed)
    expect(await store.transaction((streams) => streams.order.decide('7', () => []))).toEqual({ version: 1, token: undefined })
  })

  it('remembers when, in which trace, because of what and for whom', async () => {
    await store.transaction((streams) => streams.order.append('7', { expected: 0, actor: 'user:1' }, [placed]), 'repeatable read', {
      ...SCOPE,
      cause: 'message-1',
    })
    expect(await all(store.streams.order.events('7'))).toEqual([
      {
        ...placed,
        version: 1,
        at: clock.now(),
        // The span is that of the transaction.
        meta: {
          traceparent: expect.stringMatching(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/),
          cause: 'message-1',
          actor: 'user:1',
        },
      },
    ])
  })

  it('is read page by page', async () => {
    const events = Array.from({ length: 1_000 }, () => line('cup'))
    await append('7', 0, ...events)
    await append('7', 1_000, ...events.slice(0, 1))
    expect((await store.streams.order.load('7')).state.lines['cup']).toBe(1_001)
    expect((await all(store.streams.order.events('7', { after: 499, version: 502 }))).map(({ version }) => version)).toEqual([
      500, 501, 502,
    ])
  })

  it('says that an event is missing, rather than leaving it out', async () => {
    await append('7', 0, placed, line('cup'), line('kettle'))
    await held.database.query('delete from skerry_stream_event where version = 2')
    await expect(store.streams.order.load('7')).rejects.toMatchObject({ code: 'storedEventUnreadable', message: /Event 2 of order "7"/ })
  })
})

describe('a stream as it was', () => {
  it('at a version, or at a moment', async () => {
    await append('7', 0, placed)
    const noon = clock.now()
    await clock.advance('1h')
    await append('7', 1, line('cup'), line('kettle'))
    expect((await store.streams.order.load('7', { version: 2 })).state.lines).toEqual({ cup: 1 })
    expect(await store.streams.order.load('7', { at: noon })).toMatchObject({ version: 1, state: { lines: {} } })
    expect((await store.streams.order.load('7', { at: clock.now() })).version).toBe(3)
    expect((await store.streams.order.load('7', { at: new Date(noon.getTime() - 1) })).version).toBe(0)
  })

  it('never runs backwards, though a clock does', async () => {
    await append('7', 0, placed)
    const early = openStore(held.database, { order }, { clock: new VirtualClock(new Date('2020-01-01T00:00:00Z')) })
    await early.transaction((streams) => streams.order.append('7', { expected: 1 }, [line('cup')]))
    const times = (await all(store.streams.order.events('7'))).map(({ at }) => at.getTime())
    expect(times).toEqual([clock.nowMs(), clock.nowMs()])
    expect((await store.streams.order.load('7', { at: clock.now() })).version).toBe(2)
  })
})

describe('what may not be stored', () => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  const anything = stream('anything', {
    events: { noted: storedEvent(z.unknown()), counted: storedEvent(z.int()) },
    initial: 0,
    evolve: (count) => count + 1,
  })
  const note = (data: unknown, id = '7') =>
    openStore(held.database, { anything }, { clock }).transaction((streams) =>
      streams.anything.append(id, { expected: 0 }, [{ type: 'noted', data }]),
    )

  it.each([
    ['half of a surrogate pair', { a: ['\ud800'] }, 'a.0 holds half of a surrogate pair'],
    ['the character U+0000', { a: 'x\u0000' }, 'a holds the character U+0000'],
    ['that character in a key', { 'x\u0000': 1 }, 'U+0000'],
    ['more than the limit', 'x'.repeat(MAX_EVENT_BYTES - 1), `takes ${MAX_EVENT_BYTES + 1} bytes`],
  ])('%s is refused, with a message', async (_, data, message) => {
    await expect(note(data)).rejects.toMatchObject({ code: 'storedEventRefused', message: expect.stringContaining(message) })
  })

  it('a bigint or what contains itself is refused', async () => {
    await expect(note(1n)).rejects.toThrow('bigint')
    await expect(note(circular)).rejects.toThrow('nest deeper')
  })

  it('data that the schema does not allow, unknown types, empty lists, versions and ids that are none', async () => {
    const refused = { code: 'storedEventRefused' }
    const writing = (work: (streams: { order: { append: (...parameters: unknown[]) => Promise<unknown> } }) => Promise<unknown>) =>
      store.transaction((streams) => work(streams as never))
    await expect(
      writing(({ order: o }) => o.append('7', { expected: 0 }, [{ type: 'lineAdded', data: { sku: 1 } }])),
    ).rejects.toMatchObject(refused)
    await expect(writing(({ order: o }) => o.append('7', { expected: 0 }, [{ type: 'toString', data: {} }]))).rejects.toMatchObject(refused)
    await expect(writing(({ order: o }) => o.append('7', { expected: 0 }, []))).rejects.toMatchObject(refused)
    await expect(writing(({ order: o }) => o.append('7', { expected: -1 }, [placed]))).rejects.toMatchObject(refused)
    await expect(writing(({ order: o }) => o.append('7', {}, [placed]))).rejects.toMatchObject(refused)
    await expect(writing(({ order: o }) => o.append('', { expected: 0 }, [placed]))).rejects.toMatchObject(refused)
    await expect(writing(({ order: o }) => o.append(undefined, { expected: 0 }, [placed]))).rejects.toMatchObject(refused)
    await expect(store.streams.order.load('x\u0000')).rejects.toMatchObject(refused)
    await expect(
      store.transaction((streams) => streams.order.append('7', { expected: 0, actor: 'x\u0000' }, [placed])),
    ).rejects.toMatchObject(refused)
  })

  it('everything else comes back as it was', async () => {
    let id = 0
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ noUnicodeString: false }), async (data) => {
        const plain: unknown = JSON.parse(JSON.stringify(data))
        const name = String(id++)
        const anythingStore = openStore(held.database, { anything }, { clock })
        const written = await note(plain, name).catch((error: unknown) => error)
        if (written instanceof Error) {
          expect(written).toMatchObject({ code: 'storedEventRefused' })
          return
        }
        const [event] = await all(anythingStore.streams.anything.events(name))
        expect(event?.data).toEqual(plain)
      }),
      { numRuns: 200 },
    )
  })
})

describe('a snapshot', () => {
  const states = async () =>
    (await held.database.query<{ version: number; fingerprint: string }>('select * from skerry_stream_snapshot')).rows
  const counted = (options: { stateSchema?: number; evolve?: (count: number) => number } = {}) =>
    stream('counter', {
      events: { counted: storedEvent(z.object({})) },
      initial: 0,
      evolve: options.evolve ?? ((count) => count + 1),
      snapshotEvery: 5,
      ...(options.stateSchema === undefined ? {} : { stateSchema: options.stateSchema }),
    })
  const count = async (times: number, expected: number) =>
    openStore(held.database, { counter: counted() }, { clock }).transaction((streams) =>
      streams.counter.append(
        '1',
        { expected },
        Array.from({ length: times }, () => ({ type: 'counted', data: {} }) as const),
      ),
    )

  it('is kept when so many events have come, and spares reading them again', async () => {
    await count(7, 0)
    const { streams } = openStore(held.database, { counter: counted() }, { clock })
    expect(await streams.counter.load('1')).toEqual({ state: 7, version: 7 })
    expect(await states()).toMatchObject([{ version: 7 }])
    await count(4, 7)
    // Without what the snapshot stands for, only the snapshot can answer.
    await held.database.query('delete from skerry_stream_event where version <= 7')
    expect(await streams.counter.load('1')).toEqual({ state: 11, version: 11 })
    expect(await states()).toMatchObject([{ version: 7 }])
  })

  it.each([
    ['its schema', { stateSchema: 2 }, 5],
    ['the code that made it', { evolve: (value: number) => value + 2 }, 10],
  ])('is passed by, and made anew, when %s has changed', async (_, change, state) => {
    await count(5, 0)
    await openStore(held.database, { counter: counted() }, { clock }).streams.counter.load('1')
    const [before] = await states()
    const changed = counted(change)
    expect(await openStore(held.database, { changed }, { clock }).streams.changed.load('1')).toMatchObject({ state })
    const [after] = await states()
    expect(after!.fingerprint).not.toBe(before!.fingerprint)
  })

  it('does not stand in for an earlier version or moment', async () => {
    await count(5, 0)
    await clock.advance('1h')
    await count(1, 5)
    const { streams } = openStore(held.database, { counter: counted() }, { clock })
    await streams.counter.load('1')
    expect(await streams.counter.load('1', { version: 3 })).toEqual({ state: 3, version: 3 })
    expect(await streams.counter.load('1', { at: new Date(clock.nowMs() - 1) })).toEqual({ state: 5, version: 5 })
  })

  it('is not kept of a state that JSON would change; the log says why', async () => {
    const never: { last: Date | null } = { last: null }
    const dated = stream('dated', {
      events: { happened: storedEvent(z.object({})) },
      initial: never,
      evolve: () => ({ last: new Date(0) }),
      snapshotEvery: 1,
    })
    const log: Log = {
      ...createLog({ level: 'silent' }),
      warn: (message, fields) => uncertain.push(`${message}: ${String(fields?.['reason'])}`),
    }
    const opened = openStore(held.database, { dated }, { clock, log })
    await opened.transaction((streams) => streams.dated.append('1', { expected: 0 }, [{ type: 'happened', data: {} }]))
    expect((await opened.streams.dated.load('1')).state).toEqual({ last: new Date(0) })
    expect(await states()).toEqual([])
    expect(uncertain).toEqual(['A snapshot was not kept, so every load reads the whole stream: last is a Date, which JSON cannot hold'])
  })
})

describe('any sequence of appends, decisions, loads and looks back', () => {
  it('gives what a list of events in memory gives, with and without snapshots', async () => {
    const command = fc.oneof(
      fc.record({
        kind: fc.constant('append' as const),
        id: fc.constantFrom('a', 'b'),
        expected: fc.nat(12),
        events: fc.integer({ min: 1, max: 4 }),
      }),
      fc.record({
        kind: fc.constant('decide' as const),
        id: fc.constantFrom('a', 'b'),
        expected: fc.constant(0),
        events: fc.integer({ min: 0, max: 4 }),
      }),
      fc.record({ kind: fc.constant('load' as const), id: fc.constantFrom('a', 'b'), expected: fc.nat(12), events: fc.constant(0) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (commands) => {
        await held.clear()
        const model = new Map<string, string[]>()
        const stateOf = (skus: readonly string[]): OrderState => {
          const lines: Record<string, number> = {}
          for (const sku of skus) lines[sku] = (lines[sku] ?? 0) + 1
          return { status: 'none', lines }
        }
        let number = 0
        for (const { kind, id, expected, events } of commands) {
          const skus = model.get(id) ?? []
          const added = Array.from({ length: events }, () => `sku-${number++ % 5}`)
          if (kind === 'load') {
            expect(await store.streams.order.load(id)).toEqual({ state: stateOf(skus), version: skus.length })
            const then = Math.min(expected, skus.length)
            expect(await store.streams.order.load(id, { version: expected })).toEqual({
              state: stateOf(skus.slice(0, then)),
              version: then,
            })
          } else if (kind === 'decide') {
            const decided = await store.transaction((streams) =>
              streams.order.decide(id, (state, version) => {
                expect({ state, version }).toEqual({ state: stateOf(skus), version: skus.length })
                return added.map((sku) => line(sku))
              }),
            )
            model.set(id, [...skus, ...added])
            expect(decided.version).toBe(skus.length + added.length)
          } else {
            const appended = await append(id, expected, ...added.map((sku) => line(sku))).catch((error: { code: string }) => error.code)
            if (expected === skus.length) model.set(id, [...skus, ...added])
            expect(appended).toEqual(
              expected === skus.length ? { version: skus.length + events, token: expect.any(String) } : 'streamConflict',
            )
          }
        }
      }),
      { numRuns: 40 },
    )
  })
})
