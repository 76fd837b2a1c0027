/**
 * The outbox: events that a transaction emits become rows of the same transaction, numbered without gaps per key. What is
 * committed will be published; what is rolled back never was.
 */
import { SkerryError } from '../base/errors.ts'
import type { NewId } from '../base/id.ts'
import { copyJson } from '../base/json.ts'
import type { Event } from '../contract/event.ts'
import { validate } from '../contract/schema.ts'
import type { Transaction } from '../engine/database.ts'
import { problemOfIdentifier } from './cloud-event.ts'

/** Parts of the outbox that relays share out among themselves. */
export const PARTS = 64

/** An event emitted in an open transaction. */
export interface PendingEvent {
  readonly event: Event
  readonly id: string
  readonly key: string
  readonly data: unknown
  /** The trace it belongs to. */
  readonly traceparent: string
}

/** Checks what a service emits against its contract. Throws `contractBroken` when the data or its key is wrong. */
export function pendingEvent(event: Event, data: unknown, newId: NewId, traceparent: string): PendingEvent {
  const validation = validate(event.data, data)
  if (validation instanceof Promise)
    throw new SkerryError('contractBroken', `The schema of ${event.type} is asynchronous: emit needs one that is not`)
  if (!validation.ok) {
    const issues = validation.issues.map((issue) => `${issue.path || 'the event'}: ${issue.message}`).join('; ')
    throw new SkerryError('contractBroken', `emit.${event.name} was given what its contract does not allow: ${issues}`)
  }
  const plain = copyJson(validation.value)
  const key = (plain as Record<string, unknown>)[event.key]
  if (typeof key !== 'string' && typeof key !== 'number')
    throw new SkerryError('contractBroken', `emit.${event.name}: the ordering key "${event.key}" must be a string or a number`)
  const problem = problemOfIdentifier(String(key))
  if (problem !== undefined) throw new SkerryError('contractBroken', `emit.${event.name}: the ordering key "${event.key}" ${problem}`)
  return { event, id: newId(), key: String(key), data: plain, traceparent }
}

/** An event in the outbox, with all that publishing it needs. */
export interface OutboxEntry {
  readonly id: number
  readonly part: number
  readonly topic: string
  readonly key: string
  /** Position among the events of its topic and key, from 1, without gaps. */
  readonly seq: number
  readonly message_id: string
  readonly type: string
  /** JSON text. */
  readonly payload: string
  readonly traceparent: string
  readonly created_at: Date
  /** When the event before it of the same key was emitted. */
  readonly previous_at: Date | null
}

// One statement draws the number and writes the row, and COMMIT travels with it: the row of a key in skerry_key_head is locked no
// longer than the server needs, and the outbox's ids are in the order of commits for each key.
const FLUSH_ONE = `
with head as (
  insert into skerry_key_head as h (topic, key, seq, at) values ($1, $2, 1, $3)
  on conflict (topic, key) do update set seq = h.seq + 1, previous_at = h.at, at = excluded.at
  returning seq, previous_at
)
insert into skerry_outbox (part, topic, key, seq, message_id, type, payload, traceparent, created_at, previous_at)
select $4, $1, $2, head.seq, $5, $6, $7::jsonb, $8, $3, head.previous_at from head
returning id, seq, previous_at`

// The same for several. The keys are locked in sorted order, else two transactions that emit for the same two keys could wait for each other.
const FLUSH_MANY = `
with emitted as (
  select * from unnest($3::int2[], $4::text[], $5::int4[], $6::int4[], $7::uuid[], $8::text[], $9::jsonb[], $10::text[])
    with ordinality as e (part, key, rank, total, id, type, data, traceparent, ord)
), head as (
  insert into skerry_key_head as h (topic, key, seq, at)
  select $1, key, total, $2 from emitted where rank = 1 order by key
  on conflict (topic, key) do update set seq = h.seq + excluded.seq, previous_at = h.at, at = excluded.at
  returning h.key, h.seq, h.previous_at
)
insert into skerry_outbox (part, topic, key, seq, message_id, type, payload, traceparent, created_at, previous_at)
select e.part, $1, e.key, head.seq - e.total + e.rank, e.id, e.type, e.data, e.traceparent, $2,
       case when e.rank = 1 then head.previous_at else $2 end
from emitted e join head using (key) order by e.ord
returning id, seq, previous_at, message_id`

interface Written {
  readonly id: number
  readonly seq: number
  readonly previous_at: Date | null
  readonly message_id?: string
}

/** Writes the events of a transaction into its outbox and commits it. Returns them as they stand there, in the order emitted. */
export async function flushOutbox(
  transaction: Transaction,
  topic: string,
  events: readonly PendingEvent[],
  now: Date,
): Promise<readonly OutboxEntry[]> {
  const prepared = events.map((event): Prepared => ({ ...event, part: partOf(event.key), payload: JSON.stringify(event.data) }))
  const [first] = prepared
  if (first === undefined) return []
  const { rows } =
    prepared.length === 1
      ? await transaction.queryLast<Written>(FLUSH_ONE, [
          topic,
          first.key,
          now,
          first.part,
          first.id,
          first.event.type,
          first.payload,
          first.traceparent,
        ])
      : await transaction.queryLast<Written>(FLUSH_MANY, [topic, now, ...columnsOf(prepared)])
  const written = new Map(rows.map((row) => [row.message_id ?? first.id, row]))
  return prepared.map(({ id: messageId, key, part, payload, event, traceparent }) => {
    const { id, seq, previous_at } = written.get(messageId)!
    return { id, part, topic, key, seq, message_id: messageId, type: event.type, payload, traceparent, created_at: now, previous_at }
  })
}

interface Prepared extends PendingEvent {
  readonly part: number
  readonly payload: string
}

/** As arrays, with each event's rank among those of its key here, and how many those are. */
function columnsOf(events: readonly Prepared[]): readonly (readonly unknown[])[] {
  const totals = new Map<string, number>()
  const ranks = events.map(({ key }) => {
    const rank = (totals.get(key) ?? 0) + 1
    totals.set(key, rank)
    return rank
  })
  return [
    events.map(({ part }) => part),
    events.map(({ key }) => key),
    ranks,
    events.map(({ key }) => totals.get(key)),
    events.map(({ id }) => id),
    events.map(({ event }) => event.type),
    events.map(({ payload }) => payload),
    events.map(({ traceparent }) => traceparent),
  ]
}

/** The part of a key: FNV-1a over its UTF-16 code units, the same on every host and in every version. */
export function partOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  return (hash >>> 0) % PARTS
}
