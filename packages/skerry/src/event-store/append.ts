/**
 * Adds events to a stream in an open transaction, if the stream is where the caller believes it to be. Together with each
 * event goes a row for the sequencer, so that none is left out of the global order.
 */
import { SkerryError } from '../base/errors.ts'
import { copyJson } from '../base/json.ts'
import { validate } from '../contract/schema.ts'
import type { Queryable } from '../engine/database.ts'
import { problemOfIdentifier } from '../events/cloud-event.ts'
import { problemOfJson } from './storable-json.ts'
import type { AnyStream } from './stream.ts'

/** What is known of an event besides what happened. */
export interface StoredMeta {
  /** The trace in which it was appended. */
  readonly traceparent?: string | undefined
  /** The id of the event whose handling led to it. */
  readonly cause?: string | undefined
  /** Who wanted it, as the service names people and programs. */
  readonly actor?: string | undefined
}

export interface AppendRequest {
  readonly stream: AnyStream
  readonly id: string
  /** The version on which the decision was made, 0 when the stream does not exist yet; `any` for what is true whatever came before. */
  readonly expected: number | 'any'
  readonly events: readonly { readonly type: string; readonly data: unknown }[]
  readonly meta: StoredMeta
  readonly now: Date
  /** The data are what the schemas give already, and must not go through them again. */
  readonly checked?: boolean
}

export interface Appended {
  /** The version of the stream now. */
  readonly version: number
  /** Proves to `projections.waitFor` how new a read model has to be. Plain text: it may go to a client and come back. */
  readonly token: string
}

/** An event larger than this belongs elsewhere, with a reference to it in the event. */
export const MAX_EVENT_BYTES = 1_048_576
export const MAX_APPENDED_EVENTS = 1_000

// One statement: the stream's row is locked before the events draw their numbers, so the numbers respect the order inside a stream.
const HEADS = {
  new: `insert into skerry_stream as s (stream, id, version, at) values ($1, $2, $4, $5) on conflict (stream, id) do nothing returning version, at`,
  expected: `update skerry_stream as s set version = s.version + $4, at = greatest(s.at, $5) where stream = $1 and id = $2 and version = $7 returning version, at`,
  any: `insert into skerry_stream as s (stream, id, version, at) values ($1, $2, $4, $5)
  on conflict (stream, id) do update set version = s.version + excluded.version, at = greatest(s.at, excluded.at) returning version, at`,
}

const appendAfter = (head: string): string => `
with head as (
  ${head}
), written as (
  insert into skerry_stream_event (stream, id, version, type, schema, data, meta, at)
  select $1, $2, head.version - $4 + e.ord, e.type, e.schema, coalesce(e.data, 'null'::jsonb), $6::jsonb, head.at
  from head, jsonb_to_recordset($3::jsonb) as e(ord int, type text, schema smallint, data jsonb) order by e.ord
  returning eid, version
), pending as (
  insert into skerry_stream_pending (eid) select eid from written
)
select max(eid) as eid, max(version) as version from written having count(*) > 0`

const APPEND = { new: appendAfter(HEADS.new), expected: appendAfter(HEADS.expected), any: appendAfter(HEADS.any) }

/** Appends all of the events or none. Undefined: the stream is not where it was expected to be. Throws `storedEventRefused` for what may not be stored. */
export async function appendEvents(on: Queryable, request: AppendRequest): Promise<Appended | undefined> {
  const { stream, id, expected, events, meta, now } = request
  checkId(stream, id)
  checkExpected(stream, expected)
  if (events.length === 0 || events.length > MAX_APPENDED_EVENTS)
    throw refused(stream, `${events.length} events were given: from 1 to ${MAX_APPENDED_EVENTS} go together`)
  const rows = events.map((event, index) => ({ ord: index + 1, ...prepared(stream, event, request.checked) }))
  const parameters = [stream.name, id, JSON.stringify(rows), events.length, now, JSON.stringify(checkedMeta(stream, meta))]
  const { rows: written } =
    expected === 'any'
      ? await on.query<{ eid: number; version: number }>(APPEND.any, parameters)
      : expected === 0
        ? await on.query<{ eid: number; version: number }>(APPEND.new, parameters)
        : await on.query<{ eid: number; version: number }>(APPEND.expected, [...parameters, expected])
  const last = written[0]
  return last && { version: last.version, token: String(last.eid) }
}

/** Throws `storedEventRefused` for what cannot name a stream's thing. */
export function checkId(stream: AnyStream, id: string): void {
  const problem = typeof id !== 'string' || id === '' ? 'is not a text of at least one character' : problemOfIdentifier(id)
  if (problem !== undefined) throw refused(stream, `the id ${JSON.stringify(id)?.slice(0, 100) ?? typeof id} ${problem}`)
}

function checkExpected(stream: AnyStream, expected: number | 'any'): void {
  if (expected !== 'any' && (!Number.isInteger(expected) || expected < 0))
    throw refused(stream, `expected is ${String(expected)}: give the version that was loaded, or 0 for a new ${stream.name}`)
}

function prepared(
  stream: AnyStream,
  event: { readonly type: string; readonly data: unknown },
  checked = false,
): { type: string; schema: number; data: unknown } {
  const declared = Object.hasOwn(stream.events, event.type) ? stream.events[event.type] : undefined
  if (declared === undefined) throw refused(stream, `"${event.type}" is not among its events: ${Object.keys(stream.events).join(', ')}`)
  const validation = checked ? { ok: true as const, value: event.data } : validate(declared.data, event.data)
  if (validation instanceof Promise) throw refused(stream, `the schema of "${event.type}" is asynchronous`)
  if (!validation.ok)
    throw refused(
      stream,
      `"${event.type}": ${validation.issues.map(({ path, message }) => `${path || 'the data'}: ${message}`).join('; ')}`,
    )
  const data = copyJson(validation.value) ?? null
  const problem = problemOfJson(data)
  if (problem !== undefined) throw refused(stream, `"${event.type}": ${problem}`)
  const bytes = Buffer.byteLength(JSON.stringify(data))
  if (bytes > MAX_EVENT_BYTES)
    throw refused(
      stream,
      `"${event.type}" takes ${bytes} bytes, and ${MAX_EVENT_BYTES} is the limit: store the large part elsewhere and refer to it`,
    )
  return { type: event.type, schema: declared.schema, data }
}

function checkedMeta(stream: AnyStream, meta: StoredMeta): StoredMeta {
  for (const [name, value] of Object.entries(meta)) {
    const problem = value === undefined ? undefined : problemOfIdentifier(String(value))
    if (problem !== undefined) throw refused(stream, `${name} ${problem}`)
  }
  return meta
}

function refused(stream: AnyStream, why: string): SkerryError {
  return new SkerryError('storedEventRefused', `Nothing was appended to ${stream.name}: ${why}`)
}
