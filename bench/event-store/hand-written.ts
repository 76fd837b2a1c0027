/** The least that one would write: a table of streams, one of events, an append with the expected version, and a projection with its checkpoint. */
import pg from 'pg'
import { measure } from './workload.ts'

const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'], max: 16 })
await pool.query(`
  create table stream (id text primary key, version int not null);
  create table event (position bigint generated always as identity primary key, stream text not null, version int not null, type text not null, data jsonb not null, at timestamptz not null default now(), unique (stream, version));
  create table checkpoint (position bigint not null);
  insert into checkpoint values (0);
  create table totals (id text primary key, total int not null) with (fillfactor = 50)`)

async function inTransaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

const BATCH_EVENTS = 200

/** Reads by number, which loses what commits late: it is run only when nobody writes. */
async function project(): Promise<void> {
  for (;;) {
    const applied = await inTransaction(async (client) => {
      const { rows: at } = await client.query<{ position: string }>('select position from checkpoint for update')
      const { rows } = await client.query<{ position: string; stream: string; data: { by: number } }>(
        'select position, stream, data from event where position > $1 order by position limit $2',
        [at[0]!.position, BATCH_EVENTS],
      )
      for (const { stream, data } of rows)
        await client.query(
          'insert into totals (id, total) values ($1, $2) on conflict (id) do update set total = totals.total + excluded.total',
          [stream, data.by],
        )
      if (rows.length > 0) await client.query('update checkpoint set position = $1', [rows.at(-1)!.position])
      return rows.length
    })
    if (applied === 0) return
  }
}

await measure({
  append: (id) =>
    inTransaction(async (client) => {
      const { rows } = await client.query<{ version: number }>('select version from stream where id = $1', [id])
      const version = rows[0]?.version ?? 0
      const moved =
        version === 0
          ? await client.query('insert into stream (id, version) values ($1, 1) on conflict do nothing', [id])
          : await client.query('update stream set version = version + 1 where id = $1 and version = $2', [id, version])
      if (moved.rowCount === 0) throw new Error('conflict')
      await client.query('insert into event (stream, version, type, data) values ($1, $2, $3, $4)', [
        id,
        version + 1,
        'counted',
        JSON.stringify({ by: 1 }),
      ])
    }),
  caughtUp: project,
  async rebuild() {
    await pool.query('truncate totals; update checkpoint set position = 0')
    await project()
  },
  async count() {
    const { rows } = await pool.query<{ total: string }>('select sum(total) as total from totals')
    return Number(rows[0]!.total)
  },
})
await pool.end()
