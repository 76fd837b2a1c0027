/**
 * Puts tables back to how they were when nothing had been written to them, for whoever begins anew again and again. Row by row and then vacuumed:
 * TRUNCATE gives a table new files, and with them all plans and all that is known of it have to be made anew, which takes longer than most of
 * what is then done.
 */
import type { EngineConnection } from 'skerry/engine'

/** `tables` as SQL names them. All in one go: neither foreign keys nor triggers say anything to it. */
export async function emptyTables(connection: EngineConnection, tables: readonly string[]): Promise<void> {
  if (tables.length === 0) return
  const deletes = tables.map((table) => `delete from ${table}`).join('; ')
  await connection.script(`begin; set local session_replication_role = replica; ${deletes}; commit`)
  await connection.script(`vacuum ${tables.join(', ')}`)
}
