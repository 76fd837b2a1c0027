/**
 * Fields that a contract marks as personal or secret: `email: z.email().meta(personal)`. The mark is a keyword of the JSON Schema, so any schema
 * library can set it, and whoever reads the contract sees it. What is marked stays out of logs, traces and metrics.
 */
import { branches, dereference } from './json-schema.ts'
import type { JsonSchema, Schema } from './schema.ts'
import { jsonSchema } from './schema.ts'

const PERSONAL = 'x-personal-data'
const SECRET = 'x-secret'

/** Says something about a person. For a schema's metadata: `z.email().meta(personal)`. */
export const personal = Object.freeze({ [PERSONAL]: true } as const)

/** Nobody is to read it: a password, a token. For a schema's metadata: `z.string().meta(secret)`. */
export const secret = Object.freeze({ [SECRET]: true } as const)

/** Gives every marked text of a value, whatever else is wrong with the value. */
export type SensitiveTexts = (value: unknown, found: (text: string) => void) => void

const compiled = { input: new WeakMap<Schema, SensitiveTexts | null>(), output: new WeakMap<Schema, SensitiveTexts | null>() }

/** Undefined when nothing of it is marked, as in most schemas. */
export function sensitiveTexts(schema: Schema, side: 'input' | 'output'): SensitiveTexts | undefined {
  let texts = compiled[side].get(schema)
  if (texts === undefined) {
    const root = jsonSchema(schema, side)
    const named = sensitiveNames(root)
    texts = named.size === 0 && !isMarked(root) ? null : (value, found) => new Search(root, found).visit(root, value)
    compiled[side].set(schema, texts)
  }
  return texts ?? undefined
}

/** The names of all fields of a schema that are marked. */
export function sensitiveNames(root: JsonSchema): ReadonlySet<string> {
  const names = new Set<string>()
  const seen = new Set<unknown>()
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return
    seen.add(value)
    if (Array.isArray(value)) return value.forEach(look)
    const { properties } = value as { readonly properties?: unknown }
    if (typeof properties === 'object' && properties !== null)
      for (const [name, field] of Object.entries(properties)) if (isMarkedWithin(field as JsonSchema, root)) names.add(name)
    Object.values(value).forEach(look)
  }
  look(root)
  return names
}

function isMarked(schema: JsonSchema): boolean {
  return schema[PERSONAL] !== undefined || schema[SECRET] !== undefined
}

/** It, or what it refers to, or one of its alternatives. */
function isMarkedWithin(schema: JsonSchema, root: JsonSchema, depth = 0): boolean {
  if (typeof schema !== 'object' || schema === null || depth > MAX_HOPS) return false
  return isMarked(schema) || alternatives(schema, root).some((branch) => isMarkedWithin(branch, root, depth + 1))
}

/** What else holds of the same value. */
function alternatives(schema: JsonSchema, root: JsonSchema): readonly JsonSchema[] {
  const { $ref: reference } = schema as { readonly $ref?: string }
  const parts = [...branches(schema, 'allOf'), ...branches(schema, 'anyOf'), ...branches(schema, 'oneOf')]
  return reference === undefined ? parts : [dereference(reference, root), ...parts]
}

/** Values of strangers may be deep. */
const MAX_DEPTH = 64
/** Schemas may refer to themselves. */
const MAX_HOPS = 32

/** One look through one value. */
class Search {
  readonly #root: JsonSchema
  readonly #found: (text: string) => void
  /** Alternatives that meet again further down would otherwise be gone through as often as there are ways to them. */
  readonly #seen = new WeakMap<object, Set<JsonSchema>>()

  constructor(root: JsonSchema, found: (text: string) => void) {
    this.#root = root
    this.#found = found
  }

  /** `hops`: from one schema to the next without going on in the value. */
  visit(schema: JsonSchema, value: unknown, depth = 0, hops = 0): void {
    if (typeof schema !== 'object' || schema === null || value === null || value === undefined || hops > MAX_HOPS) return
    if (typeof value === 'object' && !this.#isNew(value, schema)) return
    // What is so deep is not looked into any further, and kept back as a whole.
    if (isMarked(schema) || depth > MAX_DEPTH) return everyText(value, this.#found, depth)
    for (const part of alternatives(schema, this.#root)) this.visit(part, value, depth, hops + 1)
    if (Array.isArray(value)) this.#elements(schema, value, depth)
    else if (typeof value === 'object') this.#members(schema, value, depth)
  }

  #isNew(value: object, schema: JsonSchema): boolean {
    const schemas = this.#seen.get(value)
    if (schemas === undefined) this.#seen.set(value, new Set([schema]))
    else if (schemas.has(schema)) return false
    else schemas.add(schema)
    return true
  }

  #elements(schema: JsonSchema, values: readonly unknown[], depth: number): void {
    const { items, prefixItems } = schema as { readonly items?: JsonSchema; readonly prefixItems?: readonly JsonSchema[] }
    for (const [index, element] of values.entries()) {
      const of = prefixItems?.[index] ?? items
      if (of !== undefined) this.visit(of, element, depth + 1)
    }
  }

  #members(schema: JsonSchema, value: object, depth: number): void {
    const { properties, additionalProperties } = schema as {
      readonly properties?: Readonly<Record<string, JsonSchema>>
      readonly additionalProperties?: JsonSchema
    }
    for (const [name, member] of Object.entries(value)) {
      const of = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : additionalProperties
      if (of !== undefined) this.visit(of, member, depth + 1)
    }
  }
}

function everyText(value: unknown, found: (text: string) => void, depth: number): void {
  if (typeof value === 'string') found(value)
  else if (typeof value === 'number') found(String(value))
  else if (typeof value === 'object' && value !== null && depth <= 2 * MAX_DEPTH)
    for (const member of Object.values(value)) everyText(member, found, depth + 1)
}
