/** What a simulation promises whoever relies on it: it repeats, it reaches what can happen, and it says what went around it. */
import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sleep } from '../base/clock.ts'
import { CRASH_POINTS } from '../base/crash-points.ts'
import { service } from '../service/index.ts'
import { noteServiceImplementation, noteServiceThat, orderHandlers, orderService, users } from '../testing/fixtures/small-shop.ts'
import { FAULT_KINDS } from './faults.ts'
import type { Placed } from './fixtures/noted-orders.ts'
import { notedOrders, userServiceImplementation } from './fixtures/noted-orders.ts'
import { acknowledgingFirst } from './fixtures/planted.ts'
import {
  checkLinearizability,
  formatTrace,
  openSimulator,
  optionsOf,
  readRegression,
  shrink,
  sideBySide,
  simulation,
  toRegression,
} from './index.ts'
import type { OperationRecord, Run } from './index.ts'
import type { Simulator } from './simulator.ts'

let simulator: Simulator<Placed>
beforeAll(async () => {
  simulator = await openSimulator(notedOrders())
})
afterAll(() => simulator[Symbol.asyncDispose]())

const SEEDS = 100

describe('a seed', () => {
  test(`does the same each time, whatever ran before it: ${SEEDS} seeds twice`, async () => {
    const hashes = async (seeds: readonly number[]): Promise<ReadonlyMap<number, string>> => {
      const found = new Map<number, string>()
      for (const seed of seeds) found.set(seed, (await simulator.run({ seed, faults: 'hell', operations: 20 })).hash)
      return found
    }
    const seeds = Array.from({ length: SEEDS }, (_, index) => index + 1)
    const first = await hashes(seeds)
    expect(await hashes(seeds.toReversed())).toEqual(first)
    expect(new Set(first.values()).size).toBe(SEEDS)
  })

  test('does the same in another process, in another time zone, with other randomness and other names of temporary things', async () => {
    const program = new URL('./fixtures/print-hashes.ts', import.meta.url).pathname
    const { stdout } = await promisify(execFile)(process.execPath, ['--random-seed=4711', program, '10'], {
      env: { ...process.env, TZ: 'Asia/Kolkata', LANG: 'tr_TR.UTF-8' },
    })
    const here: string[] = []
    for (let seed = 1; seed <= 10; seed++) here.push((await simulator.run({ seed, faults: 'hell' })).hash)
    expect(stdout.trim().split('\n')).toEqual(here)
  })

  test('decides what is done: another number of operations does not change those that there were', async () => {
    const few = await simulator.run({ seed: 5, faults: 'none', operations: 5 })
    const many = await simulator.run({ seed: 5, faults: 'none', operations: 9 })
    const inputs = ({ history }: Run): unknown[] =>
      history.toSorted((a, b) => a.index - b.index).map(({ name, input }) => ({ name, input }))
    expect(inputs(many).slice(0, 5)).toEqual(inputs(few))
  })
})

describe('what can happen, happens', () => {
  test('every kind of fault, every named point, and a death at those that are not rare', async () => {
    // Sagas and event stores are not in this system, and its handlers never fail by themselves.
    const here = CRASH_POINTS.filter((point) => !/^(saga|store|sequencer|projection|later|inbox\.dead|inbox\.failure)/.test(point))
    const missing = new Set<string>([
      ...FAULT_KINDS,
      ...here.map((point) => `passes ${point}`),
      ...here.filter((point) => !/^inbox\.(attempt|early)/.test(point)).map((point) => `dies at ${point}`),
      'dies at statement',
      'dies at before COMMIT',
      'dies at committed',
    ])
    for (let seed = 1; seed <= 1_000 && missing.size > 0; seed++) {
      const run = await simulator.run({ seed, faults: 'rough', rates: { crash: [0.1, 0.03][seed % 2]!, lateDelivery: 0.5, conflict: 0.1 } })
      expect(run.failure).toBeUndefined()
      for (const kind of run.faults.keys()) missing.delete(kind)
      for (const point of run.crashPoints.keys()) missing.delete(`passes ${point}`)
      for (const choice of run.choices)
        if (choice.includes(': crash')) missing.delete(`dies at ${choice.replace(/^[^:]*: (.*): crash #\d+$/, '$1')}`)
    }
    expect([...missing]).toEqual([])
  })

  test('nothing, at the level none', async () => {
    const run = await simulator.run({ seed: 1, faults: 'none' })
    expect([run.failure, run.choices, run.faults.size]).toEqual([undefined, [], 0])
    expect(run.history.every(({ endedAtMs }) => endedAtMs !== undefined)).toBe(true)
  })

  test('two processes of one service share its work', async () => {
    await using shared = await openSimulator(notedOrders({}, { instances: { notes: 2, orders: 2 } }))
    for (let seed = 1; seed <= 25; seed++) expect((await shared.run({ seed, faults: 'hell' })).failure).toBeUndefined()
  })
})

describe('code that goes around the platform is named with its place:', () => {
  test.each([
    ['Date.now()', () => Date.now()],
    ['new Date()', () => new Date()],
    ['Math.random()', () => Math.random()],
    ['setTimeout()', () => setTimeout(() => undefined, 1)],
    ['fetch()', () => fetch('http://localhost')],
    ['crypto.randomUUID()', () => crypto.randomUUID()],
    ['performance.now()', () => performance.now()],
    ['process.hrtime.bigint()', () => process.hrtime.bigint()],
    ['randomUUID()', () => randomUUID()],
    ['randomBytes()', () => randomBytes(8)],
    ['a file', () => void readFile('/nowhere').catch(() => undefined)],
    ['setImmediate()', () => setImmediate(() => undefined)],
    ['a timer of Node', () => AbortSignal.timeout(1)],
    ['WebCrypto or node:crypto in the background', () => void crypto.subtle.digest('SHA-256', new Uint8Array(1))],
  ])('%s', async (name, escape) => {
    await using watched = await openSimulator(notedOrders({ notes: noteServiceThat(() => void escape()) }))
    const { failure } = await watched.run({ seed: 1, faults: 'none' })
    expect(failure).toMatchObject({ kind: 'escape', name })
    expect(failure!.messages[0]).toMatch(/^in notes: EscapeError: .* was used in a simulation[\s\S]*simulation\.test\.ts/)
    expect(Date.now()).toBeGreaterThan(0)
  })
})

test('a failure is shrunk to what it takes, kept as text, and fails in the same way when that is run again', async () => {
  await using faulty = await openSimulator(notedOrders(), acknowledgingFirst)
  let failed: Run | undefined
  let seed = 0
  while (failed?.failure === undefined) failed = await faulty.run({ seed: ++seed, faults: 'hell' })
  const shrunk = await shrink(failed, { seed, faults: 'hell' }, { run: (options) => faulty.run(options) })
  expect(shrunk.run.failure?.name).toBe(failed.failure.name)
  expect(shrunk.run.history.length).toBeLessThanOrEqual(5)
  expect(shrunk.run.choices.length).toBeLessThanOrEqual(4)
  expect(shrunk.run.choices.some((choice) => /notes: .*: crash #\d+$/.test(choice))).toBe(true)
  expect(formatTrace(shrunk.run.trace)).toMatch(/client \d +place an order \{"id":\d+[\s\S]*notes +dies at /)

  const text = JSON.stringify(toRegression('noted orders', shrunk.run, shrunk.options))
  const again = await faulty.run(optionsOf(readRegression(text, 'kept.json')))
  expect([again.failure, again.hash, again.unasked]).toEqual([shrunk.run.failure, shrunk.run.hash, []])
  expect((await simulator.run(optionsOf(readRegression(text, 'kept.json')))).failure).toBeUndefined()
})

test('a choice that code does not come by any more is named', async () => {
  const run = await simulator.run({ seed: 1, faults: 'hell', only: new Set(['nobody: crash at nothing: crash #1']) })
  expect(run.unasked).toEqual(['nobody: crash at nothing: crash #1'])
})

test('what must always hold is looked at whenever nobody is at anything, and not only in the end', async () => {
  const broken = notedOrders(
    {},
    {
      operations: {
        'say that an order is there, for a second': {
          run: async ({ state, clock }) => {
            state.orders.add(99)
            await sleep(clock, 1_000)
            state.orders.delete(99)
          },
        },
      },
    },
  )
  await using simulator = await openSimulator(broken)
  const { failure } = await simulator.run({ seed: 1, faults: 'none', operations: 1 })
  expect(failure).toMatchObject({ kind: 'invariant', messages: ['order 99 was answered and is not there'] })
})

test('what must come about eventually, and has not, is a failure of its own', async () => {
  await using impatient = await openSimulator(
    notedOrders(
      {},
      {
        eventually: {
          'there are no orders': async ({ databases }) =>
            (await databases['orders']!.query('select id from orders')).rows.map(() => 'one is left'),
        },
      },
    ),
  )
  expect((await impatient.run({ seed: 1, faults: 'none' })).failure).toMatchObject({ kind: 'eventually', name: 'there are no orders' })
})

test('rare things are counted', async () => {
  const dies = ({ choices }: Run): number => choices.filter((choice) => choice.includes(': crash')).length
  await using counting = await openSimulator(notedOrders({}, { sometimes: { 'a process dies': dies, never: () => 0 } }))
  let times = 0
  for (let seed = 1; seed <= 20; seed++) {
    const { sometimes } = await counting.run({ seed, faults: 'hell' })
    expect(sometimes.get('never')).toBe(0)
    times += sometimes.get('a process dies')!
  }
  expect(times).toBeGreaterThan(0)
})

describe('versions side by side', () => {
  /** The release before: it could not rename yet, and wrote the same rows and events. */
  const before = (product: (given: string) => string) =>
    orderService.implement({
      ...orderHandlers,
      async placeOrder({ input, transaction, fail }) {
        return transaction(async ({ db, emit }) => {
          const existing = await db.selectFrom('orders').select('id').where('id', '=', input.id).executeTakeFirst()
          if (existing !== undefined) throw fail.duplicateOrder({ id: input.id })
          await db.insertInto('orders').values({ id: input.id, user_id: input.userId, product: input.product }).execute()
          emit.orderPlaced({ ...input, product: product(input.product) })
          return input
        })
      },
      async renameProduct({ fail }) {
        throw fail.orderNotFound()
      },
    })

  test('that get on hold what must hold, and both are at work', async () => {
    await using upgrade = await openSimulator(sideBySide(notedOrders(), [before((product) => product)]))
    let old = 0
    for (let seed = 1; seed <= 25; seed++) {
      const { failure, trace } = await upgrade.run({ seed, faults: 'rough' })
      expect(failure).toBeUndefined()
      if (trace.some(({ text }) => text === 'is of the version before')) old++
    }
    expect(old).toBeGreaterThan(5)
  })

  test('that do not are found out', async () => {
    await using upgrade = await openSimulator(sideBySide(notedOrders(), [before((product) => product.toUpperCase())]))
    const failures: (string | undefined)[] = []
    for (let seed = 1; seed <= 10; seed++) failures.push((await upgrade.run({ seed, faults: 'none' })).failure?.name)
    expect(failures).toContain('every event is noted once, and in its order')
  })

  test('of a service that there is not are a mistake', () => {
    expect(() =>
      sideBySide(notedOrders(), [
        service(users.name === 'users' ? { ...users, name: 'people' } : users).implement({ getUser: async () => ({ id: 1, name: '' }) }),
      ]),
    ).toThrow('The system "noted-orders" has no service "people": it has users, orders, notes')
  })
})

test('what clients were told of an order can have come of one operation after the other', async () => {
  const entries = (history: readonly OperationRecord[]) =>
    history.map(({ name, input, client, beganAtMs, endedAtMs, result, error }) => ({
      client,
      key: String((input as { id: number }).id),
      operation: { name, product: (input as { product: string }).product },
      invokedAt: beganAtMs,
      // Whoever was told no, or nothing, does not know whether it happened; only what is certain is held against the model.
      completedAt: error === undefined ? endedAtMs : undefined,
      result: error === undefined ? (result as { product: string }).product : undefined,
    }))
  const order = {
    initial: null as string | null,
    apply: (state: string | null, { name, product }: { name: string; product: string }) => {
      if (name === 'place an order') return state === null ? { state: product, result: product } : []
      return state === null ? [] : { state: product, result: product }
    },
  }
  for (let seed = 1; seed <= 30; seed++) {
    const { history } = await simulator.run({ seed, faults: 'rough' })
    expect(checkLinearizability(entries(history), order)).toMatchObject({ verdict: 'ok' })
  }
})

describe('a simulation that cannot be meant is refused:', () => {
  const sound = notedOrders().options
  test.each([
    ['no operations', { ...sound, operations: {} }, 'it has no operations'],
    ['no clients', { ...sound, clients: 0 }, 'clients must be a whole number from 1, not 0'],
    [
      'a weight of nothing',
      { ...sound, operations: { wait: { weight: 0, run: async () => undefined } } },
      'the weight of "wait" must be above 0',
    ],
  ])('%s', (_, options, message) => {
    expect(() => simulation('mine', options as typeof sound)).toThrow(message)
  })

  test('inputs come from fast-check, too', async () => {
    const seen: unknown[] = []
    const input = fc.record({ id: fc.integer({ min: 1, max: 9 }) })
    await using drawn = await openSimulator(
      notedOrders({}, { operations: { draw: { input, run: async (_, value) => void seen.push(value) } } }),
    )
    await drawn.run({ seed: 1, operations: 3 })
    const first = seen.splice(0)
    await drawn.run({ seed: 1, operations: 3 })
    expect(seen).toEqual(first)
    expect(first).toHaveLength(3)
  })

  test('a system that cannot start says why', async () => {
    const broken = { ...userServiceImplementation, migrations: new URL('./nowhere/', import.meta.url) }
    const { system } = notedOrders({ notes: noteServiceImplementation }).options
    const services = [broken, ...system.services.slice(1)]
    await expect(openSimulator(notedOrders({}, { system: { ...system, services } }))).rejects.toThrow('the migrations folder')
  })
})
