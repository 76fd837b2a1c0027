/**
 * The streams of a service as its handlers see them: read anywhere, written in a transaction. What is appended commits
 * with everything else the transaction does, or not at all.
 */
import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import { SkerryError } from '../base/errors.ts'
import type { Database, Queryable } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import type { EventMeta } from '../events/subscription.ts'
import type { OpenTransaction } from '../events/transaction-runner.ts'
import type { Log } from '../telemetry/log.ts'
import { currentScope } from '../telemetry/scope.ts'
import { formatTraceparent } from '../telemetry/trace-context.ts'
import type { Appended, StoredMeta } from './append.ts'
import { appendEvents } from './append.ts'
import type { Loaded, Until } from './load.ts'
import { loadState, readEvents } from './load.ts'
import type { KeptAs, RecordedEvent } from './recording.ts'
import type { NewStreamEvent, StoredEvents, StreamEvent } from './stored-event.ts'
import type { AnyStream, Stream } from './stream.ts'

/** The streams of a service, under the names it calls them by. */
export type Streams = Readonly<Record<string, AnyStream>>

/** An event with its place and time. */
export type PastEvent<E extends StoredEvents> = StreamEvent<E> & {
  readonly version: number
  /** When it was appended, by the service's clock; within a stream never earlier than the event before. */
  readonly at: Date
  readonly meta: StoredMeta
}

export interface StreamReader<E extends StoredEvents, State> {
  /** The state of the thing with this id; `initial` and version 0 when nothing has happened. `until` looks back. */
  load(id: string, until?: Until): Promise<Loaded<State>>
  /** What happened, in order. Reads on as it is consumed. */
  events(id: string, range?: { readonly after?: number } & Until): AsyncIterable<PastEvent<E>>
}

export interface AppendOptions {
  /** Who wanted it. */
  readonly actor?: string
}

export interface StreamWriter<E extends StoredEvents, State> extends StreamReader<E, State> {
  /**
   * Appends events to a stream that is at version `expected`, 0 for a new one. Throws `streamConflict` when it is not: somebody else was
   * faster, or the caller's version is old.
   */
  append(id: string, options: AppendOptions & { readonly expected: number }, events: readonly NewStreamEvent<E>[]): Promise<Appended>
  /**
   * Loads the state, asks for the events that follow from it, and appends them. When somebody else was faster the whole transaction runs
   * again, so the decision is always made on the state it is recorded after. `decide` is pure; what it throws ends the transaction.
   */
  decide(
    id: string,
    decide: (state: State, version: number) => NewStreamEvent<E> | readonly NewStreamEvent<E>[],
    options?: AppendOptions,
  ): Promise<Decided>
}

export interface Decided {
  readonly version: number
  /** As of `append`; undefined when nothing was decided. */
  readonly token: string | undefined
}

export type StreamReaders<S extends Streams> = {
  readonly [K in keyof S]: S[K] extends Stream<string, infer E, infer State> ? StreamReader<E, State> : never
}

/** Recordings are not among them: only what was published may be in there. */
export type StreamWriters<S extends Streams> = {
  readonly [K in keyof S as S[K] extends { readonly events: Readonly<Record<string, RecordedEvent>> } ? never : K]: S[K] extends Stream<
    string,
    infer E,
    infer State
  >
    ? StreamWriter<E, State>
    : never
}

export interface StreamAccessOptions {
  readonly service: string
  readonly streams: Streams
  readonly database: Database | undefined
  readonly clock: Clock
  readonly log: Log
  /** Told when a transaction with new events has been committed, or may have been. */
  readonly onAppended: () => void
}

export interface StreamAccess {
  readonly readers: Readonly<Record<string, StreamReader<StoredEvents, unknown>>>
  writersIn(open: OpenTransaction): Readonly<Record<string, StreamWriter<StoredEvents, unknown>>>
  /** Keeps an event of another service's in a recording, under its ordering key. */
  record(open: OpenTransaction, kept: KeptAs, data: unknown, event: EventMeta): Promise<void>
}

export function streamAccess(options: StreamAccessOptions): StreamAccess {
  const entries = Object.entries(options.streams)
  return {
    readers: Object.freeze(Object.fromEntries(entries.map(([name, stream]) => [name, readerOf(options, stream)]))),
    writersIn: (open) => Object.fromEntries(entries.map(([name, stream]) => [name, writerOf(options, stream, open)])),
    async record(open, { stream, type }, data, { key, time }) {
      const events = [{ type, data }]
      await appendEvents(open.transaction, { stream, id: key, expected: 'any', events, meta: metaOf(undefined), now: time, checked: true })
      crashPoint('store.appended')
      open.afterCommit(options.onAppended)
    },
  }
}

function readerOf(options: StreamAccessOptions, stream: AnyStream): StreamReader<StoredEvents, unknown> {
  const on = (): Queryable => {
    const queryable = currentScope()?.transaction ?? options.database
    if (queryable !== undefined) return queryable
    throw new SkerryError('systemInvalid', `The service "${options.service}" reads ${stream.name} but has no database`)
  }
  const onUnkept = (reason: string): void =>
    options.log.warn('A snapshot was not kept, so every load reads the whole stream', { stream: stream.name, reason })
  return {
    load: (id, until) => loadState(on(), stream, id, { ...(until === undefined ? {} : { until }), onUnkept }),
    events: (id, range = {}) => readEvents(on(), stream, id, range.after, range),
  }
}

function writerOf(options: StreamAccessOptions, stream: AnyStream, open: OpenTransaction): StreamWriter<StoredEvents, unknown> {
  const reader = readerOf(options, stream)
  const append = async (
    id: string,
    expected: number | 'any',
    events: readonly { readonly type: string; readonly data: unknown }[],
    { actor }: AppendOptions,
  ): Promise<Appended | undefined> => {
    const request = { stream, id, expected, events, meta: metaOf(actor), now: options.clock.now() }
    const appended = await appendEvents(open.transaction, request)
    crashPoint('store.appended')
    open.afterCommit(options.onAppended)
    return appended
  }
  return {
    ...reader,
    async append(id, { expected, ...more }, events) {
      const appended = await append(id, expected, events, more)
      if (appended !== undefined) return appended
      throw new SkerryError(
        'streamConflict',
        `${stream.name} "${id}" is not at version ${expected}: it was changed meanwhile, or never was`,
        {
          data: { stream: stream.name, id, expected },
        },
      )
    },
    async decide(id, decide, more = {}) {
      const { state, version } = await reader.load(id)
      const decided = decide(state, version)
      const events = Array.isArray(decided) ? decided : [decided as NewStreamEvent<StoredEvents>]
      if (events.length === 0) return { version, token: undefined }
      const appended = await append(id, version, events, more)
      if (appended !== undefined) return appended
      // The same as PostgreSQL says when it finds out first: the transaction runs again, whole.
      throw new DatabaseError('serialization', `${stream.name} "${id}" was changed while version ${version} was decided on`)
    },
  }
}

function metaOf(actor: string | undefined): StoredMeta {
  const scope = currentScope()
  return {
    ...(scope === undefined ? {} : { traceparent: formatTraceparent(scope.trace) }),
    ...(scope?.cause === undefined ? {} : { cause: scope.cause }),
    ...(actor === undefined ? {} : { actor }),
  }
}
