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

/** Asks its database and its workers. */
export async function workLeft({ name, database, workers }: ServiceInstance): Promise<WorkLeft> {
  if (database === undefined) return { name, outbox: 0, dueMs: undefined }
  const { rows } = await database.query<{ outbox: number; retry: Date | null; early: Date | null }>(
    `select (select count(*) from skerry_outbox) as outbox,
            (select min(next_at) from skerry_delivery where reason = 'retry') as retry,
            (select min(next_at) from skerry_delivery where reason = 'early' and next_at <= first_at + make_interval(secs => $1)) as early`,
    [BEGIN_GRACE_MS / 1_000],
  )
  const { outbox, retry, early } = rows[0]!
  const kept = [retry, early].filter((at) => at !== null).map((at) => at.getTime())
  const due = [...kept, ...(await Promise.all(workers.map((worker) => worker.dueMs()))).filter((at) => at !== undefined)]
  return { name, outbox, dueMs: due.length === 0 ? undefined : Math.min(...due) }
}
