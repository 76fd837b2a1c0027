/** Whether a schema allows one certain value, as far as our contracts' schemas go. For named values: enums, constants, names of fields. */
import { sameJson } from '../../base/json.ts'
import { branches, dereference } from '../json-schema.ts'
import type { JsonSchema } from '../schema.ts'
import { asSchema, conditionsIn, isMultiple, propertiesOf } from './schema-reading.ts'

/** A schema that refers to itself without end says nothing. */
const MAX_DEPTH = 200

/** Undefined when the schema has a condition that is not understood. `format` is not looked at: a pattern beside it is. */
export function accepts(value: unknown, schema: JsonSchema, root: JsonSchema, depth = 0): boolean | undefined {
  if (depth > MAX_DEPTH) return undefined
  const within: Within = (inner, other) => accepts(inner, asSchema(other), root, depth + 1)
  let verdict: boolean | undefined = true
  for (const keyword of conditionsIn(schema)) {
    const outcome = CHECKS[keyword]?.(value, schema[keyword] as never, within, schema, root)
    if (outcome === false) return false
    if (outcome === undefined) verdict = undefined
  }
  return verdict
}

type Within = (value: unknown, schema: unknown) => boolean | undefined
type Check = (value: unknown, condition: never, within: Within, schema: JsonSchema, root: JsonSchema) => boolean | undefined

const CHECKS: Readonly<Record<string, Check>> = {
  type: (value, types: string | readonly string[]) =>
    (Array.isArray(types) ? types : [types]).some((type) => hasType(value, type as string)),
  const: (value, constant) => sameJson(value, constant),
  enum: (value, values: readonly unknown[]) => values.some((one) => sameJson(one, value)),
  $ref: (value, reference: string, within, _, root) => within(value, dereference(reference, root)),
  allOf: (value, _, within, schema) => all(branches(schema, 'allOf').map((branch) => within(value, branch))),
  anyOf: (value, _, within, schema) => some(branches(schema, 'anyOf').map((branch) => within(value, branch))),
  oneOf(value, _, within, schema) {
    const outcomes = branches(schema, 'oneOf').map((branch) => within(value, branch))
    return outcomes.includes(undefined) ? undefined : outcomes.filter(Boolean).length === 1
  },
  not(value, schema: unknown, within) {
    const outcome = within(value, schema)
    return outcome === undefined ? undefined : !outcome
  },
  minimum: (value, least: number) => typeof value !== 'number' || value >= least,
  maximum: (value, most: number) => typeof value !== 'number' || value <= most,
  exclusiveMinimum: (value, least: number) => typeof value !== 'number' || value > least,
  exclusiveMaximum: (value, most: number) => typeof value !== 'number' || value < most,
  multipleOf: (value, step: number) => typeof value !== 'number' || isMultiple(value, step),
  minLength: (value, least: number) => typeof value !== 'string' || Array.from(value).length >= least,
  maxLength: (value, most: number) => typeof value !== 'string' || Array.from(value).length <= most,
  pattern: (value, pattern: string) => typeof value !== 'string' || matches(value, pattern),
  format: (value) => (typeof value === 'string' ? undefined : true),
  minItems: (value, least: number) => !Array.isArray(value) || value.length >= least,
  maxItems: (value, most: number) => !Array.isArray(value) || value.length <= most,
  items(value, items: unknown, within, schema) {
    const after = ((schema['prefixItems'] as readonly unknown[] | undefined) ?? []).length
    return !Array.isArray(value) || all(value.slice(after).map((element) => within(element, items)))
  },
  prefixItems: (value, items: readonly unknown[], within) =>
    !Array.isArray(value) || all(items.slice(0, value.length).map((item, index) => within((value as unknown[])[index], item))),
  required: (value, names: readonly string[]) => !isObject(value) || names.every((name) => Object.hasOwn(value, name)),
  properties: (value, properties: Readonly<Record<string, unknown>>, within) =>
    !isObject(value) ||
    all(
      Object.entries(properties)
        .filter(([name]) => Object.hasOwn(value, name))
        .map(([name, property]) => within(value[name], property)),
    ),
  additionalProperties(value, others: unknown, within, schema) {
    if (schema['patternProperties'] !== undefined) return undefined
    if (!isObject(value)) return true
    const named = propertiesOf(schema)
    return all(
      Object.entries(value)
        .filter(([name]) => !Object.hasOwn(named, name))
        .map(([, field]) => within(field, others)),
    )
  },
  minProperties: (value, least: number) => !isObject(value) || Object.keys(value).length >= least,
  maxProperties: (value, most: number) => !isObject(value) || Object.keys(value).length <= most,
  propertyNames: (value, names: unknown, within) => !isObject(value) || all(Object.keys(value).map((name) => within(name, names))),
}

function hasType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isObject(value)
  return type === 'integer' ? Number.isInteger(value) : typeof value === type
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function matches(value: string, pattern: string): boolean | undefined {
  try {
    return new RegExp(pattern, 'u').test(value)
  } catch {
    return undefined
  }
}

function all(outcomes: readonly (boolean | undefined)[]): boolean | undefined {
  return outcomes.includes(false) ? false : outcomes.includes(undefined) ? undefined : true
}

function some(outcomes: readonly (boolean | undefined)[]): boolean | undefined {
  return outcomes.includes(true) ? true : outcomes.includes(undefined) ? undefined : false
}
