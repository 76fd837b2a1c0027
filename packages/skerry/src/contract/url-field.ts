/**
 * One field of an input as text in a URL. Text has no type, so the schema decides what it is read as: a number or a
 * boolean where one is allowed and the text is exactly its JSON form, else text. What would not be read back as it was is refused.
 */
import type { JsonType } from './json-schema.ts'
import { elementsOf, typesOf } from './json-schema.ts'
import type { JsonSchema } from './schema.ts'

export interface UrlField {
  /** The value that these texts stand for; the texts themselves when they fit no value, for validation to refuse. */
  read(texts: readonly string[]): unknown
  /** The texts that `read` gives `value` for; undefined when there are none. */
  write(value: unknown): readonly string[] | undefined
}

const SCALARS: readonly JsonType[] = ['string', 'number', 'boolean']

/** Why a schema cannot be carried at the place in a URL; undefined when it can. */
export function obstacle(schema: JsonSchema, root: JsonSchema, place: 'path' | 'query'): string | undefined {
  const types = typesOf(schema, root)
  if (types === undefined) return undefined
  if (types.has('object')) return `is an object, which a ${place} cannot carry`
  if (types.has('null')) return `may be null, which a ${place} cannot carry: make it optional instead of nullable`
  if (!types.has('array')) return undefined
  if (place === 'path') return 'is a list, which a path cannot carry'
  if (types.size > 1) return 'may be a list or a single value, which a query cannot tell apart: make it always a list'
  const inElements = elementsOf(schema, root).flatMap((element) => [...(typesOf(element, root) ?? [])])
  return inElements.some((type) => !SCALARS.includes(type))
    ? 'is a list of more than text, numbers and booleans, which a query cannot carry'
    : undefined
}

/** Makes the reader and writer of a field. */
export function urlField(schema: JsonSchema, root: JsonSchema): UrlField {
  const types = typesOf(schema, root)
  if (types?.has('array') === true) return listField(schema, root)
  const { read, write } = scalar(types)
  return {
    read: (texts) => (texts.length === 1 ? read(texts[0]!) : texts),
    write(value) {
      const text = write(value)
      return text === undefined ? undefined : [text]
    },
  }
}

/** `a=1&a=2` is a list of two; an empty list is one empty text, `a=`, so that it differs from no list at all. */
function listField(schema: JsonSchema, root: JsonSchema): UrlField {
  const scalars = elementsOf(schema, root).map((element) => scalar(typesOf(element, root)))
  const scalarAt = (index: number): Scalar => scalars[Math.min(index, scalars.length - 1)] ?? TEXT
  return {
    read: (texts) => (texts.length === 1 && texts[0] === '' ? [] : texts.map((text, index) => scalarAt(index).read(text))),
    write(value) {
      if (!Array.isArray(value)) return undefined
      if (value.length === 0) return ['']
      const texts = value.flatMap((element: unknown, index) => scalarAt(index).write(element) ?? [])
      return texts.length < value.length || (texts.length === 1 && texts[0] === '') ? undefined : texts
    },
  }
}

/** One value as one text. `write` gives only what `read` takes for the same value. */
interface Scalar {
  readonly read: (text: string) => string | number | boolean
  readonly write: (value: unknown) => string | undefined
}

/** A lone surrogate has no UTF-8 form: it would arrive as another character. */
const TEXT: Scalar = { read: (text) => text, write: (value) => (typeof value === 'string' && value.isWellFormed() ? value : undefined) }

function scalar(types: ReadonlySet<JsonType> | undefined): Scalar {
  const numbers = types?.has('number') === true
  const booleans = types?.has('boolean') === true
  if (!numbers && !booleans) return TEXT
  const read = (text: string): string | number | boolean => {
    if (numbers && /^-?\d/.test(text) && String(Number(text)) === text) return Number(text)
    if (booleans && (text === 'true' || text === 'false')) return text === 'true'
    return text
  }
  return {
    read,
    write(value) {
      if (typeof value === 'number') return numbers ? String(value) : undefined
      if (typeof value === 'boolean') return booleans ? String(value) : undefined
      return typeof value === 'string' && read(value) === value ? TEXT.write(value) : undefined
    },
  }
}
