/** Relays, the leases they share, and those who emit, in every order of their statements, on real PostgreSQL. */
import { contract, event } from 'skerry/contract'
import type { Broker, Database, Message } from 'skerry/engine'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { turn } from '../../packages/skerry/src/base/clock.ts'
import { idSource } from '../../packages/skerry/src/base/id.ts'
import { seededRandom } from '../../packages/skerry/src/base/random.ts'
import { shareLeases } from '../../packages/skerry/src/events/lease.ts'
import { PARTS } from '../../packages/skerry/src/events/outbox.ts'
import { startRelay } from '../../packages/skerry/src/events/relay-worker.ts'
import { createTransactionRunner } from '../../packages/skerry/src/events/transaction-runner.ts'
import { childTrace } from '../../packages/skerry/src/telemetry/trace-context.ts'
import type { PlatformDatabase } from './platform-database.ts'
import { openPlatformDatabase, silent, standingClock } from './platform-database.ts'
import type { Actor } from './schedules.ts'
import { exploreSchedules } from './schedules.ts'

let held: PlatformDatabase
beforeAll(async () => void (held = await openPlatformDatabase()))
afterAll(() => held[Symbol.asyncDispose]())

const orders = contract('orders', {
  version: '1.0.0',
  operations: {},
  events: { placed: event(z.object({ key: z.string() }), { key: 'key' }) },
})
const ANN = '00000000-0000-7000-8000-00000000000a'
const BOB = '00000000-0000-7000-8000-00000000000b'
const random = seededRandom(1)
const told = { onEmitted: () => {}, onUncertain: () => {}, onDelayed: () => {} }

/** What the broker got in the present order: the key and number of each. */
let published: string[] = []
const broker = {
  async publish(messages: readonly Message[]) {
    published.push(...messages.map(({ key, body }) => key + (JSON.parse(body) as { sequence: string }).sequence))
    return messages.map(() => ({ status: 'confirmed' }))
  },
} as unknown as Broker

/** A host's relay that looks once. With everything to itself when it has no owner's name, else with what leases it can get. */
const relays =
  (owner?: string, laterMs = 0): Actor =>
  async (database) => {
    const relay = startRelay({
      service: 'orders',
      database,
      broker,
      clock: standingClock(laterMs),
      log: silent,
      owner: owner ?? ANN,
      exclusive: owner === undefined,
      hasConsumers: true,
      events: new Map(),
    })
    while (!relay.idle) await turn()
    relay.stop()
    if (owner === undefined) await relay.drained()
  }

const emits =
  (...keys: readonly string[]) =>
  (database: Database): Promise<void> => {
    const clock = standingClock()
    const run = createTransactionRunner({ topic: 'orders', database, clock, random, newId: idSource(clock, random), ...told })
    const scope = { service: 'orders', trace: childTrace(undefined, random), deadlineAtMs: Infinity }
    return run(scope, 'repeatable read', async (open) => {
      for (const key of keys) open.emit(orders.events.placed, { key })
    })
  }

/** Explores; then a relay that comes later finds nothing left, each event was published, and those of a key in their order. */
const explore = (actors: () => Readonly<Record<string, Actor>>, expected: readonly string[], without?: (sql: string) => string) =>
  exploreSchedules({
    database: held.database,
    ...(without && { without }),
    async prepare() {
      await held.clear()
      published = []
      await emits('a', 'a')(held.database)
      return actors()
    },
    async check(outcomes) {
      for (const outcome of Object.values(outcomes)) expect(outcome).toMatchObject({ ok: true })
      for (let times = 0; times < 2; times++) await relays()(held.database)
      expect((await held.database.query(`select from skerry_outbox`)).rows).toEqual([])
      const firsts = [...new Set(published)]
      expect(firsts.toSorted()).toEqual(expected)
      for (const key of new Set(firsts.map(([first]) => first)))
        expect(firsts.filter((one) => one.startsWith(key!))).toEqual(expected.filter((one) => one.startsWith(key!)))
    },
  })

describe('a relay, and transactions that commit meanwhile in another order than they drew their numbers', () => {
  const actors = () => ({ r: relays(), e: emits('b'), f: emits('c') })

  test('publishes all, and the events of each key in their order', async () => {
    expect((await explore(actors, ['a1', 'a2', 'b1', 'c1'])).violations).toEqual([])
  })
  test('loses events where it deletes up to the last that it published', async () => {
    const upTo = (sql: string): string =>
      sql.replace(
        'delete from skerry_outbox where id = any($1::bigint[])',
        'delete from skerry_outbox where id <= (select max(id) from unnest($1::bigint[]) as id)',
      )
    expect((await explore(actors, ['a1', 'a2', 'b1', 'c1'], upTo)).violations).not.toEqual([])
  })
})

test('two transactions that emit for the same keys, in different orders, wait for each other and end, and each event has its number', async () => {
  const actors = () => ({ e: emits('b', 'c'), f: emits('c', 'b') })
  const expected = ['a1', 'a2', 'b1', 'b2', 'c1', 'c2']
  const exploration = await explore(actors, expected)
  expect(exploration).toMatchObject({ all: true, violations: [] })
  expect(exploration.ordersWithWaits).toBeGreaterThan(0)
  const unnumbered = (sql: string): string => sql.replaceAll('seq = h.seq + excluded.seq', 'seq = excluded.seq')
  expect((await explore(actors, expected, unnumbered)).violations).not.toEqual([])
})

/** What keeps two relays from overtaking each other is not that one of them is kept out: each reads a key's events in their order. */
const newestFirst = (sql: string): string => sql.replace('order by id limit', 'order by id desc limit')

describe('two relays that both believe the outbox their own, and somebody who emits', () => {
  const actors = () => ({ r: relays(), s: relays(), e: emits('a') })

  test('lose nothing, and nothing overtakes', async () => {
    expect((await explore(actors, ['a1', 'a2', 'a3'])).violations).toEqual([])
  })
  test('let events overtake each other where they read the newest first', async () => {
    expect((await explore(actors, ['a1', 'a2', 'a3'], newestFirst)).violations).not.toEqual([])
  })
})

describe('a relay whose lease has run out, and the one that takes over', () => {
  const actors = () => ({ o: relays(ANN), n: relays(BOB, 60_000), e: emits('a') })

  test('lose nothing, and nothing overtakes', async () => {
    expect((await explore(actors, ['a1', 'a2', 'a3'])).violations).toEqual([])
  })
  test('let events overtake each other where they read the newest first', async () => {
    expect((await explore(actors, ['a1', 'a2', 'a3'], newestFirst)).violations).not.toEqual([])
  })
})

describe('two hosts that share leases', () => {
  const share =
    (owner: string, laterMs: number): Actor =>
    (database) =>
      shareLeases(database, { name: 'relay', owner, parts: PARTS, now: standingClock(laterMs).now(), ttlMs: 5_000 })
  /** `from`: what the first of them held, and let run out. */
  const exploreSharing = (from: 'nothing' | 'all', without?: (sql: string) => string) =>
    exploreSchedules({
      database: held.database,
      ...(without && { without }),
      async prepare() {
        await held.clear()
        if (from === 'all') await share(ANN, 0)(held.database)
        return { a: share(ANN, from === 'all' ? 60_000 : 0), b: share(BOB, from === 'all' ? 60_000 : 0) }
      },
      async check({ a, b }) {
        const retried = [a, b].filter((outcome) => !outcome!.ok)
        expect(retried).toEqual([])
        const [mine, others] = [a, b].map((outcome) => (outcome as { value: readonly number[] }).value)
        expect(mine!.filter((part) => others!.includes(part))).toEqual([])
      },
    })

  test.each(['nothing', 'all'] as const)('never believe the same part their own, where one of them held %s', async (from) => {
    expect((await exploreSharing(from)).violations).toEqual([])
  })
  test('do so where taking does not leave out what is being taken', async () => {
    const without = (sql: string): string => sql.replaceAll('for update skip locked', '')
    expect((await exploreSharing('nothing', without)).violations).not.toEqual([])
  })
})
