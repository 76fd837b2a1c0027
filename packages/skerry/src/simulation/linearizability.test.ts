import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../base/random.ts'
import type { Request } from './fixtures/concurrent-run.ts'
import { runConcurrently } from './fixtures/concurrent-run.ts'
import { someOrderFits } from './fixtures/every-order.ts'
import type { BagOperation, QueueOperation, RegisterOperation, RegisterResult } from './fixtures/models.ts'
import { bag, queue, register } from './fixtures/models.ts'
import type { HistoryEntry, SequentialModel } from './history.ts'
import { checkLinearizability } from './linearizability.ts'

/** An operation on the key `x` from one moment to another; without an answer where the second is missing. */
function entry<Operation, Result>(
  client: string,
  [invokedAt, completedAt]: readonly [number, number?],
  operation: Operation,
  result?: Result,
  key = 'x',
): HistoryEntry<Operation, Result> {
  return { client, key, operation, invokedAt, completedAt, result }
}

const write = (value: number): RegisterOperation => ({ write: value })
const read: RegisterOperation = { read: true }
const change = (from: number, to: number): RegisterOperation => ({ from, to })
const put = (value: number) => ({ put: value })
const take: QueueOperation = { take: true }

function verdictOf<State, Operation, Result>(
  model: SequentialModel<State, Operation, Result>,
  ...history: HistoryEntry<Operation, Result>[]
): string {
  return checkLinearizability(history, model).verdict
}

type RegisterHistory = HistoryEntry<RegisterOperation, RegisterResult>[]

describe('a register', () => {
  it.each<[string, 'ok' | 'failed', RegisterHistory]>([
    ['nothing', 'ok', []],
    ['one after the other', 'ok', [entry('a', [1, 2], write(1), null), entry('b', [3, 4], read, 1)]],
    ['a read of what was overwritten before it', 'failed', [entry('a', [1, 2], write(1), null), entry('b', [3, 4], read, 0)]],
    ['a read of what was never written', 'failed', [entry('a', [1, 2], write(1), null), entry('b', [1, 2], read, 2)]],
    [
      'reads beside a write see it or not',
      'ok',
      [entry('a', [1, 9], write(1), null), entry('b', [2, 3], read, 0), entry('b', [4, 5], read, 1), entry('c', [6, 7], read, 1)],
    ],
    [
      'reads beside a write that see it and then no more (Herlihy and Wing, figure 1)',
      'failed',
      [entry('a', [1, 9], write(1), null), entry('b', [2, 3], read, 1), entry('c', [4, 5], read, 0)],
    ],
    ['what meets at one moment is concurrent', 'ok', [entry('a', [1, 2], write(1), null), entry('b', [2, 3], read, 0)]],
    [
      'two writes, seen in both orders',
      'failed',
      [
        entry('a', [1, 3], write(1), null),
        entry('b', [1, 3], write(2), null),
        entry('c', [4, 5], read, 1),
        entry('d', [4, 5], read, 2),
        entry('c', [6, 7], read, 1),
      ],
    ],
  ])('%s: %s', (_, verdict, history) => {
    expect(verdictOf(register, ...history)).toBe(verdict)
    expect(verdictOf(register, ...history.toReversed())).toBe(verdict)
  })
})

describe('compare and set', () => {
  it.each<[string, 'ok' | 'failed', RegisterHistory]>([
    ['one of two succeeds', 'ok', [entry('a', [1, 4], change(0, 1), true), entry('b', [2, 3], change(0, 2), false)]],
    ['both succeed', 'failed', [entry('a', [1, 4], change(0, 1), true), entry('b', [2, 3], change(0, 2), true)]],
    [
      'each on what the other left, against time',
      'failed',
      [entry('a', [1, 2], change(1, 0), true), entry('b', [3, 4], change(0, 1), true)],
    ],
    ['each on what the other left', 'ok', [entry('a', [1, 3], change(1, 0), true), entry('b', [2, 4], change(0, 1), true)]],
    ['none succeeds', 'failed', [entry('a', [1, 4], change(0, 1), false), entry('b', [2, 3], change(0, 2), false)]],
  ])('%s: %s', (_, verdict, history) => {
    expect(verdictOf(register, ...history)).toBe(verdict)
  })
})

describe('queues', () => {
  it.each<[string, 'ok' | 'failed', HistoryEntry<QueueOperation, number | null>[]]>([
    [
      'in the order of puts that meet, either way',
      'ok',
      [entry('a', [1, 4], put(1), null), entry('b', [2, 3], put(2), null), entry('a', [5, 6], take, 2), entry('a', [7, 8], take, 1)],
    ],
    [
      'against the order of puts that do not meet',
      'failed',
      [entry('a', [1, 2], put(1), null), entry('b', [3, 4], put(2), null), entry('a', [5, 6], take, 2), entry('a', [7, 8], take, 1)],
    ],
    ['taken twice', 'failed', [entry('a', [1, 2], put(1), null), entry('a', [3, 6], take, 1), entry('b', [4, 5], take, 1)]],
    ['empty although it is not', 'failed', [entry('a', [1, 2], put(1), null), entry('b', [3, 4], take, null)]],
    [
      'each key is one of its own',
      'ok',
      [
        entry('a', [1, 2], put(1), null, 'x'),
        entry('a', [3, 4], put(2), null, 'y'),
        entry('b', [5, 6], take, 2, 'y'),
        entry('b', [7, 8], take, 1, 'x'),
        entry('b', [9, 10], take, null, 'x'),
      ],
    ],
  ])('%s: %s', (_, verdict, history) => {
    expect(verdictOf(queue, ...history)).toBe(verdict)
  })
})

describe('an operation without an answer', () => {
  const silent = (client: string, invokedAt: number, operation: RegisterOperation) =>
    entry<RegisterOperation, RegisterResult>(client, [invokedAt], operation)

  it.each<[string, 'ok' | 'failed', RegisterHistory]>([
    ['never happened', 'ok', [silent('a', 1, write(1)), entry('b', [5, 6], read, 0)]],
    ['happened', 'ok', [silent('a', 1, write(1)), entry('b', [5, 6], read, 1)]],
    ['happened late', 'ok', [silent('a', 1, write(1)), entry('b', [5, 6], read, 0), entry('b', [7, 8], read, 1)]],
    ['happened and was undone by nobody', 'failed', [silent('a', 1, write(1)), entry('b', [5, 6], read, 1), entry('b', [7, 8], read, 0)]],
    ['happened before it was asked', 'failed', [entry('b', [1, 2], read, 1), silent('a', 3, write(1))]],
    [
      'happened twice',
      'failed',
      [silent('a', 1, change(0, 1)), entry('b', [2, 3], read, 1), entry('b', [4, 5], write(0), null), entry('b', [6, 7], read, 1)],
    ],
    [
      'was asked twice and happened twice',
      'ok',
      [
        silent('a', 1, change(0, 1)),
        silent('a', 1, change(0, 1)),
        entry('b', [2, 3], read, 1),
        entry('b', [4, 5], write(0), null),
        entry('b', [6, 7], read, 1),
      ],
    ],
    [
      'happened before another that leaves the same, but not after it',
      'ok',
      [
        silent('a', 0, write(1)),
        silent('a', 1, change(0, 1)),
        entry('b', [2, 3], read, 1),
        entry('b', [4, 5], write(2), null),
        entry('b', [6, 7], read, 1),
      ],
    ],
    ['and nothing else', 'ok', [silent('a', 1, write(1)), silent('b', 2, read)]],
  ])('%s: %s', (_, verdict, history) => {
    expect(verdictOf(register, ...history)).toBe(verdict)
  })

  it('costs little where many ask the same', () => {
    const history = [
      ...Array.from({ length: 40 }, (_, at) => silent('a', at, change(0, 1))),
      ...Array.from({ length: 40 }, (_, at) => silent('a', at, read)),
      entry('b', [100, 101], read, 2),
    ]
    const { verdict, configurations } = checkLinearizability(history, register)
    expect({ verdict, configurations }).toEqual({ verdict: 'failed', configurations: 1 })
  })
})

describe('a failure', () => {
  const history: RegisterHistory = [
    entry('a', [1, 2], write(1), null, 'fine'),
    entry('a', [3, 6], write(1), null, 'cup'),
    entry('b', [4, 5], write(2), null, 'cup'),
    entry<RegisterOperation, RegisterResult>('c', [7], change(2, 3), undefined, 'cup'),
    entry('d', [8, 9], read, 4, 'cup'),
    entry('d', [10, 11], read, 4, 'cup'),
    entry('d', [10, 11], read, 4, 'mug'),
  ]

  it('names the first key, the longest order found and what could not follow it', () => {
    const result = checkLinearizability(history, register)
    if (result.verdict !== 'failed') throw new Error(result.verdict)
    expect(result.key).toBe('cup')
    expect(result.prefix.map(({ entry, state }) => [entry.client, state])).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    expect(result.description.split('\n')).toEqual([
      'No order of the 5 operations on "cup" explains what the clients were told. The longest that was found has 2 of them; the state is then 2, and nothing fits that may come next:',
      '  3 to 6, client a: {"write":1} gave null',
      '    1. in the order found, with null: the state is 1',
      '  4 to 5, client b: {"write":2} gave null',
      '    2. in the order found, with null: the state is 2',
      '  7, client c: {"from":2,"to":3}, no answer',
      '    never answered: whether it has happened or not, nothing else fits',
      '  8 to 9, client d: {"read":true} gave 4',
      '    cannot be the 3.: the model allows 2',
    ])
  })

  it('shows the end of a long order, and long values in part', () => {
    const long = Array.from({ length: 30 }, (_, at) => entry('a', [2 * at, 2 * at + 1], put(at), null))
    const result = checkLinearizability([...long, entry('b', [100, 101], take, 7)], queue)
    if (result.verdict !== 'failed') throw new Error(result.verdict)
    expect(result.prefix).toHaveLength(30)
    const lines = result.description.split('\n')
    expect(lines).toHaveLength(2 + 2 * 11)
    expect(lines[1]).toBe('  (20 that come first in the order found)')
    expect(lines.at(-1)).toBe('    cannot be the 31.: the model allows 0')
    const wide = checkLinearizability([entry('a', [1, 2], { ...take, why: 'x'.repeat(1_000) }, 7)], queue)
    expect(wide).toMatchObject({ description: expect.stringMatching(/x…/) })
    expect((wide as { description: string }).description.length).toBeLessThan(600)
  })

  it('says when the model allows nothing, or one of several', () => {
    const draw = { draw: true } as const
    const first = checkLinearizability([entry('a', [1, 2], draw, 3)], bag)
    expect(first).toMatchObject({ description: expect.stringContaining('the model does not allow it here') })
    const puts = [entry('a', [1, 2], put(1), null), entry('a', [3, 4], put(2), null)]
    const second = checkLinearizability<readonly number[], BagOperation, number | null>([...puts, entry('a', [5, 6], draw, 3)], bag)
    expect(second).toMatchObject({ description: expect.stringContaining('cannot be the 3.: the model allows 1 or 2') })
  })
})

describe('the limit', () => {
  // Every subset of what is put at once is a state of its own, and all of them are tried.
  const puts = (key: string) =>
    Array.from({ length: 12 }, (_, value) => entry<QueueOperation, number | null>(`${value}`, [1, 2], put(value), null, key))
  const open = [...puts('x'), entry<QueueOperation, number | null>('a', [3, 4], take, 12, 'x')]

  it('makes it unknown, never ok', () => {
    expect(checkLinearizability(open, bag as unknown as typeof queue, { maxConfigurations: 5_000 })).toMatchObject({ verdict: 'failed' })
    expect(checkLinearizability(open, queue, { maxConfigurations: 1_000 })).toEqual({ verdict: 'unknown', key: 'x', configurations: 1_000 })
    expect(checkLinearizability([entry('a', [1, 2], take, null)], queue, { maxConfigurations: 0 }).verdict).toBe('unknown')
  })

  it('names the first key of which too little is known', () => {
    const history = [...open, ...open.map((entry) => ({ ...entry, key: 'y' }))]
    expect(checkLinearizability(history, queue, { maxConfigurations: 1_000 })).toEqual({
      verdict: 'unknown',
      key: 'x',
      configurations: 2_000,
    })
  })

  it('hides no failure of another key', () => {
    const wrong = entry<QueueOperation, number | null>('a', [3, 4], take, 12, 'y')
    expect(checkLinearizability([...open, wrong], queue, { maxConfigurations: 1_000 })).toMatchObject({ verdict: 'failed', key: 'y' })
    const right = entry<QueueOperation, number | null>('a', [3, 4], take, null, 'y')
    expect(checkLinearizability([...open, right], queue, { maxConfigurations: 1_000 })).toMatchObject({ verdict: 'unknown', key: 'x' })
  })
})

describe('a model of its own kind', () => {
  const set: SequentialModel<ReadonlySet<number>, BagOperation, string> = {
    initial: new Set(),
    apply: (state, operation) => ({
      state: 'put' in operation ? new Set([...state, operation.put]) : state,
      result: `${state.size} so far`,
    }),
    stateText: (state) => [...state].toSorted((one, other) => one - other).join(),
    sameResult: (told, expected) => told === expected.split(' ')[0],
  }

  it('says which states are the same, and which results', () => {
    const history = [
      entry<BagOperation, string>('a', [1, 4], put(1), '1'),
      entry<BagOperation, string>('b', [2, 3], put(2), '0'),
      entry<BagOperation, string>('c', [5, 6], { draw: true }, '2'),
    ]
    expect(verdictOf(set, ...history)).toBe('ok')
    const three = entry<BagOperation, string>('c', [7, 8], { draw: true }, '3')
    expect(verdictOf(set, ...history, three)).toBe('failed')
    expect(verdictOf(set, ...history, three, entry('d', [1], put(3)))).toBe('ok')
  })
})

it('refuses an operation that ends before it begins, and what is no moment', () => {
  expect(() => checkLinearizability([entry('a', [2, 1], read, 0)], register)).toThrow(RangeError)
  expect(() => checkLinearizability([entry('a', [Number.NaN, 1], read, 0)], register)).toThrow(RangeError)
})

const value = fc.nat(2)
const registerOperation: fc.Arbitrary<RegisterOperation> = fc.oneof(
  fc.constant(read),
  value.map(write),
  fc.tuple(value, value).map(([from, to]) => change(from, to)),
)
const queueOperation: fc.Arbitrary<QueueOperation> = fc.oneof(fc.constant(take), value.map(put))
const bagOperation: fc.Arbitrary<BagOperation> = fc.oneof(fc.constant({ draw: true } as const), value.map(put))
const result = fc.oneof(value, fc.boolean(), fc.constant(null))

const requestsOf = <Operation>(operation: fc.Arbitrary<Operation>, maxLength: number): fc.Arbitrary<Request<Operation>[]> =>
  fc.array(
    fc.record({
      client: fc.constantFrom('a', 'b', 'c'),
      key: fc.constantFrom('x', 'x', 'y'),
      operation,
      isUnanswered: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    }),
    { maxLength, size: 'max' },
  )
const turns = (maxLength: number) => fc.array(fc.nat(1_000), { maxLength, size: 'max' })

describe.each([
  ['a register', register, registerOperation, 60],
  // A queue remembers the order of puts that met until they are taken: many states to tell apart.
  ['a queue', queue, queueOperation, 16],
  ['a bag', bag, bagOperation, 60],
] as const)('every history of %s', (_, anyModel, anyOperation, maxOperations) => {
  type Operation = RegisterOperation | QueueOperation | BagOperation
  const model = anyModel as SequentialModel<unknown, Operation, RegisterResult>
  const operation = anyOperation as fc.Arbitrary<Operation>

  it('that one operation after the other has made is accepted', () => {
    fc.assert(
      fc.property(requestsOf(operation, maxOperations), turns(200), (requests, turns) => {
        expect(checkLinearizability(runConcurrently(requests, model, turns), model)).toMatchObject({ verdict: 'ok' })
      }),
      { numRuns: 1_000 },
    )
  })

  it('is judged as by trying out every order', () => {
    const verdicts = { ok: 0, failed: 0, unknown: 0 }
    fc.assert(
      fc.property(requestsOf(operation, 6), turns(20), fc.nat(), fc.option(result, { freq: 6 }), (requests, turns, place, lie) => {
        const history = runConcurrently(requests, model, turns)
        const liar = history[place % history.length]
        if (liar?.completedAt !== undefined && lie !== null) history[place % history.length] = { ...liar, result: lie }
        const { verdict } = checkLinearizability(history, model)
        verdicts[verdict]++
        expect(verdict).toBe(someOrderFits(history, model) ? 'ok' : 'failed')
      }),
      { numRuns: 2_000 },
    )
    // Otherwise it would have said little.
    expect(verdicts.ok).toBeGreaterThan(200)
    expect(verdicts.failed).toBeGreaterThan(200)
    expect(verdicts.unknown).toBe(0)
  })

  it('that is drawn and was never run is judged so too', () => {
    const drawn = fc
      .record({
        key: fc.constantFrom('x', 'x', 'y'),
        operation,
        invokedAt: fc.nat(9),
        lastsFor: fc.option(fc.nat(5), { freq: 2 }),
        result,
      })
      .map(({ lastsFor, ...rest }) => ({ ...rest, client: 'a', completedAt: lastsFor === null ? undefined : rest.invokedAt + lastsFor }))
    fc.assert(
      fc.property(fc.array(drawn, { maxLength: 5 }), (history) => {
        const { verdict } = checkLinearizability<unknown, Operation, RegisterResult>(history, model)
        expect(verdict).toBe(someOrderFits<unknown, Operation, RegisterResult>(history, model) ? 'ok' : 'failed')
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('a long history', () => {
  function longHistory(operations: number, keys: number) {
    const random = seededRandom(1)
    const draw = (below: number): number => Math.floor(random.next() * below)
    const requests = Array.from({ length: operations }, (): Request<RegisterOperation> => {
      const operation = [read, write(draw(4)), change(draw(4), draw(4))][draw(3)]!
      return { client: `${draw(5)}`, key: `${draw(keys)}`, operation, isUnanswered: draw(50) === 0 }
    })
    return runConcurrently(
      requests,
      register,
      Array.from({ length: 4 * operations }, () => draw(1_000_000)),
    )
  }

  it.each([
    [1_000, 50],
    [1_000, 1],
  ])('of %i operations on %i keys by five clients needs few configurations for each of them', (operations, keys) => {
    const history = longHistory(operations, keys)
    expect(history.length).toBe(operations)
    const { verdict, configurations } = checkLinearizability(history, register)
    expect(verdict).toBe('ok')
    // Five at once have 32 subsets; that is the bound for each, were nothing left unanswered.
    expect(configurations).toBeLessThan(operations * 32)
  })

  it('in which somebody was told what cannot be is refused with no more', () => {
    const history = longHistory(1_000, 50)
    const last = history.findLastIndex(({ completedAt, operation }) => completedAt !== undefined && 'read' in operation)
    history[last] = { ...history[last]!, result: 9 }
    const { verdict, configurations } = checkLinearizability(history, register)
    expect(verdict).toBe('failed')
    expect(configurations).toBeLessThan(1_000 * 32)
  })
})
