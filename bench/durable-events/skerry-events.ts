/**
 * Two services in one process, on PGlite and the embedded broker or on PostgreSQL and RabbitMQ, as the environment says: one emits in
 * transactions, the other writes a row for each event in the transaction that records it as handled.
 */
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { pglite } from '@skerry/pglite'
import { postgres } from '@skerry/postgres'
import { rabbitmq } from '@skerry/rabbitmq'
import { contract, event, post, service, system, tables } from 'skerry'
import type { Database, DatabaseEngine } from 'skerry/engine'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { z } from 'zod'
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
const sending = service(sender, {})
const receiving = service(receiver, {
  uses: { sender },
  migrations: new URL('./migrations/receiver/', import.meta.url),
  tables: tables<{ handled: { number: number; key: number; sequence: number; content: string } }>(),
})

/** Numbers handled in the transaction that is open. */
const inTransaction = new AsyncLocalStorage<number[]>()

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
            inTransaction.getStore()!.push(payload.number)
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
    let receiverDatabase: Database
    /** Reports what the receiver has handled when the transaction that did it is committed. */
    const observed = (engine: DatabaseEngine): DatabaseEngine => ({
      description: engine.description,
      exclusive: engine.exclusive ?? false,
      async open(options) {
        const database = await engine.open(options)
        if (options.service !== receiver.name) return database
        receiverDatabase = database
        const transaction = database.transaction.bind(database)
        return Object.assign(database, {
          async transaction<T>(...[isolation, work]: Parameters<typeof transaction<T>>): Promise<T> {
            const numbers: number[] = []
            const result = await inTransaction.run(numbers, () => transaction(isolation, work))
            if (numbers.length > 0) handled(numbers)
            return result
          },
        })
      },
      close: () => engine.close(),
    })
    const host = await startHost({
      system: definition,
      selection,
      configuration,
      engines: {
        database: async (url, directory) => observed(url === undefined ? pglite({ dataDir: directory! }) : postgres({ url })),
        broker: async (url) => rabbitmq({ url, exchange: process.env['EXCHANGE']!, prefix: process.env['EXCHANGE']! }),
      },
      log: createLog({ level: 'warn' }),
    })
    const client = host.clientFor(sender)
    return {
      send: (payloads) => client.send({ payloads: [...payloads] }),
      async check(sent) {
        const { rows } = await receiverDatabase.query<{ rows: number; numbers: number; disordered: number }>(`
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
