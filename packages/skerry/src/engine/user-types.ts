/**
 * Types that migrations create have object ids of this database's own. Their values are text, except arrays of them
 * (of an enum, of a domain), which must be looked up once to be told from text. One instance per database.
 */
import type { ValueParser } from './sql-value.ts'
import { arrayParser, parserOf } from './sql-value.ts'

/** Ids below are PostgreSQL's own: FirstNormalObjectId in src/include/access/transam.h. */
const FIRST_USER_TYPE_ID = 16_384

/** One row of type `UserArrayType` per id in `$1` that is an array. */
export const FIND_ARRAY_TYPES = `
select type.oid::int8 as "typeId", coalesce(nullif(element.typbasetype, 0), element.oid)::int8 as "elementId", element.typdelim::text as "delimiter"
from pg_catalog.pg_type as type join pg_catalog.pg_type as element on element.oid = type.typelem
where type.oid = any($1::pg_catalog.oid[]) and type.typcategory = 'A'`

export interface UserArrayType {
  readonly typeId: number
  readonly elementId: number
  readonly delimiter: string
}

export class UserTypes {
  readonly #parsers = new Map<number, ValueParser | undefined>()

  /** Undefined when the text is the value, or when the type is not known yet. */
  parserOf(typeId: number): ValueParser | undefined {
    return typeId < FIRST_USER_TYPE_ID ? parserOf(typeId) : this.#parsers.get(typeId)
  }

  /** Those of a result's types that must be looked up first. */
  unknown(typeIds: readonly number[]): number[] {
    return typeIds.filter((typeId) => typeId >= FIRST_USER_TYPE_ID && !this.#parsers.has(typeId))
  }

  learn(typeIds: readonly number[], arrays: readonly UserArrayType[]): void {
    for (const typeId of typeIds) this.#parsers.set(typeId, undefined)
    for (const { typeId, elementId, delimiter } of arrays) this.#parsers.set(typeId, arrayParser(parserOf(elementId), delimiter))
  }
}

/** Gives the values of rows that were read as text their right form, in place. */
export function parseColumns(rows: readonly Record<string, unknown>[], parsers: readonly (readonly [column: string, parser: ValueParser])[]): void {
  if (parsers.length === 0) return
  for (const row of rows)
    for (const [column, parser] of parsers) {
      const text = row[column]
      if (typeof text === 'string') row[column] = parser(text)
    }
}
