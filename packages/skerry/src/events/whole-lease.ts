/** A lease on work that one host at a time does whole. Unlike the shared parts of `lease.ts` it fences: what is written under it compares its epoch. */
import type { Queryable } from '../engine/database.ts'
import type { LeaseRequest } from './lease.ts'

export interface WholeLeaseRequest extends Omit<LeaseRequest, 'parts'> {
  readonly part: number
}

/**
 * Takes or renews the lease on one part. Returns its epoch, which whoever writes under it compares in the transaction of the write;
 * undefined while another owner has it.
 */
export async function takeLease(on: Queryable, { name, part, owner, now, ttlMs }: WholeLeaseRequest): Promise<number | undefined> {
  const { rows } = await on.query<{ epoch: number }>(
    `update skerry_lease set epoch = case when owner = $3 then epoch else epoch + 1 end, owner = $3, expires_at = $5
     where name = $1 and part = $2 and (owner is null or owner = $3 or expires_at < $4) returning epoch`,
    [name, part, owner, now, new Date(now.getTime() + ttlMs)],
  )
  return rows[0]?.epoch
}
