/**
 * What a consumer's tables forget by themselves, a batch at a time: an index finds the oldest, and no batch holds locks for long. All
 * else they hold is either work in progress, which ends, or one row for each key, without which a repetition could not be told from news.
 */
import type { Queryable } from '../engine/database.ts'

const DAY_MS = 24 * 3_600_000
/** Longer than any broker keeps a message that it might deliver again. */
export const REMEMBER_MS: number = 30 * DAY_MS
/** Who did what to dead letters can be asked for more than a year. Dead letters themselves stay until somebody decides. */
export const AUDIT_MS: number = 400 * DAY_MS
const BATCH_ROWS = 1_000

/** Forgets up to a batch of each kind. True when there may be more. */
export async function sweep(on: Queryable, consumer: string, now: Date): Promise<boolean> {
  const before = (ageMs: number): Date => new Date(now.getTime() - ageMs)
  const inbox = await on.query(
    `delete from skerry_inbox where (consumer, message_id) in (
       select consumer, message_id from skerry_inbox where consumer = $1 and received_at < $2 order by received_at limit $3)`,
    [consumer, before(REMEMBER_MS), BATCH_ROWS],
  )
  const audit = await on.query(
    `delete from skerry_dead_letter_audit where id in (select id from skerry_dead_letter_audit where at < $1 order by at, id limit $2)`,
    [before(AUDIT_MS), BATCH_ROWS],
  )
  return inbox.affected === BATCH_ROWS || audit.affected === BATCH_ROWS
}
