/** Lets go of the oldest rows of a table, as far as its bounds want it, some at a time so that nobody waits for it. */
import type { DatabaseSync } from 'node:sqlite'
import type { KindBounds } from './bounds.ts'
import type { LogTable } from './tables.ts'

const MAX_ROWS_AT_ONCE = 2_000

/** Whether there is more to let go of. */
export function trim(database: DatabaseSync, table: LogTable, bounds: KindBounds, nowMs: number): boolean {
  const first = database.prepare(`select id from ${table} order by id limit 1`).get() as { id: number } | undefined
  const last = database.prepare(`select id, through_bytes from ${table} order by id desc limit 1`).get() as
    | { id: number; through_bytes: number }
    | undefined
  if (first === undefined || last === undefined) return false
  const lookAt = database.prepare(`select id, through_bytes, written_ms from ${table} where id >= ? order by id limit 1`)
  const firstKept = firstIdWhere(first.id, last.id, (from) => {
    const row = lookAt.get(from) as { id: number; through_bytes: number; written_ms: number }
    return (
      row.id > last.id - bounds.maxRows &&
      row.through_bytes > last.through_bytes - bounds.maxBytes &&
      row.written_ms >= nowMs - bounds.maxAgeMs
    )
  })
  const upTo = Math.min(firstKept - 1, first.id + MAX_ROWS_AT_ONCE - 1)
  if (upTo >= first.id) database.prepare(`delete from ${table} where id <= ?`).run(upTo)
  return upTo < firstKept - 1
}

/** Of those from `low` to `high`, or the one behind when there is none; it holds for all behind one for which it holds. */
function firstIdWhere(low: number, high: number, holds: (id: number) => boolean): number {
  let [from, to] = [low, high + 1]
  while (from < to) {
    const middle = Math.floor((from + to) / 2)
    if (holds(middle)) to = middle
    else from = middle + 1
  }
  return from
}
