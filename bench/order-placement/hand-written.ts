/**
 * The same, by hand, with Fastify, pg and amqplib, giving the same guarantees: outbox row in the order's transaction with a number per
 * key, relay with confirms to a quorum queue, and a consumer that records message and effect in one transaction and acknowledges after it.
 */
import { randomUUID } from 'node:crypto'
import amqp from 'amqplib'
import { fastify } from 'fastify'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 30 })
await pool.query(`
  create table if not exists users (id int primary key, name text not null);
  insert into users (id, name) select n, 'user ' || n from generate_series(1, 1000) as n on conflict do nothing;
  create table if not exists orders (id int primary key, user_id int not null, product text not null, cents int not null);
  create table if not exists outbox (id bigint generated always as identity primary key, key text not null, seq bigint not null, message_id uuid not null, payload jsonb not null);
  create table if not exists key_head (key text primary key, seq bigint not null);
  create table if not exists key_cursor (key text primary key, seq bigint not null);
  create table if not exists notifications (id uuid primary key, order_id int not null, text text not null)`)

interface Order {
  readonly id: number
  readonly userId: number
  readonly product: string
  readonly cents: number
}

const queue = process.env['EXCHANGE'] ?? 'hand-written'
const connection = await amqp.connect(process.env['RABBITMQ_URL']!)
const publisher = await connection.createConfirmChannel()
const consumer = await connection.createChannel()
await publisher.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
await consumer.prefetch(32)

async function inTransaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const client = await pool.connect()
    try {
      await client.query('begin isolation level repeatable read')
      const result = await work(client)
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback')
      if (!(error instanceof Error) || !('code' in error) || error.code !== '40001' || attempt === 10) throw error
    } finally {
      client.release()
    }
  }
}

const returned = new Set<string>()
publisher.on('return', (message) => returned.add(String(message.properties.messageId)))

interface OutboxRow {
  readonly id: string
  readonly key: string
  readonly seq: string
  readonly message_id: string
  readonly payload: Order
}

let relaying = false
let again = false
async function relay(): Promise<void> {
  if (relaying) {
    again = true
    return
  }
  relaying = true
  try {
    for (;;) {
      again = false
      const { rows } = await pool.query<OutboxRow>('select * from outbox order by id limit 200')
      if (rows.length === 0 && !again) break
      const confirmed = await Promise.all(
        rows.map(
          (row) =>
            new Promise<string | undefined>((resolve) => {
              const body = Buffer.from(JSON.stringify({ id: row.message_id, key: row.key, seq: Number(row.seq), data: row.payload }))
              publisher.sendToQueue(queue, body, { persistent: true, mandatory: true, messageId: row.message_id }, (error) =>
                resolve(error === null && !returned.delete(row.message_id) ? row.id : undefined),
              )
            }),
        ),
      )
      await pool.query('delete from outbox where id = any($1::bigint[])', [confirmed.filter((id) => id !== undefined)])
    }
  } finally {
    relaying = false
  }
}

interface Envelope {
  readonly key: string
  readonly seq: number
  readonly data: Order
}

await consumer.consume(queue, (message) => {
  if (message === null) return
  const { key, seq, data } = JSON.parse(message.content.toString()) as Envelope
  void inTransaction(async (client) => {
    const moved =
      seq === 1
        ? await client.query('insert into key_cursor (key, seq) values ($1, 1) on conflict do nothing', [key])
        : await client.query('update key_cursor set seq = $2 where key = $1 and seq = $2 - 1', [key, seq])
    if (moved.rowCount === 0) return
    await client.query('insert into notifications (id, order_id, text) values ($1, $2, $3)', [
      randomUUID(),
      data.id,
      `Order ${data.id}: ${data.product}`,
    ])
  }).then(
    () => consumer.ack(message),
    () => consumer.nack(message),
  )
})

const app = fastify()
app.post<{ Body: Order }>(
  '/orders',
  {
    schema: {
      body: {
        type: 'object',
        required: ['id', 'userId', 'product', 'cents'],
        properties: {
          id: { type: 'integer' },
          userId: { type: 'integer' },
          product: { type: 'string', minLength: 1 },
          cents: { type: 'integer', minimum: 0 },
        },
      },
    },
  },
  async ({ body }, reply) => {
    const user = await pool.query('select id, name from users where id = $1', [body.userId])
    if (user.rowCount === 0) return reply.code(400).send({ detail: 'User not found' })
    await inTransaction(async (client) => {
      await client.query('insert into orders (id, user_id, product, cents) values ($1, $2, $3, $4)', [
        body.id,
        body.userId,
        body.product,
        body.cents,
      ])
      const head = await client.query<{ seq: string }>(
        'insert into key_head (key, seq) values ($1, 1) on conflict (key) do update set seq = key_head.seq + 1 returning seq',
        [String(body.id)],
      )
      await client.query('insert into outbox (key, seq, message_id, payload) values ($1, $2, $3, $4)', [
        String(body.id),
        head.rows[0]!.seq,
        randomUUID(),
        JSON.stringify(body),
      ])
    })
    void relay()
    return body
  },
)
app.get('/count', async () => {
  const { rows } = await pool.query<{ notifications: number; orders: number }>(
    'select count(*)::int as notifications, count(distinct order_id)::int as orders from notifications',
  )
  return rows[0]
})
await relay()
const url = await app.listen({ port: 0, host: '127.0.0.1' })
process.stdout.write(`${JSON.stringify({ orders: url, notifications: url })}\n`)
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)))
