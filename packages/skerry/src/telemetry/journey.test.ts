import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { overBudget } from './journey-budget.ts'
import { journeyOf } from './journey.ts'
import type { Part, TracedWork } from './part.ts'
import { partOf } from './part.ts'

/** What one service does, and what it sets going: `['orders', 'call users.getUser', …]`. */
type Tree = readonly [service: string, work: string, ...below: Tree[]]

function workOf(tree: Tree, traceId = 't1'): TracedWork[] {
  const work: TracedWork[] = []
  const add = ([service, what, ...below]: Tree, parentSpanId: string | undefined): void => {
    const [part, target] = what.split(' ') as [Part, string]
    const spanId = `${traceId}-${work.length}`
    work.push({ traceId, spanId, parentSpanId, service, part, target })
    for (const one of below) add(one, spanId)
  }
  add(tree, undefined)
  return work
}

const callOf = (caller: string, operation: string, ...below: Tree[]): Tree => [
  caller,
  `call ${operation}`,
  [operation.split('.', 1)[0]!, `answer ${operation}`, ...below],
]

describe('a journey', () => {
  test('counts calls by who calls whom, and says where most of them are', () => {
    const journey = journeyOf([
      ...workOf(
        ['gateway', 'other', callOf('gateway', 'cart.show', callOf('cart', 'catalog.price'), callOf('cart', 'catalog.price'))],
        'a',
      ),
      ...workOf(callOf('cart', 'catalog.name'), 'b'),
    ])
    expect(journey).toEqual({
      calls: 4,
      pairs: [
        {
          from: 'cart',
          to: 'catalog',
          calls: 3,
          operations: [
            { name: 'catalog.price', calls: 2 },
            { name: 'catalog.name', calls: 1 },
          ],
          most: { traceId: 'a', calls: 2 },
        },
        { from: 'gateway', to: 'cart', calls: 1, operations: [{ name: 'cart.show', calls: 1 }], most: { traceId: 'a', calls: 1 } },
      ],
      depth: 2,
      chains: [
        { services: ['gateway', 'cart', 'catalog'], traceId: 'a', count: 2 },
        { services: ['cart', 'catalog'], traceId: 'b', count: 1 },
      ],
      cycles: [],
      events: 0,
    })
  })

  test('ends its chains at events and at steps of sagas, for which nobody waits', () => {
    const told: Tree = ['orders', 'emit orders.placed.v1', ['mail', 'deliver orders.placed.v1', callOf('mail', 'users.get')]]
    const stepped: Tree = ['orders', 'step checkout.pay', callOf('orders', 'payments.pay')]
    const journey = journeyOf(workOf(callOf('gateway', 'orders.place', told, stepped)))
    expect(journey).toMatchObject({ calls: 3, depth: 1, events: 1, cycles: [] })
    expect(journey.chains.map(({ services }) => services.join(' → '))).toEqual(['gateway → orders', 'mail → users', 'orders → payments'])
  })

  test('finds calls that come round, and not two calls of one service after each other', () => {
    const round = callOf('gateway', 'a.x', callOf('a', 'b.x', callOf('b', 'c.x', callOf('c', 'a.y'))), callOf('a', 'b.x'))
    expect(journeyOf(workOf(round)).cycles).toEqual([{ services: ['a', 'b', 'c', 'a'], traceId: 't1', count: 1 }])
    expect(journeyOf(workOf(callOf('gateway', 'a.x', callOf('a', 'b.x'), callOf('a', 'b.x')))).cycles).toEqual([])
    expect(journeyOf(workOf(callOf('a', 'a.x'))).cycles).toMatchObject([{ services: ['a', 'a'] }])
  })

  test('does not count attempts that are made again, but what they set going', () => {
    const again: Tree = ['a', 'call b.x', ['a', 'attempt b.x', ['b', 'answer b.x', callOf('b', 'c.x')]]]
    expect(journeyOf(workOf(again))).toMatchObject({ calls: 2, depth: 2 })
  })

  test('is told of whatever spans come: cut off, out of order, their own ancestors', () => {
    const [, , ...rest] = workOf(callOf('gateway', 'a.x', callOf('a', 'b.x')))
    expect(journeyOf(rest.toReversed())).toMatchObject({ calls: 1, depth: 1 })
    const ring = (['1', '2'] as const).map((spanId) => ({
      traceId: 't',
      spanId,
      parentSpanId: spanId === '1' ? '2' : '1',
      service: 'a',
      part: 'call' as const,
      target: 'b.x',
    }))
    expect(journeyOf(ring)).toMatchObject({ calls: 2 })
  })

  test('has the calls, the depth and the cycles that were made, whatever they were', () => {
    const service = fc.constantFrom('a', 'b', 'c', 'd')
    interface Made {
      readonly to: string
      readonly below: readonly Made[]
    }
    const { made } = fc.letrec<{ made: Made }>((tie) => ({
      made: fc.record({ to: service, below: fc.oneof({ maxDepth: 5 }, fc.constant([]), fc.array(tie('made'), { maxLength: 3 })) }),
    }))
    const treeOf = (from: string, { to, below }: Made): Tree => callOf(from, `${to}.x`, ...below.map((one) => treeOf(to, one)))
    const callsIn = ({ below }: Made): number => 1 + below.reduce((sum, one) => sum + callsIn(one), 0)
    const depthOf = ({ below }: Made): number => 1 + Math.max(0, ...below.map(depthOf))
    const comesRound = (above: readonly string[], { to, below }: Made): boolean =>
      above.includes(to) || below.some((one) => comesRound([...above, to], one))
    fc.assert(
      fc.property(made, fc.infiniteStream(fc.nat()), (root, order) => {
        const work = workOf(treeOf('gateway', root))
        const shuffled = work.map((one) => ({ one, at: order.next().value! })).toSorted((a, b) => a.at - b.at)
        const journey = journeyOf(shuffled.map(({ one }) => one))
        expect(journey.calls).toBe(callsIn(root))
        expect(journey.pairs.reduce((sum, { calls }) => sum + calls, 0)).toBe(journey.calls)
        expect(journey.depth).toBe(depthOf(root))
        expect(journey.cycles.length > 0).toBe(comesRound(['gateway'], root))
        for (const { services } of journey.cycles) expect(services[0]).toBe(services.at(-1))
      }),
    )
  })
})

test('a budget that is passed names who calls whom, and the chain', () => {
  const calls = Array.from({ length: 3 }, () => callOf('cart', 'catalog.price', callOf('catalog', 'cart.show')))
  const journey = journeyOf(workOf(callOf('gateway', 'cart.show', ...calls, ['cart', 'emit cart.shown.v1'])))
  expect(overBudget(journey, { calls: 6, callsOfOnePair: 2, depth: 2, events: 0 })).toEqual([
    `7 calls, and it may make 6
      cart → catalog: 3 (catalog.price 3 times)
      catalog → cart: 3 (cart.show 3 times)
      gateway → cart: 1 (cart.show)`,
    `more than 2 calls of one service by another in one trace
      cart → catalog: 3 in trace t1
      catalog → cart: 3 in trace t1`,
    `calls lie 3 deep, and may lie 2
      gateway → cart → catalog → cart`,
    '1 event, and it may emit 0',
    `1 cycle of calls, and there may be none
      cart → catalog → cart`,
  ])
  expect(overBudget(journey, { calls: 7, callsOfOnePair: 3, depth: 3, events: 1, cycles: 1 })).toEqual([])
})

test.each([
  ['client', { 'rpc.method': 'a.x' }, 'call', 'a.x'],
  ['client', { 'rpc.method': 'a.x', 'http.request.resend_count': 1 }, 'attempt', 'a.x'],
  ['server', { 'rpc.method': 'a.x' }, 'answer', 'a.x'],
  ['producer', { 'messaging.destination.name': 'a.b.v1', 'messaging.operation.name': 'create' }, 'emit', 'a.b.v1'],
  ['producer', { 'messaging.destination.name': 'a.b.v1', 'messaging.operation.name': 'publish' }, 'other', 'named'],
  ['consumer', { 'messaging.destination.name': 'a.b.v1', 'messaging.operation.name': 'deliver' }, 'deliver', 'a.b.v1'],
  ['internal', { 'messaging.destination.name': 'a.b.v1' }, 'handle', 'a.b.v1'],
  ['internal', { 'skerry.saga.step': 'pay' }, 'step', 'named'],
] as const)('a span of kind %s with %o is the part %s', (kind, attributes, part, target) => {
  expect(partOf({ kind, name: 'named', attributes })).toEqual({ part, target })
})
