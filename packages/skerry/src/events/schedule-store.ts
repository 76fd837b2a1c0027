/** The SQL of schedules. A schedule is one row; whoever moves it on in a transaction runs it in that transaction. */
import type { Database, Queryable, Transaction } from '../engine/database.ts'
import type { Timing } from './schedule.ts'
import { nextDueMs, timingText } from './schedule.ts'

/** Sees to it that each schedule has its row, and that one whose timing has changed is reckoned anew. */
export async function prepareSchedules(
  database: Database,
  schedules: readonly { readonly name: string; readonly timing: Timing }[],
  now: Date,
): Promise<void> {
  for (const { name, timing } of schedules)
    await database.query(
      `insert into skerry_schedule as kept (name, timing, due_at, next_at) values ($1, $2, $3, $3)
       on conflict (name) do update set timing = excluded.timing, due_at = excluded.due_at, next_at = excluded.next_at, attempts = 0
         where kept.timing <> excluded.timing`,
      [name, timingText(timing), new Date(Math.min(nextDueMs(timing, undefined, now.getTime()), 8.64e15))],
    )
}

/** The schedule, locked for the open transaction, when it is due and nobody else has it. */
export async function takeSchedule(
  on: Transaction,
  name: string,
  now: Date,
): Promise<{ readonly dueAt: Date; readonly attempts: number } | undefined> {
  const { rows } = await on.query<{ due_at: Date; attempts: number }>(
    `select due_at, attempts from skerry_schedule where name = $1 and next_at <= $2 for update skip locked`,
    [name, now],
  )
  const [row] = rows
  return row && { dueAt: row.due_at, attempts: row.attempts }
}

export async function moveOn(on: Transaction, name: string, dueAtMs: number, now: Date): Promise<void> {
  await on.query(`update skerry_schedule set due_at = $2, next_at = $2, ran_at = $3, attempts = 0, last_error = null where name = $1`, [
    name,
    new Date(Math.min(dueAtMs, 8.64e15)),
    now,
  ])
}

/** Does nothing when the schedule has been moved on meanwhile: by another host, or by a COMMIT whose answer was lost. */
export async function retrySchedule(
  on: Queryable,
  name: string,
  { dueAt, attempts }: { readonly dueAt: Date; readonly attempts: number },
  at: Date,
  error: string,
): Promise<void> {
  await on.query(
    `update skerry_schedule set next_at = $3, attempts = $2, last_error = $4 where name = $1 and attempts < $2 and due_at = $5`,
    [name, attempts, at, error.replaceAll('\u0000', '\ufffd'), dueAt],
  )
}
