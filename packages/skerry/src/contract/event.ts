/** An event is a published fact. On the wire it is a CloudEvent whose subject is the ordering key. */
import type { InputOf, OutputOf, Schema } from './schema.ts'

export interface EventDeclaration<S extends Schema = Schema> {
  readonly kind: 'event'
  readonly data: S
  /** The field whose value orders: events of this contract with one key value are handled in the order they were emitted. */
  readonly key: string
  readonly version: number
  readonly summary: string | undefined
  readonly bindings: EventBindings
}

/** What is promised to consumers that do not use Skerry, per protocol (as AsyncAPI calls them). */
export interface EventBindings {
  /** The bare data, as JSON, also goes to this queue of the default exchange. `durable` must be what its consumer declares. */
  readonly amqp?: { readonly queue: string; readonly durable: boolean }
}

/** An event as part of its contract: it knows who publishes it and under what name. */
export interface Event<S extends Schema = Schema> extends EventDeclaration<S> {
  readonly contract: string
  readonly name: string
  /** The CloudEvents type: `orders.orderPlaced.v1`. */
  readonly type: string
}

/** What `emit.x(…)` takes, and what a handler gets. */
export type EventInput<E extends EventDeclaration> = InputOf<E['data']>
export type EventData<E extends EventDeclaration> = OutputOf<E['data']>

/** The fields that can order: those always present whose value is a string or a number. */
type KeyField<Data> = { [K in keyof Data & string]: Data[K] extends string | number ? K : never }[keyof Data & string]

/**
 * Declares an event.
 *
 * @example event(OrderPlaced, { key: 'orderId' })
 */
export function event<S extends Schema>(
  data: S,
  options: { key: KeyField<OutputOf<S>>; version?: number; summary?: string; bindings?: EventBindings },
): EventDeclaration<S> {
  const version = options.version ?? 1
  if (!Number.isInteger(version) || version < 1) throw new TypeError(`event version ${version}: expected a whole number from 1`)
  return Object.freeze({
    kind: 'event',
    data,
    key: options.key,
    version,
    summary: options.summary,
    bindings: Object.freeze(options.bindings ?? {}),
  })
}
