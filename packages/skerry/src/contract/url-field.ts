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
  const read = scalarReader(types)
  return {
    read: (texts) => (texts.length === 1 ? read(texts[0]!) : texts),
    write(value) {
      const text = writeScalar(value, read)
      return text === undefined ? undefined : [text]
    },
  }
}

/** `a=1&a=2` is a list of two; an empty list is one empty text, `a=`, so that it differs from no list at all. */
function listField(schema: JsonSchema, root: JsonSchema): UrlField {
  const readers = elementsOf(schema, root).map((element) => scalarReader(typesOf(element, root)))
  const readerAt = (index: number): ReadScalar => readers[Math.min(index, readers.length - 1)] ?? asText
  return {
    read: (texts) => (texts.length === 1 && texts[0] === '' ? [] : texts.map((text, index) => readerAt(index)(text))),
    write(value) {
      if (!Array.isArray(value)) return undefined
      if (value.length === 0) return ['']
      const texts = value.flatMap((element: unknown, index) => writeScalar(element, readerAt(index)) ?? [])
      return texts.length < value.length || (texts.length === 1 && texts[0] === '') ? undefined : texts
    },
  }
}

type ReadScalar = (text: string) => string | number | boolean

const asText: ReadScalar = (text) => text

function scalarReader(types: ReadonlySet<JsonType> | undefined): ReadScalar {
  const numbers = types?.has('number') === true
  const booleans = types?.has('boolean') === true
  if (!numbers && !booleans) return asText
  return (text) => {
    if (numbers && /^-?\d/.test(text) && String(Number(text)) === text) return Number(text)
    if (booleans && (text === 'true' || text === 'false')) return text === 'true'
    return text
  }
}

function writeScalar(value: unknown, read: ReadScalar): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return undefined
  const text = String(value)
  // A lone surrogate has no UTF-8 form: it would arrive as another character.
  return read(text) === value && text.isWellFormed() ? text : undefined
}
