/**
 * The boundary to JSON text from outside, and the copy that values make when they cross between services in one
 * process. `parseJson` is stricter than `JSON.parse`; `copyJson` gives what stringify and parse would, faster.
 */
import { SkerryError } from './errors.ts'

/** How deep arrays and objects may nest in JSON from outside. */
export const MAX_JSON_DEPTH = 64

/**
 * Parses JSON from an untrusted sender. Refuses, with `malformedJson`: text that is not JSON, duplicate keys (RFC 8259
 * leaves their meaning open, so two readers may see different values), nesting deeper than `MAX_JSON_DEPTH`, and the keys through
 * which a careless copy would change a prototype.
 */
export function parseJson(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new SkerryError('malformedJson', error instanceof Error ? error.message : 'The text is not JSON')
  }
  const keys = countKeys(value, 1)
  if (keys !== countColons(text)) throw new SkerryError('malformedJson', 'An object has the same key twice')
  return value
}

function countKeys(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth > MAX_JSON_DEPTH) throw new SkerryError('malformedJson', `Arrays and objects may nest at most ${MAX_JSON_DEPTH} deep`)
  let count = 0
  if (Array.isArray(value)) {
    for (const element of value) count += countKeys(element, depth + 1)
    return count
  }
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key]
    if (key === '__proto__' || (key === 'constructor' && typeof member === 'object' && member !== null && Object.hasOwn(member, 'prototype')))
      throw new SkerryError('malformedJson', `The key "${key}" is not allowed`)
    count += 1 + countKeys(member, depth + 1)
  }
  return count
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a

/** In valid JSON every key is followed by exactly one colon outside strings, so a surplus of colons means a repeated key. */
function countColons(text: string): number {
  let count = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (inString) {
      if (code === BACKSLASH) index++
      else if (code === QUOTE) inString = false
    } else if (code === QUOTE) inString = true
    else if (code === COLON) count++
  }
  return count
}

/** What `JSON.parse(JSON.stringify(value))` gives, without the text: nothing is shared, and only what JSON can say crosses. */
export function copyJson(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? (Object.is(value, -0) ? 0 : value) : null
    case 'object':
      return copyObject(value)
    case 'bigint':
      throw new TypeError('A bigint cannot be written as JSON: send a number or a string')
    default:
      return undefined
  }
}

function copyObject(value: object | null): unknown {
  if (value === null) return null
  if (Array.isArray(value)) return value.map((element) => copyJson(element) ?? null)
  if ('toJSON' in value && typeof value.toJSON === 'function') return copyJson(value.toJSON())
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return copyJson(value.valueOf())
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const member = copyJson((value as Record<string, unknown>)[key])
    if (member === undefined) continue
    if (key === '__proto__') Object.defineProperty(copy, key, { value: member, enumerable: true, configurable: true, writable: true })
    else copy[key] = member
  }
  return copy
}
