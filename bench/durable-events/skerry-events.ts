/**
 * Two services in one process, on PGlite and the embedded broker or on PostgreSQL and RabbitMQ, as the environment says: one emits in
 * transactions, the other writes a row for each event in the transaction that records it as handled.
 */
import assert from 'node:assert/strict'
import { pglite } from '@skerry/pglite'
import { postgres } from '@skerry/postgres'
import { rabbitmq } from '@skerry/rabbitmq'
import { contract, event, post, service, system, tables } from 'skerry'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { z } from 'zod'
import { fillEventHistory } from '../growth/history.ts'
import { Commits } from '../harness/commits.ts'
import { measure } from './workload.ts'

/** Emitted and not handled, at most. */
const WINDOW = 2_000

const Payload = z.object({ number: z.int(), key: z.int(), content: z.string() })
const sender = contract('sender', {
  version: '1.0.0',
  operations: { send: post('/send', { input: z.object({ payloads: z.array(Payload) }), deadline: '1m' }) },
  events: { sent: event(Payload, { key: 'key' }) },
})
const receiver = contract('receiver', { version: '1.0.0', operations: {} })
let commits: Commits

const sending = service(sender, {})
const receiving = service(receiver, {
  uses: { sender },
  migrations: new URL('./migrations/receiver/', import.meta.url),
  tables: tables<{ handled: { number: number; key: number; sequence: number; content: string } }>(),
})

const definition = system('durable-events', {
  services: [
    sending.implement({
      send: ({ input, transaction }) =>
        transaction(async ({ emit }) => {
          for (const payload of input.payloads) emit.sent(payload)
        }),
    }),
    receiving.implement(
      {},
      {
        on: [
          receiving.on(sender.events.sent, async ({ event: payload, meta, db }) => {
            await db
              .insertInto('handled')
              .values({ ...payload, sequence: meta.sequence! })
              .execute()
            commits.note(payload.number)
          }),
        ],
      },
    ),
  ],
})
const selection = select(definition, [])
const configuration = await readConfiguration(definition, selection, process.env)

await measure(
  async (handled) => {
    commits = new Commits(receiver.name, handled)
    const host = await startHost({
      system: definition,
      selection,
      configuration,
      engines: {
        database: async (url, directory) => commits.observed(url === undefined ? pglite({ dataDir: directory! }) : postgres({ url })),
        broker: async (url) => rabbitmq({ url, exchange: process.env['EXCHANGE']!, prefix: process.env['EXCHANGE']! }),
      },
      log: createLog({ level: 'warn' }),
    })
    const historyRows = Number(process.env['HISTORY_ROWS'] ?? 0)
    if (historyRows > 0) await fillEventHistory(process.env['DATABASE_URL']!, historyRows)
    const client = host.clientFor(sender)
    return {
      send: (payloads) => client.send({ payloads: [...payloads] }),
      async check(sent) {
        const { rows } = await commits.database.query<{ rows: number; numbers: number; disordered: number }>(`
          select count(*) as rows, count(distinct number) as numbers, count(*) filter (where sequence <> before + 1) as disordered
          from (select number, sequence, lag(sequence, 1, 0) over (partition by key order by position) as before from handled) as handled`)
        assert.deepEqual(rows[0], { rows: sent, numbers: sent, disordered: 0 })
        await host.stop()
      },
    }
  },
  { batches: process.env['BATCHES']!.split(',').map(Number), window: WINDOW },
)
process.exit(0)
