/** The boundary to what PostgreSQL's jsonb gives back as it was: JSON without the two kinds of text that it refuses. */
import { MAX_JSON_DEPTH } from '../base/json.ts'

/** Says what of a value would not come back from the database as it is, or undefined. */
export function problemOfJson(value: unknown, path = '', depth = 1): string | undefined {
  switch (typeof value) {
    case 'string':
      return problemOfText(value, path)
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : `${at(path)} is ${value}, which JSON cannot hold`
    case 'object':
      return value === null ? undefined : problemOfObject(value, path, depth)
    default:
      return `${at(path)} is a ${typeof value}, which JSON cannot hold`
  }
}

function problemOfText(text: string, path: string): string | undefined {
  if (text.includes('\u0000')) return `${at(path)} holds the character U+0000, which PostgreSQL cannot store`
  return text.isWellFormed() ? undefined : `${at(path)} holds half of a surrogate pair, which is no text`
}

function problemOfObject(value: object, path: string, depth: number): string | undefined {
  if (depth > MAX_JSON_DEPTH) return `${at(path)} nests deeper than ${MAX_JSON_DEPTH}, or contains itself`
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null)
    return `${at(path)} is a ${value.constructor.name}, which JSON cannot hold`
  for (const [key, member] of Object.entries(value)) {
    const problem =
      problemOfText(key, `${path} (a key)`) ?? (member === undefined ? undefined : problemOfJson(member, `${path}.${key}`, depth + 1))
    if (problem !== undefined) return problem
  }
  return undefined
}

function at(path: string): string {
  return path === '' ? 'the value' : path.startsWith('.') ? path.slice(1) : path.trimStart()
}
