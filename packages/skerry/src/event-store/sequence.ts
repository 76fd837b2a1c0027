/**
 * The global order: gives events that are committed their place in it, without gaps and only ever at its end. Whoever
 * reads by place therefore misses nothing, which nobody can say who reads by the numbers that events draw before they commit.
 */
import { crashPoint } from '../base/crash-points.ts'
import type { Database, Queryable } from '../engine/database.ts'

/** The lease under which events are numbered; its epoch is compared in the same transaction. */
export interface Fence {
  readonly owner: string
  readonly epoch: number
}

export const SEQUENCER_LEASE = { name: 'sequencer', part: 0 } as const
/** So many events get their places in one transaction. */
export const NUMBERED_AT_ONCE = 2_000

// The row stays locked until COMMIT: a successor can only take the lease, and number, after that. It must be a statement of its own,
// before the other and at READ COMMITTED, for the other then sees everything that the one before has committed.
export const FENCE = `select from skerry_lease where name = 'sequencer' and part = 0 and owner = $1 and epoch = $2 for update`

// Within a stream the numbers drawn are in order, because an event can be appended only after the one before it was committed.
export const NUMBER = `
with taken as (
  delete from skerry_stream_pending where eid in (select eid from skerry_stream_pending order by eid limit $1) returning eid
), ranked as (
  select eid, row_number() over (order by eid) as rank from taken
)
insert into skerry_stream_order (pos, eid)
select (select coalesce(max(pos), 0) from skerry_stream_order) + rank, eid from ranked`

/**
 * Numbers what is committed and has no place yet, up to `NUMBERED_AT_ONCE` events. Returns how many, or `lost` when the lease has gone
 * to somebody else. Without a fence nobody else may be numbering: a database that is this process's alone.
 */
export function numberPending(database: Database, fence: Fence | undefined): Promise<number | 'lost'> {
  return database.transaction('read committed', async (transaction) => {
    if (fence !== undefined) {
      const { rows } = await transaction.query(FENCE, [fence.owner, fence.epoch])
      if (rows.length === 0) return 'lost'
    }
    crashPoint('sequencer.fenced')
    const { affected } = await transaction.query(NUMBER, [NUMBERED_AT_ONCE])
    crashPoint('sequencer.numbered')
    return affected
  })
}

/** The last place that is taken; 0 when none is. */
export async function headOf(on: Queryable): Promise<number> {
  const { rows } = await on.query<{ head: number }>(`select coalesce(max(pos), 0) as head from skerry_stream_order`)
  return rows[0]!.head
}

/** Whether an event has no place yet. */
export async function isPending(on: Queryable): Promise<boolean> {
  const { rows } = await on.query<{ pending: boolean }>(`select exists (select from skerry_stream_pending) as pending`)
  return rows[0]!.pending
}
