/** What a service instance still has to do by itself: for those who wait until a system has come to rest. */
import { BEGIN_GRACE_MS } from '../events/inbox.ts'
import type { ServiceInstance } from './service-instance.ts'

/** It is at something this very moment. */
export function isBusy({ relay, consumer, workers, hosted }: ServiceInstance): boolean {
  return relay?.idle === false || consumer?.idle === false || workers.some(({ idle }) => !idle) || hosted.inProgress > 0
}

export interface WorkLeft {
  readonly name: string
  readonly outbox: number
  /** When the next thing that can go on by itself is due: a kept message, or what a worker waits for. */
  readonly dueMs: number | undefined
}

/**
 * Asks its database and its workers. A message that waits for an earlier one is counted while it may begin, when somebody was at it and
 * could not record what came of it, and when the earlier one has been handled.
 */
export async function workLeft({ name, database, workers }: ServiceInstance): Promise<WorkLeft> {
  if (database === undefined) return { name, outbox: 0, dueMs: undefined }
  const { rows } = await database.query<{ outbox: number; retry: Date | null; early: Date | null }>(
    `select (select count(*) from skerry_outbox) as outbox,
            (select min(next_at) from skerry_delivery where reason = 'retry') as retry,
            (select min(next_at) from skerry_delivery waits where reason = 'early' and (
               next_at <= first_at + make_interval(secs => $1) or claimed_by is not null or exists (
                 select from skerry_key_cursor c
                 where c.consumer = waits.consumer and c.source = waits.source and c.key = waits.key and c.seq = waits.seq - 1))) as early`,
    [BEGIN_GRACE_MS / 1_000],
  )
  const { outbox, retry, early } = rows[0]!
  const kept = [retry, early].filter((at) => at !== null).map((at) => at.getTime())
  const due = [...kept, ...(await Promise.all(workers.map((worker) => worker.dueMs()))).filter((at) => at !== undefined)]
  return { name, outbox, dueMs: due.length === 0 ? undefined : Math.min(...due) }
}
