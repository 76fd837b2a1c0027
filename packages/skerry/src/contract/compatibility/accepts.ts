/** Whether a schema allows one certain value, as far as our contracts' schemas go. For named values: enums, constants, names of fields. */
import { sameJson } from '../../base/json.ts'
import { branches, dereference } from '../json-schema.ts'
import type { JsonSchema } from '../schema.ts'
import { asSchema, propertiesOf } from './schema-reading.ts'

/** Undefined when the schema has a condition that is not understood. `format` is not looked at: a pattern beside it is. */
export function accepts(value: unknown, schema: JsonSchema, root: JsonSchema): boolean | undefined {
  let verdict: boolean | undefined = true
  for (const [keyword, condition] of Object.entries(schema)) {
    const check = CHECKS[keyword]
    const outcome = check === undefined ? (UNDERSTOOD.has(keyword) ? true : undefined) : check(value, condition as never, root, schema)
    if (outcome === false) return false
    if (outcome === undefined) verdict = undefined
  }
  return verdict
}

type Check = (value: unknown, condition: never, root: JsonSchema, schema: JsonSchema) => boolean | undefined

/** Said of values by other keywords, or of none. */
const UNDERSTOOD = new Set(['$defs', 'title', 'description', 'examples', 'default', 'deprecated', 'readOnly', 'writeOnly', '$comment'])

const CHECKS: Readonly<Record<string, Check>> = {
  type: (value, types: string | readonly string[]) =>
    (Array.isArray(types) ? types : [types]).some((type) => hasType(value, type as string)),
  const: (value, constant) => sameJson(value, constant),
  enum: (value, values: readonly unknown[]) => values.some((one) => sameJson(one, value)),
  $ref: (value, reference: string, root) => accepts(value, dereference(reference, root), root),
  allOf: (value, _, root, schema) => all(branches(schema, 'allOf').map((branch) => accepts(value, asSchema(branch), root))),
  anyOf: (value, _, root, schema) => some(branches(schema, 'anyOf').map((branch) => accepts(value, asSchema(branch), root))),
  oneOf(value, _, root, schema) {
    const outcomes = branches(schema, 'oneOf').map((branch) => accepts(value, asSchema(branch), root))
    return outcomes.includes(undefined) ? undefined : outcomes.filter(Boolean).length === 1
  },
  not(value, schema: unknown, root) {
    const outcome = accepts(value, asSchema(schema), root)
    return outcome === undefined ? undefined : !outcome
  },
  minimum: (value, least: number) => typeof value !== 'number' || value >= least,
  maximum: (value, most: number) => typeof value !== 'number' || value <= most,
  exclusiveMinimum: (value, least: number) => typeof value !== 'number' || value > least,
  exclusiveMaximum: (value, most: number) => typeof value !== 'number' || value < most,
  multipleOf: (value, step: number) => typeof value !== 'number' || Number.isInteger(value / step),
  minLength: (value, least: number) => typeof value !== 'string' || Array.from(value).length >= least,
  maxLength: (value, most: number) => typeof value !== 'string' || Array.from(value).length <= most,
  pattern: (value, pattern: string) => typeof value !== 'string' || matches(value, pattern),
  format: (value) => (typeof value === 'string' ? undefined : true),
  minItems: (value, least: number) => !Array.isArray(value) || value.length >= least,
  maxItems: (value, most: number) => !Array.isArray(value) || value.length <= most,
  items(value, items: unknown, root, schema) {
    const after = ((schema['prefixItems'] as readonly unknown[] | undefined) ?? []).length
    return !Array.isArray(value) || all(value.slice(after).map((element) => accepts(element, asSchema(items), root)))
  },
  prefixItems: (value, items: readonly unknown[], root) =>
    !Array.isArray(value) ||
    all(items.slice(0, value.length).map((item, index) => accepts((value as unknown[])[index], asSchema(item), root))),
  required: (value, names: readonly string[]) => !isObject(value) || names.every((name) => Object.hasOwn(value, name)),
  properties: (value, properties: Readonly<Record<string, unknown>>, root) =>
    !isObject(value) ||
    all(
      Object.entries(properties)
        .filter(([name]) => Object.hasOwn(value, name))
        .map(([name, property]) => accepts(value[name], asSchema(property), root)),
    ),
  additionalProperties(value, others: unknown, root, schema) {
    if (schema['patternProperties'] !== undefined) return undefined
    if (!isObject(value)) return true
    const named = propertiesOf(schema)
    return all(
      Object.entries(value)
        .filter(([name]) => !Object.hasOwn(named, name))
        .map(([, field]) => accepts(field, asSchema(others), root)),
    )
  },
  minProperties: (value, least: number) => !isObject(value) || Object.keys(value).length >= least,
  maxProperties: (value, most: number) => !isObject(value) || Object.keys(value).length <= most,
  propertyNames: (value, names: unknown, root) =>
    !isObject(value) || all(Object.keys(value).map((name) => accepts(name, asSchema(names), root))),
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
