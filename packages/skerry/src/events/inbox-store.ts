/** The inbox's SQL: how far each key has been handled, what waits, what is dead. Every statement is for one service's own database. */
import type { Queryable } from '../engine/database.ts'
import type { Envelope } from './cloud-event.ts'

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
  readonly source: string
  readonly key: string
  readonly seq: number | null
  readonly reason: 'early' | 'retry'
  readonly envelope: string
  readonly attempts: number
  readonly deferrals: number
  readonly first_at: Date
}

const DELIVERY_COLUMNS = 'message_id, source, key, seq, reason, envelope, attempts, deferrals, first_at'

/** Moves the key's cursor to `sequence` if the one before it was handled last. False: it was not, or this one already was. */
export async function advance(on: Queryable, consumer: string, source: string, key: string, sequence: number): Promise<boolean> {
  const { rows } =
    sequence === 1
      ? await on.query(`insert into skerry_key_cursor (consumer, source, key, seq) values ($1, $2, $3, 1) on conflict do nothing returning 1 as moved`, [consumer, source, key])
      : await on.query(`update skerry_key_cursor set seq = $4 where consumer = $1 and source = $2 and key = $3 and seq = $4 - 1 returning 1 as moved`, [consumer, source, key, sequence])
  return rows.length > 0
}

/** Starts a key in the middle, for a consumer that joined later. False when another instance was faster. */
export async function begin(on: Queryable, consumer: string, source: string, key: string, sequence: number): Promise<boolean> {
  const { rows } = await on.query(`insert into skerry_key_cursor (consumer, source, key, seq) values ($1, $2, $3, $4) on conflict do nothing returning 1 as moved`, [consumer, source, key, sequence])
  return rows.length > 0
}

/** Remembers a message without a sequence. False: it is known. */
export async function remember(on: Queryable, consumer: string, messageId: string, now: Date): Promise<boolean> {
  const { rows } = await on.query(`insert into skerry_inbox (consumer, message_id, received_at) values ($1, $2, $3) on conflict do nothing returning 1 as inserted`, [consumer, messageId, now])
  return rows.length > 0
}

export async function readCursor(on: Queryable, consumer: string, source: string, key: string): Promise<number | undefined> {
  const { rows } = await on.query<{ seq: number }>(`select seq from skerry_key_cursor where consumer = $1 and source = $2 and key = $3`, [consumer, source, key])
  return rows[0]?.seq
}

export async function isRemembered(on: Queryable, consumer: string, messageId: string): Promise<boolean> {
  const { rows } = await on.query(`select 1 as known from skerry_inbox where consumer = $1 and message_id = $2`, [consumer, messageId])
  return rows.length > 0
}

/** Keeps a message until its turn (early) or its next attempt (retry). A message already kept for a retry stays so. */
export async function keep(
  on: Queryable,
  message: StoredMessage,
  row: { reason: 'early' | 'retry'; attempts: number; deferrals: number; nextAt: Date; now: Date; error: string | undefined },
): Promise<void> {
  const { envelope } = message
  await on.query(
    `insert into skerry_delivery (consumer, message_id, source, key, seq, reason, envelope, attempts, deferrals, next_at, first_at, last_error)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
     on conflict (consumer, message_id) do update set reason = excluded.reason, attempts = greatest(skerry_delivery.attempts, excluded.attempts),
       deferrals = excluded.deferrals, next_at = excluded.next_at, last_error = coalesce(excluded.last_error, skerry_delivery.last_error)`,
    [message.consumer, envelope.id, envelope.source, envelope.key, envelope.sequence ?? null, row.reason, storedText(message), row.attempts, row.deferrals, row.nextAt, row.now, row.error ?? null],
  )
}

/** Counts an attempt before it is made, so that a message that kills the process is counted too. Returns the number of this attempt. */
export async function countAttempt(on: Queryable, message: StoredMessage, nextAt: Date, now: Date): Promise<{ attempts: number; deferrals: number }> {
  const { envelope } = message
  const { rows } = await on.query<{ attempts: number; deferrals: number }>(
    `insert into skerry_delivery (consumer, message_id, source, key, seq, reason, envelope, attempts, next_at, first_at)
     values ($1, $2, $3, $4, $5, 'retry', $6, 1, $7, $8)
     on conflict (consumer, message_id) do update set attempts = skerry_delivery.attempts + 1, next_at = excluded.next_at
     returning attempts, deferrals`,
    [message.consumer, envelope.id, envelope.source, envelope.key, envelope.sequence ?? null, storedText(message), nextAt, now],
  )
  return rows[0]!
}

export async function drop(on: Queryable, consumer: string, messageId: string): Promise<void> {
  await on.query(`delete from skerry_delivery where consumer = $1 and message_id = $2`, [consumer, messageId])
}

/** Claims kept messages that are due, by moving their next time to `until`: other instances leave them alone till then. */
export async function claimDue(on: Queryable, consumer: string, now: Date, until: Date, limit: number): Promise<readonly DeliveryRow[]> {
  const { rows } = await on.query<DeliveryRow>(
    `update skerry_delivery set next_at = $3 where (consumer, message_id) in (
       select consumer, message_id from skerry_delivery where consumer = $1 and next_at <= $2 order by next_at, seq limit $4 for update skip locked
     ) returning ${DELIVERY_COLUMNS}`,
    [consumer, now, until, limit],
  )
  return rows
}

/** The kept message that follows `sequence` of a key. */
export async function findNext(on: Queryable, consumer: string, source: string, key: string, sequence: number): Promise<DeliveryRow | undefined> {
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
  readonly cause: 'undecodable' | 'undeclared' | 'invalid' | 'rejected' | 'exhausted'
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
  const { envelope } = message
  await on.query(
    `insert into skerry_dead_letter (id, consumer, message_id, topic, type, source, key, seq, envelope, cause, error, stack, error_hash, attempts, trace_id, died_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) on conflict (consumer, message_id) do nothing`,
    [
      letter.id,
      message.consumer,
      envelope.id,
      message.topic,
      letter.type,
      envelope.source,
      envelope.key,
      envelope.sequence ?? null,
      storedText(message),
      letter.cause,
      letter.error,
      letter.stack ?? null,
      letter.errorHash,
      letter.attempts,
      letter.traceId ?? null,
      letter.diedAt,
    ],
  )
  await drop(on, message.consumer, envelope.id)
}

/** Records since when a consumer holds what is published on its topics, once, and returns it. */
export async function subscribedSince(on: Queryable, consumer: string, topic: string, now: Date): Promise<Date> {
  await on.query(`insert into skerry_subscription (consumer, topic, since) values ($1, $2, $3) on conflict do nothing`, [consumer, topic, now])
  const { rows } = await on.query<{ since: Date }>(`select since from skerry_subscription where consumer = $1 and topic = $2`, [consumer, topic])
  return rows[0]!.since
}

// PostgreSQL's text cannot hold the character U+0000, which a foreign publisher may send.
function storedText({ topic, body }: StoredMessage): string {
  return JSON.stringify({ topic, body }).replaceAll('\\u0000', '\\ufffd')
}

/** Reads back what `keep` and `bury` stored. */
export function readStoredText(text: string): { readonly topic: string; readonly body: string } {
  return JSON.parse(text) as { topic: string; body: string }
}
