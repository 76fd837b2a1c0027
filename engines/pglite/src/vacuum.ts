/**
 * What autovacuum does on a server, and nobody does for PGlite, which has no processes of its own: gives the space of rows
 * that are gone to the next ones, and tells the planner how many there are. Without it every table that rows come to and leave, such as
 * an outbox, grows for ever and is read more and more slowly.
 */
import type { EngineConnection } from 'skerry/engine'

// The factors are the server's; with fewer changes than the constants a table is not worth a turn.
const OVERDUE = `
select format('vacuum (analyze) %I.%I', schemaname, relname) as statement from pg_stat_user_tables
where n_dead_tup > 1000 + 0.2 * n_live_tup or n_mod_since_analyze > 1000 + 0.1 * n_live_tup
order by n_dead_tup desc`

/** Vacuums the tables that need it, each in a turn of its own, so that no service waits for more than one. */
export async function vacuumOverdue(acquire: () => Promise<EngineConnection>): Promise<void> {
  const overdue = await inTurn(acquire, (connection) => connection.query<{ statement: string }>(OVERDUE, []))
  for (const { statement } of overdue.rows) await inTurn(acquire, (connection) => connection.script(statement))
}

async function inTurn<T>(acquire: () => Promise<EngineConnection>, work: (connection: EngineConnection) => Promise<T>): Promise<T> {
  const connection = await acquire()
  try {
    return await work(connection)
  } finally {
    connection.release()
  }
}
