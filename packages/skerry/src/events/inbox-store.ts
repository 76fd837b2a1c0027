/** The inbox's SQL: how far each key has been handled, what waits, what is dead. Every statement is for one service's own database. */
import type { Queryable } from '../engine/database.ts'
import type { Envelope } from './cloud-event.ts'
import type { Cursor } from './inbox.ts'

/** A message with all that is needed to handle it again without the broker. */
export interface StoredMessage {
  readonly consumer: string
  readonly topic: string
  readonly envelope: Envelope
  /** As received, to be kept and shown. */
  readonly body: string
}

export interface DeliveryRow {
  readonly message_id: string
  readonly reason: 'early' | 'retry'
  readonly envelope: string
  readonly attempts: number
  readonly deferrals: number
  readonly first_at: Date
}

const DELIVERY_COLUMNS = 'message_id, reason, envelope, attempts, deferrals, first_at'

/** Moves the key's cursor to `sequence` if the one before it was handled last. False: it was not, or this one already was. */
export async function advance(on: Queryable, consumer: string, source: string, key: string, sequence: number): Promise<boolean> {
  const { rows } =
    sequence === 1
      ? await on.query(
          `insert into skerry_key_cursor (consumer, source, key, seq) values ($1, $2, $3, 1) on conflict do nothing returning 1 as moved`,
          [consumer, source, key],
        )
      : await on.query(
          `update skerry_key_cursor set seq = $4 where consumer = $1 and source = $2 and key = $3 and seq = $4 - 1 returning 1 as moved`,
          [consumer, source, key, sequence],
        )
  return rows.length > 0
}

/** Consecutive messages of one key, by the numbers of the first and the last. */
export interface Reach {
  readonly source: string
  readonly key: string
  readonly first: number
  readonly last: number
}

/** Like `advance`, for several keys. Returns those that were moved, as `source`, a line feed and the key. */
export async function advanceAll(on: Queryable, consumer: string, reaches: readonly Reach[]): Promise<ReadonlySet<string>> {
  const { rows } = await on.query<{ moved: string }>(
    `with reach as (select * from unnest($2::text[], $3::text[], $4::int8[], $5::int8[]) as reach (source, key, first, last)),
     begun as (
       insert into skerry_key_cursor (consumer, source, key, seq) select $1, source, key, last from reach where first = 1 order by source, key
       on conflict do nothing returning source, key
     ),
     continued as (
       update skerry_key_cursor as cursor set seq = last from reach
       where cursor.consumer = $1 and cursor.source = reach.source and cursor.key = reach.key and first > 1 and seq = first - 1
       returning cursor.source, cursor.key
     )
     select source || chr(10) || key as moved from begun union all select source || chr(10) || key from continued`,
    [
      consumer,
      reaches.map(({ source }) => source),
      reaches.map(({ key }) => key),
      reaches.map(({ first }) => first),
      reaches.map(({ last }) => last),
    ],
  )
  return new Set(rows.map(({ moved }) => moved))
}

/** Starts a key in the middle, or once more behind what was missed. False when another instance was faster. */
export async function begin(
  on: Queryable,
  { consumer, envelope: { source, key, sequence } }: StoredMessage,
  cursor: Cursor | undefined,
): Promise<boolean> {
  const { rows } = await on.query(
    `insert into skerry_key_cursor as cursor (consumer, source, key, seq, began) values ($1, $2, $3, $4, $4)
     on conflict (consumer, source, key) do update set seq = excluded.seq, began = excluded.began where cursor.seq = $5 returning 1 as moved`,
    [consumer, source, key, sequence, cursor?.sequence ?? null],
  )
  return rows.length > 0
}

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

export async function readCursor(on: Queryable, consumer: string, source: string, key: string): Promise<Cursor | undefined> {
  const { rows } = await on.query<Cursor>(
    `select seq as sequence, began from skerry_key_cursor where consumer = $1 and source = $2 and key = $3`,
    [consumer, source, key],
  )
  return rows[0]
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

/** Records since when a consumer holds what is published on its topics, once, and returns it. */
export async function subscribedSince(on: Queryable, consumer: string, topic: string, now: Date): Promise<Date> {
  await on.query(`insert into skerry_subscription (consumer, topic, since) values ($1, $2, $3) on conflict do nothing`, [
    consumer,
    topic,
    now,
  ])
  return (await readSubscription(on, consumer, topic))!
}

/** Records since when a consumer handles events of a type that it subscribes to from now on, once, and returns it. */
export async function startedAt(on: Queryable, consumer: string, type: string, now: Date): Promise<Date> {
  const key = [consumer, type]
  await on.query(`insert into skerry_event_start (consumer, type, since) values ($1, $2, $3) on conflict do nothing`, [...key, now])
  const { rows } = await on.query<{ since: Date }>(`select since from skerry_event_start where consumer = $1 and type = $2`, key)
  return rows[0]!.since
}

/** Forgets the subscriptions to other topics: what is published there does not reach the consumer any more. Returns their topics. */
export async function endSubscriptions(on: Queryable, consumer: string, except: readonly string[]): Promise<readonly string[]> {
  const { rows } = await on.query<{ topic: string }>(
    `delete from skerry_subscription where consumer = $1 and topic <> all($2::text[]) returning topic`,
    [consumer, except],
  )
  return rows.map(({ topic }) => topic)
}

/** Since when a consumer holds what is published on a topic; undefined while that has not been recorded. */
export async function readSubscription(on: Queryable, consumer: string, topic: string): Promise<Date | undefined> {
  const { rows } = await on.query<{ since: Date }>(`select since from skerry_subscription where consumer = $1 and topic = $2`, [
    consumer,
    topic,
  ])
  return rows[0]?.since
}

/** PostgreSQL's text cannot hold the character U+0000, which a foreign publisher or an error's message may contain. */
function storable(text: string): string {
  return text.includes('\u0000') ? text.replaceAll('\u0000', '\ufffd') : text
}

function storedText({ topic, body }: StoredMessage): string {
  return JSON.stringify({ topic: storable(topic), body: storable(body) })
}

/** Reads back what was kept or buried. */
export function readStoredText(text: string): { readonly topic: string; readonly body: string } {
  return JSON.parse(text) as { topic: string; body: string }
}
