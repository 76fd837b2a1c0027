/** Reads a stream back: its events in today's form, and the state that follows from them. Snapshots only shorten the way. */
import { crashPoint } from '../base/crash-points.ts'
import { SkerryError } from '../base/errors.ts'
import type { Queryable } from '../engine/database.ts'
import type { StoredMeta } from './append.ts'
import { checkId } from './append.ts'
import { problemOfJson } from './storable-json.ts'
import { readStored } from './stored-event.ts'
import type { AnyStream } from './stream.ts'

/** How far to read; without either, to the end. */
export interface Until {
  /** The state right after this version. */
  readonly version?: number
  /** The state at this moment, by the times of the events. */
  readonly at?: Date
}

export interface Loaded<State> {
  readonly state: State
  /** The version of the stream that the state follows from; 0 when nothing has happened. */
  readonly version: number
}

/** An event as it was read, in the form of today's schema. */
export interface ReadEvent {
  readonly type: string
  readonly data: unknown
  readonly version: number
  readonly at: Date
  readonly meta: StoredMeta
}

interface EventRow {
  readonly version: number
  readonly type: string
  readonly schema: number
  readonly data: unknown
  readonly meta: StoredMeta
  readonly at: Date
}

/** So many events are held in memory at once. */
const PAGE_EVENTS = 500

const READ_PAGE = `
select version, type, schema, data, meta, at from skerry_stream_event
where stream = $1 and id = $2 and version > $3 and ($4::int is null or version <= $4::int) and ($5::timestamptz is null or at <= $5::timestamptz)
order by version limit $6`

/** The events after `after`, in order, a page at a time. */
export async function* readEvents(
  on: Queryable,
  stream: AnyStream,
  id: string,
  after = 0,
  until: Until = {},
): AsyncGenerator<ReadEvent, void, undefined> {
  checkId(stream, id)
  let version = after
  for (;;) {
    const { rows } = await on.query<EventRow>(READ_PAGE, [stream.name, id, version, until.version ?? null, until.at ?? null, PAGE_EVENTS])
    for (const row of rows) {
      if (row.version !== ++version)
        throw new SkerryError('storedEventUnreadable', `Event ${version} of ${stream.name} "${id}" is missing from the database`)
      const data = readStored(stream.events, row.type, row.schema, row.data, { stream: stream.name, id, version })
      yield { type: row.type, data, version, at: row.at, meta: row.meta }
    }
    if (rows.length < PAGE_EVENTS) return
  }
}

export interface LoadOptions {
  readonly until?: Until
  /** Told why a snapshot could not be kept. */
  readonly onUnkept?: (reason: string) => void
}

/** The state of a stream. Leaves a snapshot behind when the way was long. */
export async function loadState(
  on: Queryable,
  stream: AnyStream,
  id: string,
  { until = {}, onUnkept }: LoadOptions = {},
): Promise<Loaded<unknown>> {
  const isLatest = until.version === undefined && until.at === undefined
  // The times of a snapshot's events are not known, so it can stand in for a version but not for a moment.
  const snapshot =
    stream.snapshotEvery === undefined || until.at !== undefined ? undefined : await findSnapshot(on, stream, id, until.version)
  let { state, version }: Loaded<unknown> = snapshot ?? { state: stream.initial, version: 0 }
  const from = version
  for await (const event of readEvents(on, stream, id, version, until)) {
    state = stream.evolve(state as never, event as never)
    version = event.version
  }
  if (isLatest && stream.snapshotEvery !== undefined && version - from >= stream.snapshotEvery)
    await keepSnapshot(on, stream, id, { state, version }, onUnkept)
  return { state, version }
}

async function findSnapshot(on: Queryable, stream: AnyStream, id: string, until: number | undefined): Promise<Loaded<unknown> | undefined> {
  checkId(stream, id)
  const { rows } = await on.query<Loaded<unknown>>(
    `select state, version from skerry_stream_snapshot where stream = $1 and id = $2 and fingerprint = $3 and ($4::int is null or version <= $4::int)`,
    [stream.name, id, stream.fingerprint, until ?? null],
  )
  return rows[0]
}

/** A state that JSON would change must not be kept: it would come back as another. */
async function keepSnapshot(
  on: Queryable,
  stream: AnyStream,
  id: string,
  { state, version }: Loaded<unknown>,
  onUnkept: ((reason: string) => void) | undefined,
): Promise<void> {
  const problem = problemOfJson(state)
  if (problem !== undefined) return onUnkept?.(problem)
  await on.query(
    `insert into skerry_stream_snapshot as kept (stream, id, version, fingerprint, state) values ($1, $2, $3, $4, $5::jsonb)
     on conflict (stream, id) do update set version = excluded.version, fingerprint = excluded.fingerprint, state = excluded.state
     where kept.version < excluded.version or kept.fingerprint <> excluded.fingerprint`,
    [stream.name, id, version, stream.fingerprint, JSON.stringify(state)],
  )
  crashPoint('store.snapshot-kept')
}
