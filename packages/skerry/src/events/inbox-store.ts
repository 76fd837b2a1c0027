/** The inbox's SQL: what has been handled, what waits, what is dead. Every statement is for one service's own database. */
import type { Queryable } from '../engine/database.ts'
import type { Cursor } from './inbox.ts'
import type { StoredMessage } from './stored-message.ts'
import { storable, storedText } from './stored-message.ts'

export interface DeliveryRow {
  readonly message_id: string
  readonly reason: 'early' | 'retry'
  readonly envelope: string
  readonly attempts: number
  readonly deferrals: number
  readonly first_at: Date
}

const DELIVERY_COLUMNS = 'message_id, reason, envelope, attempts, deferrals, first_at'

/** Remembers a message without a sequence. False: it is known. */
export async function remember(on: Queryable, consumer: string, messageId: string, now: Date): Promise<boolean> {
  const { rows } = await on.query(
    `insert into skerry_inbox (consumer, message_id, received_at) values ($1, $2, $3) on conflict do nothing returning 1 as inserted`,
    [consumer, messageId, now],
  )
  return rows.length > 0
}

export async function isRemembered(on: Queryable, consumer: string, messageId: string): Promise<boolean> {
  const { rows } = await on.query(`select 1 as known from skerry_inbox where consumer = $1 and message_id = $2`, [consumer, messageId])
  return rows.length > 0
}

/** Whether a message of the key between the cursor and this one waits here or is dead. */
export async function hasEarlier(
  on: Queryable,
  { consumer, envelope: { source, key, sequence } }: StoredMessage,
  cursor: Cursor | undefined,
): Promise<boolean> {
  const { rows } = await on.query<{ found: boolean }>(
    `select exists (select from skerry_delivery where consumer = $1 and source = $2 and key = $3 and seq > $4 and seq < $5)
         or exists (select from skerry_dead_letter where consumer = $1 and source = $2 and key = $3 and seq > $4 and seq < $5) as found`,
    [consumer, source, key, cursor?.sequence ?? 0, sequence],
  )
  return rows[0]!.found
}

export interface KeptUntil {
  readonly attempts: number
  readonly deferrals: number
  /** These attempts were counted in the row, which may now say less; else the row may know of more. */
  readonly counted: boolean
  readonly nextAt: Date
  readonly now: Date
}

const KEEP = `
insert into skerry_delivery as kept (consumer, message_id, source, key, seq, envelope, first_at, reason, attempts, deferrals, next_at, last_error)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (consumer, message_id) do update set reason = excluded.reason, next_at = excluded.next_at, unfinished = 0, claimed_by = null,
  attempts = case when $13 then excluded.attempts else greatest(kept.attempts, excluded.attempts) end,
  deferrals = case when $13 then excluded.deferrals else greatest(kept.deferrals, excluded.deferrals) end,
  last_error = coalesce(excluded.last_error, kept.last_error)`

/** Keeps a message until its next attempt. */
export async function keepForRetry(on: Queryable, message: StoredMessage, until: KeptUntil, error: string): Promise<void> {
  await on.query(KEEP, [
    ...keptAs(message, until.now),
    'retry',
    until.attempts,
    until.deferrals,
    until.nextAt,
    storable(error),
    until.counted,
  ])
}

/** How soon a message is looked at that waits behind another one that waits: that one brings it along. */
const BEHIND_MS = 600_000

/**
 * Keeps a message until the one before it has been handled. Only the first that waits for a key is looked at soon, so that a key which
 * waits for a person costs nothing however long its queue.
 */
export async function keepEarly(on: Queryable, message: StoredMessage, until: KeptUntil, cursor: Cursor | undefined): Promise<void> {
  const { consumer, envelope } = message
  const of = [consumer, envelope.source, envelope.key]
  const { rows } = await on.query(
    `select from skerry_delivery where consumer = $1 and source = $2 and key = $3 and seq < $4 and reason = 'early' limit 1`,
    [...of, envelope.sequence],
  )
  const nextAt = rows.length === 0 ? until.nextAt : new Date(until.now.getTime() + BEHIND_MS)
  await on.query(KEEP, [...keptAs(message, until.now), 'early', until.attempts, until.deferrals, nextAt, null, until.counted])
  // The first one may have been kept at the very moment in which the one before it was handled elsewhere.
  if (cursor !== undefined) await bringAlong(on, { consumer, ...envelope }, cursor.sequence, until.nextAt)
}

/** Sees to it that the first message that waits for one after `sequence` of its key is looked at by `at`. */
export async function bringAlong(on: Queryable, { consumer, source, key }: KeyOfConsumer, sequence: number, at: Date): Promise<void> {
  await on.query(
    `update skerry_delivery set next_at = $5 where consumer = $1 and source = $2 and key = $3 and reason = 'early' and next_at > $5 and claimed_by is null
       and seq = (select min(seq) from skerry_delivery where consumer = $1 and source = $2 and key = $3 and seq > $4 and reason = 'early')`,
    [consumer, source, key, sequence, at],
  )
}

export interface KeyOfConsumer {
  readonly consumer: string
  readonly source: string
  readonly key: string
}

/** Gives a claimed early message back, to be looked at again. */
export async function recheckLater(on: Queryable, consumer: string, messageId: string, at: Date): Promise<void> {
  await on.query(`update skerry_delivery set next_at = $3, claimed_by = null where consumer = $1 and message_id = $2`, [
    consumer,
    messageId,
    at,
  ])
}

function keptAs(message: StoredMessage, now: Date): unknown[] {
  const { consumer, envelope } = message
  return [consumer, envelope.id, envelope.source, envelope.key, envelope.sequence ?? null, storedText(message), now]
}

/** An instance's hold on messages that it is handling: others leave them alone until then. */
export interface Claim {
  readonly by: string
  readonly now: Date
  readonly until: Date
}

export interface CountedAttempt {
  /** The number of this attempt. */
  readonly attempts: number
  readonly deferrals: number
  readonly first_at: Date
}

/**
 * Counts an attempt before it is made, so that a message that kills the process is counted too. Undefined when the message is dead, or
 * when `maxUnfinished` attempts in a row have ended without an outcome: nothing is counted then.
 */
export async function countAttempt(
  on: Queryable,
  message: StoredMessage,
  claim: Claim,
  maxUnfinished: number,
): Promise<CountedAttempt | undefined> {
  const { rows } = await on.query<CountedAttempt>(
    `insert into skerry_delivery as kept (consumer, message_id, source, key, seq, envelope, first_at, reason, attempts, unfinished, next_at, claimed_by)
     select $1, $2, $3, $4, $5, $6, $7, 'retry', 1, 1, $8, $9 where not exists (select from skerry_dead_letter where consumer = $1 and message_id = $2)
     on conflict (consumer, message_id) do update set reason = 'retry', attempts = kept.attempts + 1, unfinished = kept.unfinished + 1,
       next_at = excluded.next_at, claimed_by = excluded.claimed_by where kept.unfinished < $10
     returning attempts, deferrals, first_at`,
    [...keptAs(message, claim.now), claim.until, claim.by, maxUnfinished],
  )
  return rows[0]
}

export async function drop(on: Queryable, consumer: string, messageId: string): Promise<void> {
  await on.query(`delete from skerry_delivery where consumer = $1 and message_id = $2`, [consumer, messageId])
}

/** Claims kept messages that are due. */
export async function claimDue(on: Queryable, consumer: string, { by, now, until }: Claim, limit: number): Promise<readonly DeliveryRow[]> {
  const { rows } = await on.query<DeliveryRow>(
    `update skerry_delivery set next_at = $3, claimed_by = $5 where (consumer, message_id) in (
       select consumer, message_id from skerry_delivery where consumer = $1 and next_at <= $2 order by next_at, seq limit $4 for update skip locked
     ) returning ${DELIVERY_COLUMNS}`,
    [consumer, now, until, limit, by],
  )
  return rows
}

/** Holds on to claimed messages that are still being handled. */
export async function renewClaims(on: Queryable, consumer: string, { by, until }: Claim, messageIds: readonly string[]): Promise<void> {
  await on.query(`update skerry_delivery set next_at = $3 where consumer = $1 and claimed_by = $2 and message_id = any($4::text[])`, [
    consumer,
    by,
    until,
    messageIds,
  ])
}

/** Frees what instances of an earlier life had claimed: for a database that nobody else can have open. */
export async function freeClaims(on: Queryable, consumer: string, now: Date): Promise<void> {
  await on.query(`update skerry_delivery set next_at = $2, claimed_by = null where consumer = $1 and claimed_by is not null`, [
    consumer,
    now,
  ])
}

/** The kept message that follows `sequence` of a key. */
export async function findNext(
  on: Queryable,
  consumer: string,
  source: string,
  key: string,
  sequence: number,
): Promise<DeliveryRow | undefined> {
  const { rows } = await on.query<DeliveryRow>(
    `select ${DELIVERY_COLUMNS} from skerry_delivery where consumer = $1 and source = $2 and key = $3 and seq = $4 and reason = 'early'`,
    [consumer, source, key, sequence + 1],
  )
  return rows[0]
}

/** When the earliest kept message is due. */
export async function nextDue(on: Queryable, consumer: string): Promise<Date | undefined> {
  const { rows } = await on.query<{ at: Date | null }>(`select min(next_at) as at from skerry_delivery where consumer = $1`, [consumer])
  return rows[0]?.at ?? undefined
}

export interface DeadLetter {
  readonly id: string
  readonly cause: 'undecodable' | 'undeclared' | 'invalid' | 'overtaken' | 'rejected' | 'exhausted'
  readonly error: string
  readonly stack: string | undefined
  /** The same for failures of the same kind, so that they can be treated together. */
  readonly errorHash: string
  readonly attempts: number
  readonly type: string
  readonly traceId: string | undefined
  readonly diedAt: Date
}

/** Buries a message: kept whole, and no longer waiting. Burying it twice changes nothing. */
export async function bury(on: Queryable, message: StoredMessage, letter: DeadLetter): Promise<void> {
  const { consumer, envelope } = message
  const id = storable(envelope.id)
  await on.query(
    `insert into skerry_dead_letter (id, consumer, message_id, topic, type, source, key, seq, envelope, cause, error, stack, error_hash, attempts, trace_id, died_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) on conflict (consumer, message_id) do nothing`,
    [
      letter.id,
      consumer,
      id,
      storable(message.topic),
      storable(letter.type),
      storable(envelope.source),
      storable(envelope.key),
      envelope.sequence ?? null,
      storedText(message),
      letter.cause,
      storable(letter.error),
      letter.stack === undefined ? null : storable(letter.stack),
      letter.errorHash,
      letter.attempts,
      letter.traceId ?? null,
      letter.diedAt,
    ],
  )
  await drop(on, consumer, id)
}
