/**
 * A projection is a read model that follows the events of a service's own streams: it applies each once, in the global
 * order, and can be built anew from the first event while the old one keeps answering.
 */
import { SkerryError } from '../base/errors.ts'
import type { StoredMeta } from './append.ts'
import type { StreamEvent } from './stored-event.ts'
import type { AnyStream, Stream } from './stream.ts'

/** An event as a projection sees it. `stream` and `type` together tell what its `data` are. */
export type ProjectedEvent<From extends readonly AnyStream[]> = {
  [I in keyof From]: From[I] extends Stream<infer Name, infer E, infer _> ? StreamEvent<E> & EventPlace<Name> : never
}[number]

interface EventPlace<Name extends string> {
  readonly stream: Name
  readonly id: string
  readonly version: number
  /** When it was appended. A projection has no other clock: built anew, it must come out the same. */
  readonly at: Date
  /** Its place in the global order, from 1. */
  readonly position: number
  readonly meta: StoredMeta
}

/** An event of any stream. */
export interface AnyProjectedEvent extends EventPlace<string> {
  readonly type: string
  readonly data: unknown
}

/** Makes a table of the read model: given its name in this generation, the SQL that creates it and its indexes. */
export type CreateTable = (name: string) => string

export interface Projection {
  readonly kind: 'projection'
  readonly name: string
  /** Raised with every change that the rows there already do not satisfy: it is then built anew, beside the old one. */
  readonly version: number
  readonly from: readonly AnyStream[]
  readonly tables: Readonly<Record<string, CreateTable>>
  readonly apply: (context: never) => Promise<void>
}

const NAME = /^[a-z][a-zA-Z0-9]{0,62}$/
const TABLE = /^[a-z][a-z0-9_]{0,49}$/

/** Checks a definition and freezes it. Throws `projectionInvalid`. */
export function defineProjection(name: string, { version, from, tables, apply }: Omit<Projection, 'kind' | 'name'>): Projection {
  const invalid = (why: string): SkerryError => new SkerryError('projectionInvalid', `projection("${name}"): ${why}`)
  if (!NAME.test(name)) throw invalid('a name is up to 63 letters and digits, in camelCase')
  if (!Number.isInteger(version) || version < 1) throw invalid(`its version is ${version}, but must be a whole number from 1`)
  if (from.length === 0) throw invalid('it names no streams to follow')
  const names = Object.keys(tables)
  if (names.length === 0) throw invalid('it has no tables to write to')
  const wrong = names.find((table) => !TABLE.test(table))
  if (wrong !== undefined) throw invalid(`its table "${wrong}" needs a name of up to 50 lower-case letters, digits and underscores`)
  return Object.freeze({ kind: 'projection', name, version, from: Object.freeze([...from]), tables: Object.freeze({ ...tables }), apply })
}

/** The table of a read model in one of its generations. Readers use the plain name, which leads to the live one. */
export function tableOfGeneration(table: string, generation: number): string {
  return `${table}__${generation}`
}
