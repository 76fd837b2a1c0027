/** How far each read model has come, as rows: every write says which owner it believes in, and changes nothing when it is another. */
import type { Database, Queryable, Transaction } from '../engine/database.ts'
import { fairShare } from '../events/lease.ts'
import type { StoredMeta } from './append.ts'
import { headOf } from './sequence.ts'

/** A generation of a projection in somebody's hands. */
export interface HeldGeneration {
  readonly name: string
  readonly generation: number
  readonly epoch: number
}

export interface GenerationState {
  readonly version: number
  readonly status: 'building' | 'live'
  readonly pos: number
  readonly epoch: number
  readonly stopped: boolean
  /** Places after `pos` that somebody has decided to leave out. */
  readonly skips: readonly number[]
}

/** The projections that this code has, with their versions. */
export type Known = readonly { readonly name: string; readonly version: number }[]

const KNOWN = `jsonb_to_recordset($1::jsonb) as known(name text, version int)`

/** All generations that this code can build: for a database that nobody else has open. */
export async function heldAlone(on: Queryable, known: Known): Promise<readonly HeldGeneration[]> {
  const { rows } = await on.query<HeldGeneration>(
    `select name, generation, epoch from skerry_projection join ${KNOWN} using (name, version) order by name, generation`,
    [JSON.stringify(known)],
  )
  return rows
}

export interface ShareRequest {
  readonly owner: string
  readonly known: Known
  readonly now: Date
  readonly ttlMs: number
}

const LEASE = 'projection'

/** Renews what this owner holds, gives back what is more than its share, takes what is free up to it. */
export function shareProjections(database: Database, { owner, known, now, ttlMs }: ShareRequest): Promise<readonly HeldGeneration[]> {
  const expiresAt = new Date(now.getTime() + ttlMs)
  const json = JSON.stringify(known)
  return database.transaction('read committed', async (transaction) => {
    const members = await countMembers(transaction, owner, now, expiresAt)
    const { rows: all } = await transaction.query<{ count: number }>(
      `select count(*) as count from skerry_projection join ${KNOWN} using (name, version)`,
      [json],
    )
    const share = fairShare(all[0]!.count, members)
    const { rows: held } = await transaction.query<HeldGeneration>(
      `update skerry_projection set expires_at = $3 where owner = $2 and (name, version) in (select name, version from ${KNOWN})
       returning name, generation, epoch`,
      [json, owner, expiresAt],
    )
    for (const surplus of held.splice(share)) await release(transaction, owner, surplus)
    if (held.length < share) {
      const taken = await transaction.query<HeldGeneration>(
        `update skerry_projection set owner = $2, epoch = epoch + 1, expires_at = $3 where (name, generation) in (
           select name, generation from skerry_projection where (owner is null or expires_at < $4)
           and (name, version) in (select name, version from ${KNOWN}) order by name, generation limit $5 for update skip locked
         ) returning name, generation, epoch`,
        [json, owner, expiresAt, now, share - held.length],
      )
      held.push(...taken.rows)
    }
    return held
  })
}

async function countMembers(transaction: Transaction, owner: string, now: Date, expiresAt: Date): Promise<number> {
  await transaction.query(
    `insert into skerry_lease_member (name, owner, expires_at) values ($1, $2, $3) on conflict (name, owner) do update set expires_at = excluded.expires_at`,
    [LEASE, owner, expiresAt],
  )
  await transaction.query(`delete from skerry_lease_member where name = $1 and expires_at < $2`, [LEASE, now])
  const { rows } = await transaction.query<{ count: number }>(`select count(*) as count from skerry_lease_member where name = $1`, [LEASE])
  return rows[0]!.count
}

/** Gives one generation back at once, so that another host need not wait for the expiry. */
export async function release(on: Queryable, owner: string, { name, generation }: HeldGeneration): Promise<void> {
  await on.query(`update skerry_projection set owner = null, expires_at = null where name = $1 and generation = $2 and owner = $3`, [
    name,
    generation,
    owner,
  ])
}

/** Gives everything back. */
export async function releaseAll(on: Queryable, owner: string): Promise<void> {
  await on.query(`update skerry_projection set owner = null, expires_at = null where owner = $1`, [owner])
  await on.query(`delete from skerry_lease_member where name = $1 and owner = $2`, [LEASE, owner])
}

/** Undefined when the generation is no more, or somebody else's. */
export async function readState(on: Queryable, { name, generation, epoch }: HeldGeneration): Promise<GenerationState | undefined> {
  const { rows } = await on.query<GenerationState>(
    `select version, status, pos, epoch, stopped_at is not null as stopped,
       array(select skip.pos from skerry_projection_skip skip where skip.name = p.name and skip.version = p.version and skip.pos > p.pos) as skips
     from skerry_projection p where name = $1 and generation = $2 and epoch = $3`,
    [name, generation, epoch],
  )
  return rows[0]
}

/** An event in the global order, its data as they were stored. */
export interface OrderedRow {
  readonly pos: number
  readonly stream: string
  readonly id: string
  readonly version: number
  readonly type: string
  readonly schema: number
  readonly data: unknown
  readonly meta: StoredMeta
  readonly at: Date
}

export interface Batch {
  readonly rows: readonly OrderedRow[]
  /** Everything up to here that concerns the projection is in `rows`. */
  readonly upTo: number
}

/** So many places are looked through at once: a projection of a rare stream must not read the whole order in one statement. */
const WINDOW_PLACES = 10_000

/** The next events of these streams. The order only grows at its end, so what is read here is all there will ever be up to there. */
export async function readBatch(on: Queryable, streams: readonly string[], after: number, limit: number): Promise<Batch> {
  const end = Math.min(await headOf(on), after + WINDOW_PLACES)
  if (end <= after) return { rows: [], upTo: after }
  const { rows } = await on.query<OrderedRow>(
    `select o.pos, e.stream, e.id, e.version, e.type, e.schema, e.data, e.meta, e.at
     from skerry_stream_order o join skerry_stream_event e using (eid)
     where o.pos > $1 and o.pos <= $2 and e.stream = any($3::text[]) order by o.pos limit $4`,
    [after, end, streams, limit],
  )
  return { rows, upTo: rows.length < limit ? end : rows.at(-1)!.pos }
}

/** Locks the generation until the end of the transaction; false when it is not there any more, or not this owner's, or stopped. */
export async function fence(transaction: Transaction, { name, generation, epoch }: HeldGeneration, pos: number): Promise<boolean> {
  const { rows } = await transaction.query(
    `select from skerry_projection where name = $1 and generation = $2 and epoch = $3 and pos = $4 and stopped_at is null for update`,
    [name, generation, epoch, pos],
  )
  return rows.length > 0
}

/** The last statement of the transaction that wrote the read model. */
export async function advance(transaction: Transaction, { name, generation }: HeldGeneration, pos: number): Promise<void> {
  await transaction.queryLast(
    `update skerry_projection set pos = $3, failed_pos = null, error = null where name = $1 and generation = $2`,
    [name, generation, pos],
  )
}

export interface Failure {
  readonly pos: number
  readonly error: string
  /** When it was given up; undefined: it goes on trying. */
  readonly stoppedAt: Date | undefined
}

/** Records what keeps a generation from going on, if it is still this owner's. */
export async function recordFailure(on: Queryable, { name, generation, epoch }: HeldGeneration, failure: Failure): Promise<void> {
  await on.query(
    `update skerry_projection set failed_pos = $4, error = $5, stopped_at = $6 where name = $1 and generation = $2 and epoch = $3 and pos < $4`,
    [name, generation, epoch, failure.pos, failure.error.replaceAll('\u0000', '\ufffd'), failure.stoppedAt ?? null],
  )
}
