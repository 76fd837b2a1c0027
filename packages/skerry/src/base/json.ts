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
  if (keys !== countColons(text)) throw new SkerryError('malformedJson', `An object has the key ${repeatedKey(text)} twice`)
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
    if (
      key === '__proto__' ||
      (key === 'constructor' && typeof member === 'object' && member !== null && Object.hasOwn(member, 'prototype'))
    )
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
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === COLON) count++
    else if (code === QUOTE) index = endOfString(text, index)
  }
  return count
}

/** Where the string ends that begins at `start`: at the first quote behind an even number of backslashes. */
function endOfString(text: string, start: number): number {
  for (let end = start; ;) {
    end = text.indexOf('"', end + 1)
    let escapes = end
    while (text.charCodeAt(escapes - 1) === BACKSLASH) escapes--
    if ((end - escapes) % 2 === 0) return end
  }
}

const LONGEST_QUOTED_KEY = 100

/** The first key that an object of this valid JSON text has a second time, quoted. */
function repeatedKey(text: string): string {
  const objects: Set<unknown>[] = []
  for (const [token, string, colon] of text.matchAll(/("[^"\\]*(?:\\.[^"\\]*)*")\s*(:)?|[{}]/g)) {
    const keys = objects.at(-1)
    if (token === '{') objects.push(new Set())
    else if (token === '}') objects.pop()
    else if (string !== undefined && colon !== undefined && keys !== undefined) {
      // Parsed, because "a" and "\u0061" are one key.
      const key: unknown = JSON.parse(string)
      if (keys.has(key)) return JSON.stringify(key).slice(0, LONGEST_QUOTED_KEY)
      keys.add(key)
    }
  }
  throw new Error('unreachable: parseJson found a surplus of colons')
}

/**
 * What `JSON.parse(JSON.stringify(value))` gives, without the text: nothing is shared, and only what JSON can say crosses.
 * Throws a `TypeError` for a bigint, as stringify does, and for what nests deeper than the `MAX_JSON_DEPTH` that a
 * receiver of the text would accept, which includes whatever contains itself.
 */
export function copyJson(value: unknown): unknown {
  return copyMember(value, '', 1)
}

function copyMember(value: unknown, key: string | number, depth: number): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      // Adding 0 turns -0, which JSON text loses, into 0.
      return Number.isFinite(value) ? value + 0 : null
    case 'object':
      if (value === null) return null
      break
    case 'bigint':
    case 'function':
      break
    default:
      return undefined
  }
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON !== 'function') return copyConverted(value, key, depth)
  // Asked once: what toJSON returns may have a toJSON again, such as itself.
  return copyConverted(toJSON.call(value, String(key)), key, depth)
}

function copyConverted(value: unknown, key: string | number, depth: number): unknown {
  if (typeof value === 'bigint')
    throw new TypeError(`${key === '' ? 'The value' : `"${key}"`} is a bigint, which JSON cannot carry: send a number or a string`)
  if (typeof value === 'function') return undefined
  if (typeof value !== 'object' || value === null) return copyMember(value, key, depth)
  if (depth > MAX_JSON_DEPTH)
    throw new TypeError(
      `At "${key}" arrays and objects nest deeper than ${MAX_JSON_DEPTH}, or one contains itself: send references instead`,
    )
  if (Array.isArray(value)) return copyArray(value, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    if (value instanceof Number) return copyMember(Number(value), key, depth)
    if (value instanceof String) return String(value)
    if (value instanceof Boolean || value instanceof BigInt) return copyConverted(value.valueOf(), key, depth)
  }
  return copyFields(value, depth)
}

function copyArray(array: readonly unknown[], depth: number): unknown[] {
  const copy: unknown[] = []
  for (let index = 0; index < array.length; index++) copy.push(copyMember(array[index], index, depth + 1) ?? null)
  return copy
}

function copyFields(value: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(value)) {
    const member = copyMember((value as Record<string, unknown>)[key], key, depth + 1)
    if (member === undefined) continue
    if (key === '__proto__') Object.defineProperty(copy, key, { value: member, enumerable: true, configurable: true, writable: true })
    else copy[key] = member
  }
  return copy
}

/** JSON with the fields of every object in the order of their names, so that equal values have equal text. With `indent`, for people too. */
export function canonicalJson(value: unknown, indent?: number): string {
  const ordered = (_: string, member: unknown): unknown =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : member
  return JSON.stringify(value, ordered, indent)
}

/** Whether two JSON values are equal, whatever the order of their fields. */
export function sameJson(one: unknown, other: unknown): boolean {
  return Object.is(one, other) || canonicalJson(one) === canonicalJson(other)
}
