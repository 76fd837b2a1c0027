import { expect, test } from 'vitest'
import { shortestCycles } from './cycles.ts'
import { serviceMap } from './service-map.ts'
import type { MeasuredWork } from './traces.ts'

let made = 0
const work = (fields: Partial<MeasuredWork>): MeasuredWork => ({
  traceId: 't',
  spanId: String(++made),
  parentSpanId: undefined,
  service: 'orders',
  part: 'call',
  target: 'users.getUser',
  startMs: 0,
  durationMs: 1,
  failed: false,
  ...fields,
})

const NOTHING = { services: [], calls: [], events: [] }

test('what is declared stands against what was seen, with how often, how slow and how often in vain', () => {
  const durations = Array.from({ length: 20 }, (_, index) => index + 1)
  const seen = [
    ...durations.map((durationMs) => work({ durationMs, failed: durationMs > 15 })),
    work({ target: 'users.findUser', durationMs: 100 }),
    work({ service: 'mail', part: 'deliver', target: 'orders.placed.v1', durationMs: 4 }),
    work({ service: 'users', target: 'mail.send' }),
    work({ service: 'users', part: 'deliver', target: 'orders.placed.v1' }),
    work({ service: 'users', part: 'deliver', target: 'orders.paid.v1' }),
    work({ service: 'users', part: 'handle', target: 'orders.paid.v1' }),
  ]
  const declared = {
    services: ['orders', 'users', 'mail', 'idle'],
    calls: [
      { from: 'orders', to: 'users' },
      { from: 'orders', to: 'idle' },
    ],
    events: [
      { event: 'orders.placed.v1', to: 'mail' },
      { event: 'orders.placed.v1', to: 'idle' },
    ],
  }
  const map = serviceMap(declared, seen, 2)
  expect(map.services).toEqual([
    { name: 'orders', isDeclared: true, isObserved: true },
    { name: 'users', isDeclared: true, isObserved: true },
    { name: 'mail', isDeclared: true, isObserved: true },
    { name: 'idle', isDeclared: true, isObserved: false },
  ])
  expect(map.calls).toMatchObject([
    {
      from: 'orders',
      to: 'users',
      isDeclared: true,
      observed: { count: 21, perMinute: 10.5, errorShare: 5 / 21, p50Ms: 11, p95Ms: 20 },
      operations: [
        { name: 'users.getUser', count: 20, errorShare: 0.25, p50Ms: 10, p95Ms: 19 },
        { name: 'users.findUser', count: 1, errorShare: 0, p50Ms: 100, p95Ms: 100 },
      ],
    },
    { from: 'orders', to: 'idle', isDeclared: true, observed: undefined, operations: [] },
    { from: 'users', to: 'mail', isDeclared: false, observed: { count: 1 } },
  ])
  expect(map.events).toMatchObject([
    { from: 'orders', event: 'orders.placed.v1', to: 'mail', isDeclared: true, observed: { count: 1, perMinute: 0.5 } },
    { from: 'orders', event: 'orders.placed.v1', to: 'idle', isDeclared: true, observed: undefined },
    { from: 'orders', event: 'orders.paid.v1', to: 'users', isDeclared: false, observed: { count: 1 } },
  ])
  expect(map.events).toHaveLength(3)
})

test('pairs that talk too much within one trace, and chains that are too deep, come with a trace to look at', () => {
  const chain = ['a.x', 'b.x', 'c.x', 'd.x'].map((target, index, all) =>
    work({
      traceId: 'deep',
      spanId: `c${index}`,
      parentSpanId: `c${index - 1}`,
      service: (all[index - 1] ?? 'gateway.x').split('.')[0]!,
      target,
    }),
  )
  const often = Array.from({ length: 5 }, () => work({ traceId: 'often' }))
  const seldom = Array.from({ length: 8 }, (_, index) => work({ traceId: `seldom ${index}`, service: 'mail' }))
  const map = serviceMap(NOTHING, [...chain, ...often, ...seldom], 1)
  expect(map.chatty).toEqual([{ from: 'orders', to: 'users', calls: 5, traceId: 'often' }])
  expect(map.deep).toEqual([{ services: ['gateway', 'a', 'b', 'c', 'd'], traceId: 'deep', count: 1 }])
  expect(serviceMap(NOTHING, chain, 1, { chattyCalls: 5, maxDepth: 4 }).deep).toEqual([])
})

test('calls in circles are told whether they are only declared, or were gone round in one call', () => {
  const declared = {
    ...NOTHING,
    calls: [
      { from: 'b', to: 'a' },
      { from: 'a', to: 'b' },
      { from: 'x', to: 'y' },
    ],
  }
  expect(serviceMap(declared, [], 1).cycles).toEqual([{ services: ['a', 'b', 'a'], traceId: undefined }])
  const round = [
    work({ traceId: 'round', spanId: '1', service: 'b', target: 'a.x' }),
    work({ traceId: 'round', spanId: '2', parentSpanId: '1', service: 'a', target: 'b.x' }),
  ]
  expect(serviceMap(declared, round, 1).cycles).toEqual([{ services: ['a', 'b', 'a'], traceId: 'round' }])
})

test('the shortest way round is found from everywhere, each once', () => {
  const edges = ['a b', 'b c', 'c a', 'c d', 'd c', 'e e', 'f a'].map((edge) => ({ from: edge[0]!, to: edge[2]! }))
  expect(shortestCycles(edges)).toEqual([
    ['a', 'b', 'c', 'a'],
    ['c', 'd', 'c'],
    ['e', 'e'],
  ])
  // One of two ways on has been tried already.
  const twoWays = ['a b', 'a c', 'b c', 'b d', 'd a'].map((edge) => ({ from: edge[0]!, to: edge[2]! }))
  expect(shortestCycles(twoWays)).toEqual([['a', 'b', 'd', 'a']])
})
