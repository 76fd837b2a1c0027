/**
 * What a stream may hold: events with a schema that changes over the years while what is stored never does. Old events
 * are brought up to date when they are read, one schema at a time, by pure functions; what cannot be read stops its reader.
 */
import { SkerryError } from '../base/errors.ts'
import type { InputOf, OutputOf, Schema } from '../contract/schema.ts'
import { jsonSchema } from '../contract/schema.ts'

/** Brings data from one schema to the next. Pure, synchronous, and total: it must take whatever was ever stored under its schema. */
export type Upcast = { upcast(old: Readonly<Record<string, unknown>>): unknown }['upcast']

export interface StoredEvent<S extends Schema = Schema> {
  readonly kind: 'storedEvent'
  readonly data: S
  /** The number of `data` among the schemas that this event has had, from 1. */
  readonly schema: number
  readonly upcast: Readonly<Record<number, Upcast>>
}

export type StoredEvents = Readonly<Record<string, StoredEvent>>

/** An event as a stream knows it: `{ type: 'placed', data: { … } }`. */
export type StreamEvent<E extends StoredEvents> = {
  readonly [T in keyof E & string]: { readonly type: T; readonly data: OutputOf<E[T]['data']> }
}[keyof E & string]

/** An event to append; its data are checked and completed by the schema. */
export type NewStreamEvent<E extends StoredEvents> = {
  readonly [T in keyof E & string]: { readonly type: T; readonly data: InputOf<E[T]['data']> }
}[keyof E & string]

const MAX_SCHEMA = 32_767

/**
 * Declares an event of a stream.
 *
 * @param data The schema of its data today.
 * @param options `schema`: the number of that schema, 1 by default; raise it with every change that old data do not satisfy.
 * `upcast`: for each earlier number, the function to the next.
 * @example storedEvent(LineAdded, { schema: 2, upcast: { 1: (old: { sku: string }) => ({ ...old, quantity: 1 }) } })
 */
export function storedEvent<S extends Schema>(
  data: S,
  options: { readonly schema?: number; readonly upcast?: Readonly<Record<number, Upcast>> } = {},
): StoredEvent<S> {
  const { schema = 1, upcast = {} } = options
  if (!Number.isInteger(schema) || schema < 1 || schema > MAX_SCHEMA)
    throw new SkerryError('streamInvalid', `storedEvent: schema ${schema} is not a whole number from 1 to ${MAX_SCHEMA}`)
  for (let from = 1; from < schema; from++)
    if (typeof upcast[from] !== 'function')
      throw new SkerryError('streamInvalid', `storedEvent: schema ${schema} needs upcast ${from}, from schema ${from} to ${from + 1}`)
  const surplus = Object.keys(upcast).find((from) => !(Number(from) >= 1 && Number(from) < schema))
  if (surplus !== undefined)
    throw new SkerryError('streamInvalid', `storedEvent: upcast ${surplus} leads nowhere, because the schema today is ${schema}`)
  // Throws for what JSON cannot carry, such as a Date: it would come back as something else.
  jsonSchema(data, 'output')
  return Object.freeze({ kind: 'storedEvent', data, schema, upcast: Object.freeze({ ...upcast }) })
}

/** Where a stored event stands, for messages. */
export interface Place {
  readonly stream: string
  readonly id: string
  readonly version: number
}

/** Gives stored data the form of today's schema. Throws `storedEventUnreadable`, and never guesses. */
export function readStored(events: StoredEvents, type: string, schema: number, data: unknown, place: Place): unknown {
  const declared = Object.hasOwn(events, type) ? events[type] : undefined
  if (declared === undefined) throw new NewerEvent(place, `its type "${type}" is not declared by this code`)
  if (schema > declared.schema)
    throw new NewerEvent(place, `"${type}" was written under schema ${schema}, and this code knows schemas up to ${declared.schema}`)
  let current = data
  for (let from = schema; from < declared.schema; from++) {
    try {
      current = declared.upcast[from]!(current as Readonly<Record<string, unknown>>)
    } catch (error) {
      throw new UnreadableEvent(
        place,
        `upcast ${from} of "${type}" failed: ${error instanceof Error ? error.message : String(error)}`,
        error,
      )
    }
    if (current === undefined || current instanceof Promise)
      throw new UnreadableEvent(
        place,
        `upcast ${from} of "${type}" gave ${current === undefined ? 'nothing' : 'a promise'}: it must return the data`,
      )
  }
  return current
}

/** A stored event that this code cannot bring into today's form. */
class UnreadableEvent extends SkerryError {
  constructor({ stream, id, version }: Place, why: string, cause?: unknown) {
    super('storedEventUnreadable', `Event ${version} of ${stream} "${id}" cannot be read: ${why}`, {
      data: { stream, id, version },
      ...(cause === undefined ? {} : { cause }),
    })
  }
}

/** Newer code has written it, and must be left to read it: as while a release is being rolled out. */
export class NewerEvent extends UnreadableEvent {}
