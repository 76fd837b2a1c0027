import { contract, event } from 'skerry/contract'
/** Hosts of one consumer against each other, and against the clearing away of what is old, in every order of their statements, on real PostgreSQL. */
import type { Database } from 'skerry/engine'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { idSource } from '../../packages/skerry/src/base/id.ts'
import { seededRandom } from '../../packages/skerry/src/base/random.ts'
import { readCloudEvent, sourceOf, writeCloudEvent } from '../../packages/skerry/src/events/cloud-event.ts'
import * as store from '../../packages/skerry/src/events/inbox-store.ts'
import { InboxWorker } from '../../packages/skerry/src/events/inbox-worker.ts'
import type { StoredMessage } from '../../packages/skerry/src/events/stored-message.ts'
import { REMEMBER_MS, sweep } from '../../packages/skerry/src/events/sweep.ts'
import { createTransactionRunner } from '../../packages/skerry/src/events/transaction-runner.ts'
import type { PlatformDatabase } from './platform-database.ts'
import { openPlatformDatabase, silent, standingClock } from './platform-database.ts'
import type { Actor, Schedules } from './schedules.ts'
import { exploreSchedules } from './schedules.ts'

let held: PlatformDatabase
beforeAll(async () => void (held = await openPlatformDatabase()))
afterAll(() => held[Symbol.asyncDispose]())

const stock = contract('stock', { version: '1.0.0', operations: {}, events: { picked: event(z.object({ n: z.int() }), { key: 'n' }) } })
const { picked } = stock.events
const SOURCE = sourceOf('stock')
const clock = standingClock()
const random = seededRandom(1)
const told = { onEmitted: () => {}, onUncertain: () => {}, onDelayed: () => {} }

/** The event of that number of its key; without one, as a publisher that is not Skerry's sends it. */
function message(n: number, isNumbered = true): StoredMessage {
  const body = writeCloudEvent(
    {
      id: `00000000-0000-7000-8000-00000000000${n}`,
      source: SOURCE,
      type: picked.type,
      key: 'a',
      time: clock.now().toISOString(),
      traceparent: undefined,
      sequence: isNumbered ? n : undefined,
      previousTime: n === 1 ? undefined : clock.now().toISOString(),
    },
    JSON.stringify({ n }),
  )
  const read = readCloudEvent(body)
  if (!read.ok) throw new Error(read.problem)
  return { consumer: 'orders', topic: 'stock', envelope: read.envelope, body }
}

function inboxOn(database: Database): InboxWorker {
  const parts = { database, clock, random, newId: idSource(clock, random) }
  return new InboxWorker({
    service: 'orders',
    contracts: [stock],
    handlers: [
      {
        kind: 'transactional',
        event: picked,
        run: async (data, _meta, { transaction }) =>
          void (await transaction.query(`insert into effect (what) values ($1)`, [String((data as { n: number }).n)])),
      },
    ],
    transactions: createTransactionRunner({ topic: 'orders', ...told, ...parts }),
    log: silent,
    owner: parts.newId(),
    subscribedSinceMs: () => undefined,
    startedMs: () => undefined,
    onKept: () => {},
    ...parts,
  })
}

const receives =
  (what: StoredMessage, redelivered = false): Actor =>
  (database) =>
    inboxOn(database).receive(what, redelivered)

/** Takes up what waits, as often as something does, at a time at which all of it is due. */
async function takeUpKept(database: Database): Promise<void> {
  const by = '00000000-0000-7000-8000-0000000000ff'
  const now = new Date(clock.nowMs() + 3_600_000)
  for (let round = 0; round < 10; round++) {
    const due = await store.claimDue(database, 'orders', { by, now, until: now }, 10)
    if (due.length === 0) return
    for (const row of due) await inboxOn(database).resume(row)
  }
}

function explore(
  actors: () => Readonly<Record<string, Actor>>,
  expected: readonly string[],
  options: { from?: number; most?: number; without?: (sql: string) => string } = {},
): Promise<Schedules> {
  return exploreSchedules({
    database: held.database,
    most: options.most ?? 300,
    ...(options.without && { without: options.without }),
    async prepare() {
      await held.clear()
      if (options.from !== undefined)
        await held.database.query(`insert into skerry_key_cursor (consumer, source, key, seq) values ('orders', $2, 'a', $1)`, [
          options.from,
          SOURCE,
        ])
      return actors()
    },
    async check(outcomes) {
      for (const outcome of Object.values(outcomes)) expect(outcome).toMatchObject({ ok: true })
      await takeUpKept(held.database)
      expect(await held.effects()).toEqual(expected)
    },
  })
}
const sound = { all: true, violations: [] }

describe('an event that two hosts were given', () => {
  test.each([
    ['the first of its key', 1, undefined],
    ['a later one of its key', 2, 1],
  ])('takes effect once: %s', async (_, n, from) => {
    const twice = () => ({ a: receives(message(n)), b: receives(message(n)) })
    expect(await explore(twice, [String(n)], from === undefined ? {} : { from })).toMatchObject(sound)
  })

  test('takes effect once without a number, also beside the clearing away of what was remembered', async () => {
    const old = new Date(clock.nowMs() - REMEMBER_MS - 1)
    const actors = () => ({
      a: receives(message(1, false)),
      b: receives(message(1, false)),
      s: async (database: Database) => {
        await database.query(`insert into skerry_inbox (consumer, message_id, received_at) values ('orders', 'old', $1)`, [old])
        await sweep(database, 'orders', clock.now())
      },
    })
    expect(await explore(actors, ['1'], { most: 100 })).toMatchObject({ violations: [] })
    const forgetsAll = (sql: string): string => sql.replace('received_at < $2', 'received_at is not null or received_at < $2')
    expect((await explore(actors, ['1'], { without: forgetsAll })).violations).not.toEqual([])
  })

  test('takes effect once where one was counted before, as after the death of a host', async () => {
    const twice = () => ({ a: receives(message(1), true), b: receives(message(1), false) })
    expect(await explore(twice, ['1'])).toMatchObject({ violations: [] })
  })

  test('takes effect twice without the cursor: it is what keeps them apart', async () => {
    const careless = (sql: string): string =>
      sql.replace(
        'on conflict do nothing returning 1 as moved',
        'on conflict (consumer, source, key) do update set seq = excluded.seq returning 1 as moved',
      )
    const twice = () => ({ a: receives(message(1)), b: receives(message(1)) })
    expect((await explore(twice, ['1'], { without: careless })).violations).not.toEqual([])
  })
})

describe('events of one key at two hosts', () => {
  const both = (one: number, other: number) => () => ({ a: receives(message(one)), b: receives(message(other)) })

  test('take effect in their order, whichever is first', async () => {
    expect(await explore(both(1, 2), ['1', '2'])).toMatchObject(sound)
    expect(await explore(both(3, 2), ['2', '3'], { from: 1 })).toMatchObject(sound)
  })

  test('do so also when the later one waits already and falls due', async () => {
    const early = () => ({
      a: receives(message(1)),
      async b(database: Database) {
        const by = '00000000-0000-7000-8000-0000000000bb'
        const now = new Date(clock.nowMs() + 3_600_000)
        for (const row of await store.claimDue(database, 'orders', { by, now, until: now }, 10)) await inboxOn(database).resume(row)
      },
    })
    const exploration = await exploreSchedules({
      database: held.database,
      async prepare() {
        await held.clear()
        await inboxOn(held.database).receive(message(2), false)
        return early()
      },
      async check({ a, b }) {
        expect([a, b]).toMatchObject([{ ok: true }, { ok: true }])
        await takeUpKept(held.database)
        expect(await held.effects()).toEqual(['1', '2'])
      },
    })
    expect(exploration.violations).toEqual([])
  })

  test('do not without the comparison of numbers', async () => {
    const careless = (sql: string): string => sql.replace('and seq = $4 - 1', 'and $4::bigint is not null')
    expect((await explore(both(3, 2), ['2', '3'], { from: 1, without: careless })).violations).not.toEqual([])
  })
})
