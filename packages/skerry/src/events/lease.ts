/**
 * Leases on the parts of some work that several hosts share through one database. Time decides only who may start; what is
 * done under a lease that was lost must be harmless, and here it is: consumers drop what is published twice.
 */
import type { Database, Queryable } from '../engine/database.ts'

export interface LeaseSettings {
  /** How long a host that dies keeps its parts. */
  readonly ttlMs: number
  readonly renewMs: number
}

export const LEASE_DEFAULTS: LeaseSettings = { ttlMs: 5_000, renewMs: 1_500 }

/** How many parts each of `members` hosts should hold, so that all are held. */
export function fairShare(parts: number, members: number): number {
  return Math.ceil(parts / Math.max(1, members))
}

export interface LeaseRequest {
  readonly name: string
  /** This host, in this life. */
  readonly owner: string
  readonly parts: number
  readonly now: Date
  readonly ttlMs: number
}

/** Renews what `owner` holds, gives back what is more than its share, takes what is free up to it. Returns the parts it holds now. */
export function shareLeases(database: Database, { name, owner, parts, now, ttlMs }: LeaseRequest): Promise<readonly number[]> {
  const expiresAt = new Date(now.getTime() + ttlMs)
  return database.transaction('read committed', async (transaction) => {
    await transaction.query(
      `insert into skerry_lease_member (name, owner, expires_at) values ($1, $2, $3) on conflict (name, owner) do update set expires_at = excluded.expires_at`,
      [name, owner, expiresAt],
    )
    await transaction.query(`delete from skerry_lease_member where name = $1 and expires_at < $2`, [name, now])
    const members = await transaction.query<{ count: number }>(`select count(*) as count from skerry_lease_member where name = $1`, [name])
    const share = fairShare(parts, members.rows[0]!.count)
    const held = await transaction.query<{ part: number }>(
      `update skerry_lease set expires_at = $3 where name = $1 and owner = $2 returning part`,
      [name, owner, expiresAt],
    )
    const mine = held.rows.map((row) => row.part).toSorted((a, b) => a - b)
    if (mine.length > share) {
      const surplus = mine.splice(share)
      await transaction.query(
        `update skerry_lease set owner = null, expires_at = null where name = $1 and owner = $2 and part = any($3::int[])`,
        [name, owner, surplus],
      )
    } else if (mine.length < share) {
      const taken = await transaction.query<{ part: number }>(
        `update skerry_lease set owner = $2, epoch = epoch + 1, expires_at = $3 where name = $1 and part in (
           select part from skerry_lease where name = $1 and (owner is null or expires_at < $4) order by part limit $5 for update skip locked
         ) returning part`,
        [name, owner, expiresAt, now, share - mine.length],
      )
      mine.push(...taken.rows.map((row) => row.part))
    }
    return mine
  })
}

/** Gives everything back at once, so that another host need not wait for the expiry. */
export async function releaseLeases(database: Queryable, name: string, owner: string): Promise<void> {
  await database.query(`update skerry_lease set owner = null, expires_at = null where name = $1 and owner = $2`, [name, owner])
  await database.query(`delete from skerry_lease_member where name = $1 and owner = $2`, [name, owner])
}
