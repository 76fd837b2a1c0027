/** The SQL of sagas. Whatever an instance writes is guarded by its epoch: one that was thought dead, and was replaced, writes nothing. */
import type { Queryable } from '../engine/database.ts'
import type { SagaFailure } from './definition.ts'
import type { SagaState, StepState } from './saga.ts'

/** An instance that this process works on. */
export interface ClaimedSaga {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly epoch: number
  /** How often in a row whoever worked on it was lost before anything came of it; this claim has counted the last time. */
  readonly unfinished: number
  readonly traceparent: string
  readonly state: SagaState
}

export interface SagaRow {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly status: SagaState['status']
  readonly input: string
  readonly failure: string | null
  readonly parked_because: string | null
  readonly cancel_code: string | null
  readonly traceparent: string
  readonly started_at: Date
  readonly epoch: number
  readonly unfinished: number
}

export interface NewSaga {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly input: unknown
  readonly traceparent: string
  readonly startedAt: Date
  /** The instance that works on it from the start; undefined: whoever finds it. */
  readonly owner: string | undefined
  readonly nextAt: Date
  /** The steps that are begun with it. */
  readonly steps: SagaState['steps']
  readonly pastPivot: boolean
}

/** Writes steps of the instance that another part of the statement has written, from their names and their states as `stepStates` makes them. */
const stepsOf = (saga: string, names: string): string => `stepped as (
       insert into skerry_saga_step (saga_id, step, state)
       select ${saga}.id, s.step, s.state from ${saga}, jsonb_to_recordset(${names}::jsonb) as s(step text, state text)
       on conflict (saga_id, step) do update set state = excluded.state
     )`

/** False when an instance with this id exists. */
export async function insertSaga(on: Queryable, saga: NewSaga): Promise<boolean> {
  const { rows } = await on.query(
    `with inserted as (
       insert into skerry_saga (id, name, version, status, input, traceparent, started_at, owner, epoch, next_at, past_pivot)
       values ($1, $2, $3, 'running', $4, $5, $6, $7, 1, $8, $9) on conflict (id) do nothing returning id
     ), ${stepsOf('inserted', '$10')} select 1 as inserted from inserted`,
    [
      saga.id,
      saga.name,
      saga.version,
      JSON.stringify(saga.input),
      saga.traceparent,
      saga.startedAt,
      saga.owner ?? null,
      saga.nextAt,
      saga.pastPivot,
      stepStates(saga.steps, Object.keys(saga.steps), saga.startedAt),
    ],
  )
  return rows.length > 0
}

/** Due for everybody, however far apart the clocks of hosts are. */
export const DUE_NOW = new Date(0)

/** The versions of sagas that a host has the code of, as `name@version`: it leaves the others to hosts that know them. */
export type KnownVersions = readonly string[]

const IS_KNOWN = `name || '@' || version`

export interface Claim {
  readonly owner: string
  readonly known: KnownVersions
  /** What this owner is working on, whether or not its lease has run out. */
  readonly except: readonly string[]
  readonly now: Date
  readonly until: Date
  readonly limit: number
  /** From so many times on that whoever worked on it was lost, an instance is a suspect. */
  readonly suspectAfter: number
  /** At most so many suspects. */
  readonly suspects: number
}

/** What a claim makes of `unfinished`: whoever does not give back what it has claimed was lost. */
const COUNTED = `unfinished + case when owner is null then 0 else 1 end`

/** Claims instances that are due, up to `limit` and as many suspects as are asked for. Counts, as it claims them, those whose owner was lost. */
export async function claimDue(on: Queryable, claim: Claim): Promise<readonly ClaimedSaga[]> {
  const { rows } = await on.query<SagaRow>(
    `with usual as (
       select id from skerry_saga where next_at <= $2 and ${IS_KNOWN} = any($5::text[]) and id <> all($6::uuid[]) and ${COUNTED} < $7
       order by next_at limit $4 for update skip locked
     ), suspect as (
       select id from skerry_saga where next_at <= $2 and ${IS_KNOWN} = any($5::text[]) and id <> all($6::uuid[]) and ${COUNTED} >= $7
       order by next_at limit $8 for update skip locked
     ) update skerry_saga set owner = $1, epoch = epoch + 1, next_at = $3, unfinished = ${COUNTED}
     where id in (select id from usual union all select id from suspect)
     returning id, name, version, status, input, failure, parked_because, cancel_code, traceparent, started_at, epoch, unfinished`,
    [claim.owner, claim.now, claim.until, claim.limit, claim.known, claim.except, claim.suspectAfter, claim.suspects],
  )
  if (rows.length === 0) return []
  const steps = await on.query<{ saga_id: string; step: string; state: string }>(
    `select saga_id, step, state from skerry_saga_step where saga_id = any($1::uuid[])`,
    [rows.map(({ id }) => id)],
  )
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    version: row.version,
    epoch: row.epoch,
    unfinished: row.unfinished,
    traceparent: row.traceparent,
    state: stateOf(
      row,
      steps.rows.filter(({ saga_id }) => saga_id === row.id),
    ),
  }))
}

export function stateOf(row: SagaRow, steps: readonly { step: string; state: string }[]): SagaState {
  return {
    status: row.status,
    input: JSON.parse(row.input) as unknown,
    startedAtMs: row.started_at.getTime(),
    steps: Object.fromEntries(steps.map(({ step, state }) => [step, JSON.parse(state) as StepState])),
    failure: row.failure === null ? undefined : (JSON.parse(row.failure) as SagaFailure),
    parkedBecause: row.parked_because ?? undefined,
    cancelCode: row.cancel_code ?? undefined,
  }
}

/** What to write of an instance: its present state, the steps that have changed, and who looks at it when. */
export interface SagaWrite {
  readonly id: string
  readonly epoch: number
  readonly state: SagaState
  readonly changed: readonly string[]
  readonly pastPivot: boolean
  readonly now: Date
  readonly wait: { readonly type: string; readonly key: string } | undefined
  /** Something has come of the work, so whoever does it is not lost for it. */
  readonly progressed: boolean
  /** Nothing is written when somebody has asked to cancel it. */
  readonly unlessCancelled: boolean
  /** Undefined: it is given back. */
  readonly owner: string | undefined
  readonly nextAt: Date | null
  /** A time before `nextAt` that will do as well, should it stand there: to leave an indexed column as it is costs PostgreSQL half as much. */
  readonly longEnough?: Date | undefined
  readonly endedAt: Date | null
}

/**
 * Writes in one statement. Undefined: this instance of the work was replaced, or it had ended, and nothing was written. Otherwise whether it was written, and
 * whether somebody has asked to cancel it meanwhile.
 */
export async function write(
  on: Queryable,
  saga: SagaWrite,
): Promise<{ readonly written: boolean; readonly cancelCode: string | undefined } | undefined> {
  const { state, changed } = saga
  const { rows } = await on.query<{ cancel_code: string | null }>(
    `with guarded as (
       update skerry_saga set status = $3, failure = $4, parked_because = $5, past_pivot = $6, wait_type = $7, wait_key = $8, owner = $9,
         next_at = case when next_at between $15 and $10 then next_at else $10 end, ended_at = $11, unfinished = case when $14 then 0 else unfinished end
       where id = $1 and epoch = $2 and ended_at is null and (cancel_code is null or not $13) returning id, cancel_code
     ), ${stepsOf('guarded', '$12')} select cancel_code from guarded`,
    [
      saga.id,
      saga.epoch,
      state.status,
      state.failure === undefined ? null : JSON.stringify(state.failure),
      state.parkedBecause?.replaceAll('\u0000', '\ufffd') ?? null,
      saga.pastPivot,
      saga.wait?.type ?? null,
      saga.wait?.key ?? null,
      saga.owner ?? null,
      saga.nextAt,
      saga.endedAt,
      stepStates(state.steps, changed, saga.now),
      saga.unlessCancelled,
      saga.progressed,
      saga.longEnough ?? saga.nextAt,
    ],
  )
  const [row] = rows
  if (row !== undefined) return { written: true, cancelCode: row.cancel_code ?? undefined }
  if (!saga.unlessCancelled) return undefined
  const found = await on.query<{ cancel_code: string | null }>(
    `select cancel_code from skerry_saga where id = $1 and epoch = $2 and ended_at is null`,
    [saga.id, saga.epoch],
  )
  return found.rows[0] && { written: false, cancelCode: found.rows[0].cancel_code ?? undefined }
}

/**
 * Writes what a person has decided, and has it looked at now. Whoever works on it, or thinks so, is replaced. False: the instance is not as
 * it was read, and nothing was written.
 */
export async function overrule(
  on: Queryable,
  { id, epoch, state, changed, now }: Pick<SagaWrite, 'id' | 'epoch' | 'state' | 'changed' | 'now'>,
): Promise<boolean> {
  const { rows } = await on.query(
    `with guarded as (
       update skerry_saga set status = $3, parked_because = null, owner = null, epoch = epoch + 1, next_at = $4, unfinished = 0
       where id = $1 and epoch = $2 returning id
     ), ${stepsOf('guarded', '$5')} select 1 as written from guarded`,
    [id, epoch, state.status, DUE_NOW, stepStates(state.steps, changed, now)],
  )
  return rows.length > 0
}

/** The states of these steps, each as text. */
function stepStates(steps: SagaState['steps'], names: readonly string[], at: Date): string {
  return JSON.stringify(names.map((step) => ({ step, state: JSON.stringify({ ...steps[step], atMs: at.getTime() }) })))
}

/**
 * Keeps what is still being worked on; returns the ids that are still this owner's. Leaves alone what a transaction holds: nobody else can
 * claim that, and changing it would make the transaction start anew.
 */
export async function renew(on: Queryable, owner: string, ids: readonly string[], until: Date): Promise<ReadonlySet<string>> {
  const { rows } = await on.query<{ id: string }>(
    `with renewed as (
       update skerry_saga set next_at = $3 where id in (
         select id from skerry_saga where owner = $1 and id = any($2::uuid[]) and next_at is not null order by id for update skip locked
       )
     ) select id from skerry_saga where owner = $1 and id = any($2::uuid[])`,
    [owner, ids, until],
  )
  return new Set(rows.map(({ id }) => id))
}

/**
 * Locks an instance for the open transaction, which must not last longer than its claim for nothing. Until that ends nobody replaces it, and
 * nobody can ask to cancel it. Undefined: it was replaced.
 */
export async function hold(on: Queryable, id: string, epoch: number): Promise<{ readonly cancelCode: string | undefined } | undefined> {
  const { rows } = await on.query<{ cancel_code: string | null }>(
    `select cancel_code from skerry_saga where id = $1 and epoch = $2 and ended_at is null for no key update`,
    [id, epoch],
  )
  return rows[0] && { cancelCode: rows[0].cancel_code ?? undefined }
}

/** Frees what instances of an earlier life had claimed: for a database that nobody else can have open. */
export async function freeAll(on: Queryable, owner: string, now: Date): Promise<void> {
  await on.query(`update skerry_saga set unfinished = unfinished + 1, owner = null, next_at = $1 where owner <> $2`, [now, owner])
}

export async function nextDue(on: Queryable, known: KnownVersions, onlyWork: boolean): Promise<Date | undefined> {
  const { rows } = await on.query<{ at: Date | null }>(
    `select min(next_at) as at from skerry_saga where next_at is not null and (wait_type is null or not $1) and ${IS_KNOWN} = any($2::text[])`,
    [onlyWork, known],
  )
  return rows[0]?.at ?? undefined
}

/** Keeps an event that sagas may wait for, and has those that do looked at. */
export async function arrive(
  on: Queryable,
  { type, key, messageId, data, at }: { type: string; key: string; messageId: string; data: unknown; at: Date },
): Promise<number> {
  await on.query(`insert into skerry_saga_event (type, key, message_id, data, at) values ($1, $2, $3, $4, $5) on conflict do nothing`, [
    type,
    key,
    messageId,
    JSON.stringify(data),
    at,
  ])
  const { affected } = await on.query(
    `update skerry_saga set next_at = $3 where wait_type = $1 and wait_key = $2 and owner is null and next_at > $3`,
    [type, key, DUE_NOW],
  )
  return affected
}

/** The events of a type and key that have come since an instance was started, in the order in which they came: the database's, not a clock's. */
export async function eventsSinceStart(on: Queryable, id: string, type: string, key: string): Promise<readonly unknown[]> {
  const { rows } = await on.query<{ data: string }>(
    `select data from skerry_saga_event where type = $2 and key = $3 and place > (select place from skerry_saga where id = $1) order by place`,
    [id, type, key],
  )
  return rows.map(({ data }) => JSON.parse(data) as unknown)
}

/** Asks for an instance of a saga to be undone. `tooLate`: it is past its pivot, or has ended. */
export async function requestCancel(on: Queryable, name: string, id: string, code: string): Promise<'cancelling' | 'tooLate' | 'unknown'> {
  const { rows } = await on.query(
    `update skerry_saga set cancel_code = coalesce(cancel_code, $3), next_at = case when owner is null then $4 else next_at end
     where id = $1 and name = $2 and status = 'running' and not past_pivot returning 1 as asked`,
    [id, name, code, DUE_NOW],
  )
  if (rows.length > 0) return 'cancelling'
  const found = await on.query<{ status: string }>(`select status from skerry_saga where id = $1 and name = $2`, [id, name])
  if (found.rows.length === 0) return 'unknown'
  return found.rows[0]!.status === 'compensating' ? 'cancelling' : 'tooLate'
}

/** Deletes up to `limit` instances that ended before a moment, and as many events that nobody can wait for any more. */
export async function forget(on: Queryable, endedBefore: Date, eventsBefore: Date, limit: number): Promise<void> {
  await on.query(`delete from skerry_saga where id in (select id from skerry_saga where ended_at < $1 limit $2)`, [endedBefore, limit])
  await on.query(
    `delete from skerry_saga_event where (type, key, message_id) in (select type, key, message_id from skerry_saga_event where at < $1 limit $2)`,
    [eventsBefore, limit],
  )
}
