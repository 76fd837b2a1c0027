/**
 * A recording is a service's own copy of events that others have published, kept as a stream: one history for each ordering
 * key, from the moment at which the service began to listen. Projections follow it like any other stream, and can therefore be built anew.
 */
import { SkerryError } from '../base/errors.ts'
import type { Event } from '../contract/event.ts'
import type { Schema } from '../contract/schema.ts'
import type { StoredEvent, Upcast } from './stored-event.ts'
import { storedEvent } from './stored-event.ts'
import type { AnyStream, Stream } from './stream.ts'
import { stream } from './stream.ts'

export interface RecordedEvent<S extends Schema = Schema> extends StoredEvent<S> {
  /** The event of a contract that is kept. */
  readonly recorded: Event
}

export interface Recording<Name extends string, E extends Readonly<Record<string, RecordedEvent>>> extends Stream<Name, E, undefined> {
  readonly events: E
}

/**
 * Keeps an event that another service publishes. The version in its contract is the number of its schema here.
 *
 * @param options `upcast`: for each earlier version that may have been recorded, the function to the next.
 * @example recordedEvent(payments.events.captured)
 */
export function recordedEvent<S extends Schema>(
  event: Event<S>,
  options: { readonly upcast?: Readonly<Record<number, Upcast>> } = {},
): RecordedEvent<S> {
  return Object.freeze({ ...storedEvent(event.data, { schema: event.version, ...options }), recorded: event })
}

/**
 * Defines a recording. Put it among the service's streams; the events are then kept in the transaction that also runs their handlers.
 *
 * @example const heard = recording('payments', { captured: recordedEvent(payments.events.captured) })
 */
export function recording<const Name extends string, E extends Readonly<Record<string, RecordedEvent>>>(
  name: Name,
  events: E,
): Recording<Name, E> {
  const types = Object.values(events).map(({ recorded }) => recorded.type)
  const twice = types.find((type, index) => types.indexOf(type) !== index)
  if (twice !== undefined) throw new SkerryError('streamInvalid', `recording("${name}"): it keeps ${twice} twice`)
  return stream(name, { events, initial: undefined, evolve: () => undefined })
}

/** Where an event of a contract is kept. */
export interface KeptAs {
  readonly stream: AnyStream
  readonly type: string
}

/** What the streams of a service keep of others' events, by the event's type: an event may be kept in several. */
export function recordedBy(
  streams: Readonly<Record<string, AnyStream>>,
): ReadonlyMap<string, { readonly event: Event; readonly in: readonly KeptAs[] }> {
  const kept = new Map<string, { event: Event; in: KeptAs[] }>()
  for (const one of Object.values(streams))
    for (const [type, declared] of Object.entries(one.events)) {
      if (!('recorded' in declared)) continue
      const event = declared.recorded as Event
      const before = kept.get(event.type) ?? { event, in: [] }
      before.in.push({ stream: one, type })
      kept.set(event.type, before)
    }
  return kept
}
