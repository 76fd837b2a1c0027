/**
 * Types that migrations create have object ids of this database's own. Their values are text, except arrays of them
 * (of an enum, of a domain), which must be looked up once to be told from text. One instance per database.
 */
import type { ValueParser } from './sql-value.ts'
import { arrayParser, parserOf } from './sql-value.ts'

/** Ids below are PostgreSQL's own: FirstNormalObjectId in src/include/access/transam.h. */
const FIRST_USER_TYPE_ID = 16_384

export interface ResultColumn {
  readonly name: string
  readonly dataTypeID: number
}

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

const NONE: readonly ResultColumn[] = []

export class UserTypes {
  readonly #parsers = new Map<number, ValueParser | undefined>()

  /** Undefined when the text is the value, or when the type is not known yet. */
  parserOf(typeId: number): ValueParser | undefined {
    return typeId < FIRST_USER_TYPE_ID ? parserOf(typeId) : this.#parsers.get(typeId)
  }

  /** Those columns of a result whose types must be looked up first. */
  unknownAmong(columns: readonly ResultColumn[]): readonly ResultColumn[] {
    for (const { dataTypeID } of columns)
      if (this.#isUnknown(dataTypeID)) return columns.filter((column) => this.#isUnknown(column.dataTypeID))
    return NONE
  }

  /** Takes in what was found, and gives the columns of a result that was read without it their right form, in place. */
  learn(columns: readonly ResultColumn[], found: readonly UserArrayType[], rows: readonly Record<string, unknown>[]): void {
    for (const { dataTypeID } of columns) this.#parsers.set(dataTypeID, undefined)
    for (const { typeId, elementId, delimiter } of found) this.#parsers.set(typeId, arrayParser(parserOf(elementId), delimiter))
    for (const { name, dataTypeID } of columns) {
      const parser = this.#parsers.get(dataTypeID)
      if (parser === undefined) continue
      for (const row of rows) {
        const text = row[name]
        if (typeof text === 'string') row[name] = parser(text)
      }
    }
  }

  #isUnknown(typeId: number): boolean {
    return typeId >= FIRST_USER_TYPE_ID && !this.#parsers.has(typeId)
  }
}
