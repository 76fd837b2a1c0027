/** A stream is the history of one thing, such as one order: what happened to it, in order, from which its state follows. */
import { SkerryError } from '../base/errors.ts'
import { problemOfJson } from './storable-json.ts'
import type { StoredEvents, StreamEvent } from './stored-event.ts'

export interface Stream<Name extends string, E extends StoredEvents, State> {
  readonly kind: 'stream'
  readonly name: Name
  readonly events: E
  readonly initial: State
  evolve(state: State, event: StreamEvent<E>): State
  readonly snapshotEvery: number | undefined
  /** What a snapshot must match to be used: the state's schema and the code that made it, so far as it can be seen. */
  readonly fingerprint: string
}

/** A stream of whatever events and state. */
export interface AnyStream {
  readonly kind: 'stream'
  readonly name: string
  readonly events: StoredEvents
  readonly initial: unknown
  evolve(state: never, event: never): unknown
  readonly snapshotEvery: number | undefined
  readonly fingerprint: string
}

export type StateOf<S> = S extends Stream<string, infer _, infer State> ? State : never
export type EventsOf<S> = S extends Stream<string, infer E, infer _> ? E : never

/** What `evolve` may return: nobody changes a state, so its lists may be lists that cannot be changed. */
type Frozen<T> = T extends string | number | boolean | bigint | null | undefined | Date
  ? T
  : T extends (...parameters: never[]) => unknown
    ? T
    : { readonly [K in keyof T]: Frozen<T[K]> }

export interface StreamOptions<E extends StoredEvents, State, Next extends Frozen<State>> {
  readonly events: E
  /** The state before anything has happened. Frozen, so that `evolve` cannot change it in passing. */
  readonly initial: State
  /** The state after an event. Pure: no clock, no randomness, nothing but its arguments. Must take every event there is. */
  readonly evolve: (state: State, event: StreamEvent<E>) => Next
  /** Keep the state as a snapshot when this many events have come since the last; it must be plain JSON. Default: never. */
  readonly snapshotEvery?: number
  /** Raise it when `evolve` means something else by the state, though its own text is the same. Default 1. */
  readonly stateSchema?: number
}

const NAME = /^[a-z][a-zA-Z0-9-]{0,62}$/

/**
 * Defines a stream.
 *
 * @example
 * const nothing: OrderState = { status: 'none' }
 * const order = stream('order', {
 *   events: { placed: storedEvent(Placed), cancelled: storedEvent(Cancelled) },
 *   initial: nothing,
 *   evolve: (state, event) => (event.type === 'placed' ? { status: 'open' } : { ...state, status: 'cancelled' }),
 * })
 */
export function stream<const Name extends string, E extends StoredEvents, State, const Next extends Frozen<State>>(
  name: Name,
  options: StreamOptions<E, State, Next>,
): Stream<Name, E, State> {
  const { events, initial, evolve, snapshotEvery, stateSchema = 1 } = options
  if (!NAME.test(name))
    throw new SkerryError('streamInvalid', `stream("${name}"): a name is up to 63 letters, digits and hyphens, in camelCase`)
  if (Object.keys(events).length === 0) throw new SkerryError('streamInvalid', `stream("${name}"): it declares no events`)
  if (snapshotEvery !== undefined) {
    if (!Number.isInteger(snapshotEvery) || snapshotEvery < 1)
      throw new SkerryError(
        'streamInvalid',
        `stream("${name}"): snapshotEvery is ${snapshotEvery}, but counts events: a whole number from 1`,
      )
    const problem = problemOfJson(initial)
    if (problem !== undefined)
      throw new SkerryError('streamInvalid', `stream("${name}"): a snapshot cannot hold its state: ${problem}. Leave snapshotEvery out`)
  }
  const schemas = Object.entries(events).map(([type, { schema }]) => `${type}:${schema}`)
  return Object.freeze({
    kind: 'stream',
    name,
    events: Object.freeze({ ...events }),
    initial: deepFreeze(initial),
    evolve: evolve as unknown as Stream<Name, E, State>['evolve'],
    snapshotEvery,
    fingerprint: hashOf(`${stateSchema}\n${schemas.toSorted().join()}\n${String(evolve)}`),
  })
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const member of Object.values(value)) deepFreeze(member)
  return value
}

/** FNV-1a, twice with different beginnings: 64 bits are enough to notice a change. */
function hashOf(text: string): string {
  return [0x811c9dc5, 0x01234567]
    .map((start) => {
      let hash = start
      for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
      return (hash >>> 0).toString(16).padStart(8, '0')
    })
    .join('')
}
