/** The platform's tables on PostgreSQL: what should be empty is, nothing grows with the number of events, and asking how much waits costs little. */
import { postgres } from '@skerry/postgres'
import pg from 'pg'
import { contract, event, post, service, system } from 'skerry'
import { createLog, migrate, readConfiguration, select, startHost, systemClock } from 'skerry/runtime'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { statusStatements } from '../../packages/skerry/src/events/event-status.ts'
import { waitUntil } from '../services/wait-until.ts'
import { createSharedDatabase, query } from '../topologies/databases.ts'

const KEYS = 200
const EVENTS_EACH = 10_000
const BATCH = 100
const WAIT_MS = 120_000

const ticks = contract('ticks', {
  version: '1.0.0',
  operations: { emitMany: post('/ticks', { input: z.object({ from: z.int(), count: z.int() }), deadline: '1m' }) },
  events: { ticked: event(z.object({ key: z.string(), number: z.int() }), { key: 'key' }) },
})
const counts = contract('counts', { version: '1.0.0', operations: {} })

const tickService = service(ticks).implement({
  emitMany: ({ input, transaction }) =>
    transaction(async ({ emit }) => {
      for (let number = input.from; number < input.from + input.count; number++) emit.ticked({ key: `key-${number % KEYS}`, number })
    }),
})

test('after forty thousand events', { timeout: 300_000 }, async () => {
  await using database = await createSharedDatabase()
  const seen = new Map<string, number>()
  let handled = 0
  const countDefinition = service(counts, { listens: [ticks] })
  const countService = countDefinition.implement(
    {},
    {
      on: [
        countDefinition.on(ticks.events.ticked, async ({ event: { key, number } }) => {
          // A transaction may run again, so equal numbers are no mistake; smaller ones would be.
          if (number < (seen.get(key) ?? -1)) throw new Error(`${key} went back to ${number}`)
          if (number > (seen.get(key) ?? -1)) handled++
          seen.set(key, number)
        }),
      ],
    },
  )
  const definition = system('growth', { services: [tickService, countService] })
  const selection = select(definition, [])
  const host = await startHost({
    system: definition,
    selection,
    configuration: await readConfiguration(definition, selection, { DATABASE_URL: database.url }),
    engines: { database: async () => postgres({ url: database.url }), broker: () => Promise.reject(new Error('there is none')) },
    log: createLog({ level: 'error' }),
  })
  await using _stopped = { [Symbol.asyncDispose]: () => host.stop() }
  const client = host.clientFor(ticks)

  const emit = async (from: number): Promise<void> => {
    // One key at a time has one transaction open on it, or they would only wait for each other.
    for (let number = from; number < from + EVENTS_EACH; number += BATCH) await client.emitMany({ from: number, count: BATCH })
    await waitUntil('all are handled', WAIT_MS, async () => (handled >= from + EVENTS_EACH ? true : undefined))
    await waitUntil('the outbox is empty', WAIT_MS, async () => {
      const [row] = await query(database.url, 'select count(*)::int as left from ticks.skerry_outbox')
      return row!['left'] === 0 ? true : undefined
    })
  }
  // As autovacuum does, at a moment that the test chooses. A page of an index that one run has emptied is free again after the next.
  const sizes = async (): Promise<Record<string, number>> => {
    for (const schema of ['ticks', 'counts', 'ticks', 'counts'])
      for (const table of ['outbox', 'key_head', 'key_cursor', 'delivery', 'inbox'])
        await query(database.url, `vacuum ${schema}.skerry_${table}`)
    const rows = await query(
      database.url,
      `select n.nspname || '.' || c.relname as name, pg_relation_size(c.oid)::int as bytes from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('ticks', 'counts') and c.relname like 'skerry%' and c.relkind in ('r', 'i')`,
    )
    return Object.fromEntries(rows.map(({ name, bytes }) => [name as string, bytes as number]))
  }

  // Twice, because a table that is written to by itself comes to its size only when it has been vacuumed once.
  const emitTwice = async (from: number): Promise<Record<string, number>> => {
    await emit(from)
    await sizes()
    await emit(from + EVENTS_EACH)
    return sizes()
  }
  const half = await emitTwice(0)
  const whole = await emitTwice(2 * EVENTS_EACH)
  // How much of a table lies dead at once depends on who was slow, so some pages more are chance. A table or an index that keeps something of each event has at least 40 bytes of it.
  const someOfEach = (2 * EVENTS_EACH * 40) / 4
  const grown = Object.entries(whole).filter(([name, bytes]) => bytes > 1.3 * half[name]! + someOfEach)
  expect(grown.map(([name, bytes]) => `${name}: ${half[name]} -> ${bytes} bytes`)).toEqual([])
  const rows = await query(
    database.url,
    `select (select count(*)::int from ticks.skerry_outbox) as outbox, (select count(*)::int from counts.skerry_delivery) as delivery,
       (select count(*)::int from counts.skerry_inbox) as inbox, (select count(*)::int from counts.skerry_dead_letter) as dead,
       (select count(*)::int from ticks.skerry_key_head) as heads, (select count(*)::int from counts.skerry_key_cursor) as cursors,
       (select sum(seq)::int from counts.skerry_key_cursor) as handled`,
  )
  expect(rows).toEqual([{ outbox: 0, delivery: 0, inbox: 0, dead: 0, heads: KEYS, cursors: KEYS, handled: 4 * EVENTS_EACH }])
})

test('how much waits is asked without reading all that waits', { timeout: 300_000 }, async () => {
  await using database = await createSharedDatabase()
  const engine = postgres({ url: database.url })
  await using _closed = { [Symbol.asyncDispose]: () => engine.close() }
  await migrate({
    service: 'counts',
    database: await engine.open({ service: 'counts', shared: true }),
    folder: undefined,
    clock: systemClock,
  })
  const rows = 200_000
  await query(
    database.url,
    `set search_path = counts;
     insert into skerry_outbox (part, topic, key, seq, message_id, type, payload, traceparent, created_at)
       select n % 64, 'counts', 'k' || n % 1000, n, gen_random_uuid(), 't', '{}', '', now() from generate_series(1, ${rows}) n;
     insert into skerry_delivery (consumer, message_id, source, key, seq, reason, envelope, attempts, next_at, first_at)
       select 'counts', 'm' || n, '/services/' || n % 3, 'k' || n % 1000, n, case when n % 1000 = 0 then 'retry' else 'early' end, repeat('x', 300), 1, now(), now()
       from generate_series(1, ${rows}) n;
     insert into skerry_dead_letter (id, consumer, message_id, topic, type, source, key, seq, envelope, cause, error, error_hash, attempts, died_at)
       select gen_random_uuid(), 'counts', 'm' || n, 'topic-' || n % 2, 't', 's', 'k', n, repeat('x', 300), case when n % 3 = 0 then 'invalid' else 'exhausted' end, 'e', 'h', 1, now()
       from generate_series(1, ${rows}) n;`,
  )
  for (const table of ['outbox', 'delivery', 'dead_letter']) await query(database.url, `vacuum analyze counts.skerry_${table}`)
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    await client.query('set search_path = counts')
    const pages = await client.query<{ pages: number }>(
      `select sum(relpages)::int as pages from pg_class where oid in ('skerry_outbox'::regclass, 'skerry_delivery'::regclass, 'skerry_dead_letter'::regclass)`,
    )
    let touched = 0
    for (const { sql, parameters } of statusStatements('counts')) {
      const { rows: plans } = await client.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
        `explain (analyze, buffers, format json) ${sql}`,
        [...parameters],
      )
      const plan = plans[0]!['QUERY PLAN'][0].Plan
      touched += plan['Shared Hit Blocks']! + plan['Shared Read Blocks']!
      expect(plan['Actual Rows']).toBeGreaterThan(0)
    }
    expect(pages.rows[0]!.pages).toBeGreaterThan(20_000)
    expect(touched).toBeLessThan(2_000)
  } finally {
    await client.end()
  }
})
