/** What a service's platform tables hold after it has been at work for long: as many rows in each as asked for, none of them to be done now. */
import pg from 'pg'

type Table = readonly [name: string, fill: string]

// `$1` is how many. Nothing is due before the year 9999, and all of it is too new to be swept away.
const OF_SENDER: readonly Table[] = [
  [
    'skerry_key_head',
    `insert into skerry_key_head (topic, key, seq, at) select 'sender', 'old ' || n, 5, now() from generate_series(1, $1::int) n`,
  ],
  [
    'skerry_delayed_event',
    `insert into skerry_delayed_event (id, type, key, payload, traceparent, due_at)
     select gen_random_uuid(), 'sender.sent.v1', 'old ' || n, '{}', '', '9999-01-01' from generate_series(1, $1::int) n`,
  ],
  [
    'skerry_outbox',
    `insert into skerry_outbox (part, topic, key, seq, message_id, type, payload, traceparent, created_at)
     select n % 64, 'sender', 'old ' || n, 5, gen_random_uuid(), 'sender.sent.v1', '{}', '', now() from generate_series(1, $1::int) n`,
  ],
]
const OF_RECEIVER: readonly Table[] = [
  [
    'skerry_key_cursor',
    `insert into skerry_key_cursor (consumer, source, key, seq) select 'receiver', '/services/sender', 'old ' || n, 5 from generate_series(1, $1::int) n`,
  ],
  [
    'skerry_inbox',
    `insert into skerry_inbox (consumer, message_id, received_at) select 'receiver', 'old ' || n, now() from generate_series(1, $1::int) n`,
  ],
  [
    'skerry_delivery',
    `insert into skerry_delivery (consumer, message_id, source, key, seq, reason, envelope, attempts, next_at, first_at)
     select 'receiver', 'kept ' || n, '/services/sender', 'old ' || n, 6, 'retry', repeat('x', 500), 3, '9999-01-01', now() from generate_series(1, $1::int) n`,
  ],
  [
    'skerry_dead_letter',
    `insert into skerry_dead_letter (id, consumer, message_id, topic, type, source, key, seq, envelope, cause, error, error_hash, attempts, died_at)
     select gen_random_uuid(), 'receiver', 'dead ' || n, 'sender', 'sender.sent.v1', '/services/sender', 'dead ' || n, 1, repeat('x', 500), 'exhausted', 'broken', 'abcdef', 12, now()
     from generate_series(1, $1::int) n`,
  ],
]
const OF_SAGAS: readonly Table[] = [
  [
    'skerry_saga',
    `insert into skerry_saga (id, name, version, status, input, traceparent, started_at, ended_at, epoch)
     select gen_random_uuid(), 'writing', 1, 'completed', '{"number":0}', '', now(), now(), 1 from generate_series(1, $1::int) n`,
  ],
  [
    'skerry_saga_step',
    `insert into skerry_saga_step (saga_id, step, state)
     select id, step, '{"status":"done","attempts":1,"output":"before"}' from skerry_saga, unnest(array['one', 'two', 'three']) step limit $1::int * 3`,
  ],
  [
    'skerry_saga_event',
    `insert into skerry_saga_event (type, key, message_id, data, at) select 'jobs.old.v1', 'old ' || n, n::text, '{}', now() from generate_series(1, $1::int) n`,
  ],
]

/** Fills the tables of events in the schemas of sender and receiver. */
export async function fillEventHistory(postgresUrl: string, rows: number): Promise<void> {
  await fill(postgresUrl, 'sender', OF_SENDER, rows)
  await fill(postgresUrl, 'receiver', OF_RECEIVER, rows)
}

export function fillSagaHistory(postgresUrl: string, schema: string, rows: number): Promise<void> {
  return fill(postgresUrl, schema, OF_SAGAS, rows)
}

/** In a database that a host has migrated and does not use at the moment. */
async function fill(postgresUrl: string, schema: string, tables: readonly Table[], rows: number): Promise<void> {
  const client = new pg.Client({ connectionString: postgresUrl })
  await client.connect()
  try {
    // Without the checks of references, which take most of the time.
    await client.query('set session_replication_role = replica; set synchronous_commit = off')
    await client.query(`set search_path to "${schema}"`)
    for (const [name, insert] of tables) {
      await client.query('begin')
      await client.query(insert, [rows])
      // What has passed through leaves dead rows behind, and in one transaction with their making no relay publishes them.
      if (name === 'skerry_outbox') await client.query('delete from skerry_outbox')
      await client.query('commit')
      if (name !== 'skerry_outbox') await client.query(`vacuum analyze ${name}`)
    }
  } finally {
    await client.end()
  }
}
