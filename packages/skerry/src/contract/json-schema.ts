/**
 * Reads JSON Schema 2020-12 as far as a URL needs it: which types of value a schema allows, and which fields an object
 * has, seen through references, unions and intersections. Every function takes the document's root, which references start from.
 */
import type { JsonSchema } from './schema.ts'

/** The types of JSON values; whole numbers count as numbers. */
export type JsonType = 'string' | 'number' | 'boolean' | 'null' | 'array' | 'object'

export interface Field {
  readonly schema: JsonSchema
  /** Every valid object has it. */
  readonly required: boolean
}

export interface ObjectFields {
  readonly fields: ReadonlyMap<string, Field>
  /** What other fields must be, false when there may be none; undefined when the schema does not say, and they are dropped or ignored. */
  readonly additional: JsonSchema | false | undefined
}

/** The types that a schema allows; undefined when it does not say. */
export function typesOf(schema: JsonSchema, root: JsonSchema): ReadonlySet<JsonType> | undefined {
  return types(schema, root, [])
}

/** The fields of a schema that allows objects and nothing else; undefined for any other. */
export function objectFields(schema: JsonSchema, root: JsonSchema): ObjectFields | undefined {
  const allowed = typesOf(schema, root)
  return allowed?.size === 1 && allowed.has('object') ? fields(schema, root, []) : undefined
}

/** The schemas of a list's elements: of the first ones each its own, of all others the last. Empty when the schema does not say. */
export function elementsOf(schema: JsonSchema, root: JsonSchema): readonly JsonSchema[] {
  return elements(schema, root, [])
}

/** The schema that a `$ref` within the document points to. Throws for what is not in the document. */
export function dereference(reference: string, root: JsonSchema): JsonSchema {
  let found: unknown = root
  for (const segment of reference.split('/').slice(1)) {
    const key = segment.replaceAll('~1', '/').replaceAll('~0', '~')
    found = typeof found === 'object' && found !== null && Object.hasOwn(found, key) ? (found as JsonSchema)[key] : undefined
  }
  if (!/^#(\/|$)/.test(reference) || typeof found !== 'object' || found === null)
    throw new Error(`its JSON Schema refers to ${reference}, which is not in it`)
  return found as JsonSchema
}

/** The schemas under a keyword such as `anyOf`. */
export function branches(schema: JsonSchema, keyword: 'allOf' | 'anyOf' | 'oneOf'): readonly JsonSchema[] {
  return (schema[keyword] as readonly JsonSchema[] | undefined) ?? []
}

const SCHEMA_KEYWORDS = new Set([
  'items',
  'additionalProperties',
  'not',
  'if',
  'then',
  'else',
  'contains',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
  'contentSchema',
])
const LIST_KEYWORDS = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems'])
const MAP_KEYWORDS = new Set(['$defs', 'properties', 'patternProperties', 'dependentSchemas'])

/**
 * Copies a schema with `change` applied to it and to every schema inside, the inner ones first. Only keywords that hold
 * schemas are looked into: a field, a constant or an example may look like anything.
 */
export function mapSchema(schema: JsonSchema, change: (schema: JsonSchema) => JsonSchema): JsonSchema {
  const each = (value: unknown): unknown => (typeof value === 'object' && value !== null ? mapSchema(value as JsonSchema, change) : value)
  const inside = (keyword: string, value: unknown): unknown => {
    if (SCHEMA_KEYWORDS.has(keyword)) return each(value)
    if (LIST_KEYWORDS.has(keyword)) return (value as readonly unknown[]).map(each)
    if (MAP_KEYWORDS.has(keyword)) return Object.fromEntries(Object.entries(value as object).map(([name, member]) => [name, each(member)]))
    return value
  }
  return change(Object.fromEntries(Object.entries(schema).map(([keyword, value]) => [keyword, inside(keyword, value)])))
}

/** The schema of an object that travels without some of its fields, because they are elsewhere. */
export function withoutFields(schema: JsonSchema, root: JsonSchema, names: readonly string[]): JsonSchema {
  const { $ref: reference, $defs: _definitions, ...own } = schema as JsonSchema & { $ref?: string }
  const whole: JsonSchema = reference === undefined ? own : { ...withoutFields(dereference(reference, root), root, names), ...own }
  const { properties, required = [], ...rest } = whole as JsonSchema & { properties?: object; required?: readonly string[] }
  const inside = (['allOf', 'anyOf', 'oneOf'] as const).filter((keyword) => rest[keyword] !== undefined)
  const stillRequired = required.filter((name) => !names.includes(name))
  return {
    ...rest,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).filter(([name]) => !names.includes(name))) }),
    ...(stillRequired.length === 0 ? {} : { required: stillRequired }),
    ...Object.fromEntries(inside.map((keyword) => [keyword, branches(rest, keyword).map((branch) => withoutFields(branch, root, names))])),
  }
}

/** Whether an object without any field is valid, as far as required fields go. */
export function acceptsEmpty(schema: JsonSchema, root: JsonSchema): boolean {
  const { $ref: reference, required = [] } = schema as { $ref?: string; required?: readonly string[] }
  const within = (branch: JsonSchema): boolean => acceptsEmpty(branch, root)
  return (
    required.length === 0 &&
    (reference === undefined || within(dereference(reference, root))) &&
    branches(schema, 'allOf').every(within) &&
    (['anyOf', 'oneOf'] as const).every((keyword) => schema[keyword] === undefined || branches(schema, keyword).some(within))
  )
}

function types(schema: JsonSchema, root: JsonSchema, seen: readonly JsonSchema[]): ReadonlySet<JsonType> | undefined {
  // A schema that refers to itself says nothing more the second time.
  if (seen.includes(schema)) return undefined
  const within = (inner: JsonSchema): ReadonlySet<JsonType> | undefined => types(inner, root, [...seen, schema])
  const { type, enum: values, $ref: reference } = schema as { type?: string | readonly string[]; enum?: readonly unknown[]; $ref?: string }
  const said: (ReadonlySet<JsonType> | undefined)[] = branches(schema, 'allOf').map(within)
  if (type !== undefined) said.push(new Set([type].flat().map(asJsonType)))
  if (values !== undefined) said.push(new Set(values.map(typeOfValue)))
  if ('const' in schema) said.push(new Set([typeOfValue(schema['const'])]))
  if (reference !== undefined) said.push(within(dereference(reference, root)))
  for (const keyword of ['anyOf', 'oneOf'] as const)
    if (schema[keyword] !== undefined) said.push(union(branches(schema, keyword).map(within)))
  return intersection(said.filter((set) => set !== undefined))
}

function intersection([first, ...others]: readonly ReadonlySet<JsonType>[]): ReadonlySet<JsonType> | undefined {
  return first === undefined ? undefined : new Set([...first].filter((type) => others.every((other) => other.has(type))))
}

function union(sets: readonly (ReadonlySet<JsonType> | undefined)[]): ReadonlySet<JsonType> | undefined {
  const all = new Set<JsonType>()
  for (const set of sets) {
    if (set === undefined) return undefined
    for (const type of set) all.add(type)
  }
  return all
}

function asJsonType(type: string): JsonType {
  return (type === 'integer' ? 'number' : type) as JsonType
}

function typeOfValue(value: unknown): JsonType {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : (typeof value as JsonType)
}

function elements(schema: JsonSchema, root: JsonSchema, seen: readonly JsonSchema[]): readonly JsonSchema[] {
  if (seen.includes(schema)) return []
  const {
    prefixItems = [],
    items,
    $ref: reference,
  } = schema as { prefixItems?: readonly JsonSchema[]; items?: JsonSchema | boolean; $ref?: string }
  const parts = (['allOf', 'anyOf', 'oneOf'] as const).flatMap((keyword) => branches(schema, keyword))
  if (reference !== undefined) parts.push(dereference(reference, root))
  const said = [
    typeof items === 'object' ? [...prefixItems, items] : prefixItems,
    ...parts.map((part) => elements(part, root, [...seen, schema])),
  ]
  const different = said.filter((list) => list.length > 0)
  return different.length > 1 ? [{ anyOf: different.flat() }] : (different[0] ?? [])
}

function fields(schema: JsonSchema, root: JsonSchema, seen: readonly JsonSchema[]): ObjectFields {
  if (seen.includes(schema)) return { fields: new Map(), additional: undefined }
  const within = (inner: JsonSchema): ObjectFields => fields(inner, root, [...seen, schema])
  const { $ref: reference } = schema as { $ref?: string }
  const parts = [ownFields(schema), ...branches(schema, 'allOf').map(within)]
  if (reference !== undefined) parts.push(within(dereference(reference, root)))
  for (const keyword of ['anyOf', 'oneOf'] as const)
    if (schema[keyword] !== undefined) parts.push(eitherOf(branches(schema, keyword).map(within)))
  return parts.length === 1 ? parts[0]! : allOf(parts)
}

function ownFields(schema: JsonSchema): ObjectFields {
  const {
    properties = {},
    required = [],
    additionalProperties,
  } = schema as {
    properties?: Readonly<Record<string, JsonSchema>>
    required?: readonly string[]
    additionalProperties?: JsonSchema | boolean
  }
  return {
    fields: new Map(Object.entries(properties).map(([name, field]) => [name, { schema: field, required: required.includes(name) }])),
    additional: additionalProperties === true ? {} : additionalProperties,
  }
}

/** What holds of an object that all parts describe. */
function allOf(parts: readonly ObjectFields[]): ObjectFields {
  return {
    fields: collect(parts, (found) => ({ schema: oneSchema('allOf', found), required: found.some((field) => field.required) })),
    additional: parts.map((part) => part.additional).find((additional) => additional !== undefined),
  }
}

/** What holds of an object that one of the parts describes. */
function eitherOf(parts: readonly ObjectFields[]): ObjectFields {
  const additional = parts.map((part) => part.additional)
  return {
    fields: collect(parts, (found) => ({
      schema: oneSchema('anyOf', found),
      required: found.length === parts.length && found.every((field) => field.required),
    })),
    additional: additional.every((one) => one === false) ? false : additional.some((one) => typeof one === 'object') ? {} : undefined,
  }
}

function collect(parts: readonly ObjectFields[], merge: (found: readonly Field[]) => Field): ReadonlyMap<string, Field> {
  const names = new Set(parts.flatMap((part) => [...part.fields.keys()]))
  return new Map([...names].map((name) => [name, merge(parts.flatMap((part) => part.fields.get(name) ?? []))]))
}

function oneSchema(keyword: 'allOf' | 'anyOf', found: readonly Field[]): JsonSchema {
  const different = new Map(found.map(({ schema }) => [JSON.stringify(schema), schema]))
  return different.size === 1 ? found[0]!.schema : { [keyword]: [...different.values()] }
}
