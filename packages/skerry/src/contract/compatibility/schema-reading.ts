/** How the comparison of schemas reads JSON Schema 2020-12: as conditions that all hold at once, and lists of alternatives of which one does. */
import { sameJson } from '../../base/json.ts'
import { branches, dereference } from '../json-schema.ts'
import type { JsonSchema } from '../schema.ts'

export type JsonType = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object'

/** Conditions that hold together, and for each union the alternatives of which at least one holds. */
export interface Conditions {
  readonly facts: readonly JsonSchema[]
  readonly unions: readonly (readonly JsonSchema[])[]
}

const ALL_TYPES: readonly JsonType[] = ['string', 'number', 'boolean', 'null', 'array', 'object']

const COMPARED = [
  'type',
  'const',
  'enum',
  '$ref',
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'minItems',
  'maxItems',
  'uniqueItems',
  'items',
  'prefixItems',
  'properties',
  'required',
  'additionalProperties',
  'propertyNames',
  'minProperties',
  'maxProperties',
]
/** Conditions too, of which nothing is shown but that they are the same. */
const NOT_COMPARED = new Set([
  '$dynamicRef',
  'if',
  'then',
  'else',
  'additionalItems',
  'unevaluatedItems',
  'contains',
  'minContains',
  'maxContains',
  'patternProperties',
  'unevaluatedProperties',
  'dependentRequired',
  'dependentSchemas',
  'dependencies',
])
/** What says which values are valid. All other keywords, those of nobody's vocabulary too, are for people. */
const CONDITIONS = new Set([...COMPARED, ...NOT_COMPARED])

/** A place in a schema may hold `true` or `false` too. */
export function asSchema(value: unknown): JsonSchema {
  if (value === true || value === undefined) return {}
  if (value === false) return NEVER
  return value as JsonSchema
}

export const NEVER: JsonSchema = { not: {} }

/** The keywords of a schema that values are held against. */
export function conditionsIn(schema: JsonSchema): readonly string[] {
  return Object.keys(schema).filter((keyword) => CONDITIONS.has(keyword))
}

/** Those of which only that they are the same can be shown. */
export function intricateConditionsIn(schema: JsonSchema): readonly string[] {
  return Object.keys(schema).filter((keyword) => NOT_COMPARED.has(keyword))
}

export function isEverything(schema: JsonSchema): boolean {
  return conditionsIn(schema).length === 0
}

export function isNever(schema: JsonSchema): boolean {
  return schema['not'] !== undefined && isEverything(asSchema(schema['not']))
}

/** Follows references and `allOf`, and sets unions apart. */
export function conditionsOf(schemas: readonly JsonSchema[], root: JsonSchema): Conditions {
  const facts: JsonSchema[] = []
  const unions: (readonly JsonSchema[])[] = []
  const seen = new Set<JsonSchema>()
  const visit = (schema: JsonSchema): void => {
    if (seen.has(schema)) return
    seen.add(schema)
    if (typeof schema['$ref'] === 'string') visit(dereference(schema['$ref'], root))
    for (const part of branches(schema, 'allOf')) visit(asSchema(part))
    for (const keyword of ['anyOf', 'oneOf'] as const)
      if (schema[keyword] !== undefined) unions.push(branches(schema, keyword).map(asSchema))
    facts.push(schema)
  }
  for (const schema of schemas) visit(schema)
  return { facts, unions }
}

/** The types of the values that all facts allow; a number that must be whole is an `integer`. */
export function typesOfFacts(facts: readonly JsonSchema[]): readonly JsonType[] {
  let types = ALL_TYPES
  for (const { type } of facts) {
    if (type === undefined) continue
    const allowed = (Array.isArray(type) ? type : [type]) as readonly JsonType[]
    types = types.flatMap((one): JsonType[] => {
      if (allowed.includes(one)) return [one]
      if (one === 'number' && allowed.includes('integer')) return ['integer']
      return one === 'integer' && allowed.includes('number') ? ['integer'] : []
    })
  }
  const whole = facts.some(({ multipleOf }) => typeof multipleOf === 'number' && Number.isInteger(multipleOf))
  return whole ? types.map((type) => (type === 'number' ? 'integer' : type)) : types
}

/** The values, where the facts allow only certain ones; undefined where they do not name them. */
export function namedValues(facts: readonly JsonSchema[]): readonly unknown[] | undefined {
  let values: readonly unknown[] | undefined
  for (const fact of facts) {
    const named = Object.hasOwn(fact, 'const') ? [fact['const']] : (fact['enum'] as readonly unknown[] | undefined)
    if (named !== undefined) values = (values ?? named).filter((value) => named.some((other) => sameJson(value, other)))
  }
  if (values !== undefined) return values
  const types = typesOfFacts(facts)
  if (types.some((type) => type !== 'boolean' && type !== 'null')) return undefined
  return types.flatMap((type): unknown[] => (type === 'null' ? [null] : [false, true]))
}

export interface Bound {
  readonly at: number
  readonly exclusive: boolean
}

/** The least that numbers may be. Whole numbers have no exclusive bound that would not be the next one. */
export function lowerBound(facts: readonly JsonSchema[]): Bound | undefined {
  const bound = tightest(facts, 'minimum', 'exclusiveMinimum', 1)
  if (bound === undefined || !areWhole(facts)) return bound
  return { at: bound.exclusive ? Math.floor(bound.at) + 1 : Math.ceil(bound.at), exclusive: false }
}

/** The most that numbers may be. */
export function upperBound(facts: readonly JsonSchema[]): Bound | undefined {
  const bound = tightest(facts, 'maximum', 'exclusiveMaximum', -1)
  if (bound === undefined || !areWhole(facts)) return bound
  return { at: bound.exclusive ? Math.ceil(bound.at) - 1 : Math.floor(bound.at), exclusive: false }
}

function areWhole(facts: readonly JsonSchema[]): boolean {
  return !typesOfFacts(facts).includes('number')
}

function tightest(facts: readonly JsonSchema[], inclusive: string, exclusive: string, direction: 1 | -1): Bound | undefined {
  const bounds = facts.flatMap((fact): Bound[] => [
    ...(typeof fact[inclusive] === 'number' ? [{ at: fact[inclusive], exclusive: false }] : []),
    ...(typeof fact[exclusive] === 'number' ? [{ at: fact[exclusive], exclusive: true }] : []),
  ])
  return bounds.toSorted((one, other) => direction * (other.at - one.at) || Number(other.exclusive) - Number(one.exclusive))[0]
}

/** The highest of what facts say under a keyword such as `minLength`. */
export function highest(facts: readonly JsonSchema[], keyword: string): number | undefined {
  const values = facts.map((fact) => fact[keyword]).filter((value) => typeof value === 'number')
  return values.length === 0 ? undefined : Math.max(...values)
}

/** The lowest of what facts say under a keyword such as `maxLength`. */
export function lowest(facts: readonly JsonSchema[], keyword: string): number | undefined {
  const values = facts.map((fact) => fact[keyword]).filter((value) => typeof value === 'number')
  return values.length === 0 ? undefined : Math.min(...values)
}

/** Whether a number is a multiple of another, as people count: 0.3 is one of 0.1. */
export function isMultiple(value: number, step: number): boolean {
  const times = value / step
  return Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times))
}

export function requiredOf(facts: readonly JsonSchema[]): ReadonlySet<string> {
  return new Set(facts.flatMap((fact) => (fact['required'] as readonly string[] | undefined) ?? []))
}

export function propertiesOf(schema: JsonSchema): Readonly<Record<string, unknown>> {
  return (schema['properties'] as Readonly<Record<string, unknown>> | undefined) ?? {}
}

/** The names that any fact knows. */
export function namesOf(facts: readonly JsonSchema[]): ReadonlySet<string> {
  return new Set([...facts.flatMap((fact) => Object.keys(propertiesOf(fact))), ...requiredOf(facts)])
}

/**
 * What a field of that name must be, as far as it is sent: undefined when it is not. Who sends by a schema that does not name a field, and
 * does not say what others are, does not send it.
 */
export function fieldOf(facts: readonly JsonSchema[], name: string): readonly JsonSchema[] | undefined {
  const schemas: JsonSchema[] = []
  for (const fact of facts) {
    const properties = propertiesOf(fact)
    if (Object.hasOwn(properties, name)) schemas.push(asSchema(properties[name]))
    else if (fact['additionalProperties'] === false && fact['patternProperties'] === undefined) return undefined
    else if (fact['additionalProperties'] !== undefined) schemas.push(asSchema(fact['additionalProperties']))
    else if (fact['patternProperties'] !== undefined) schemas.push({})
  }
  if (schemas.some(isNever)) return undefined
  if (schemas.length === 0) return requiredOf(facts).has(name) ? [{}] : undefined
  return schemas
}

/** What fields without a schema of their own must be; undefined when there are none. */
export function otherFieldsOf(facts: readonly JsonSchema[]): readonly JsonSchema[] | undefined {
  const said = facts.filter((fact) => fact['additionalProperties'] !== undefined || fact['patternProperties'] !== undefined)
  const schemas = said.map((fact) => (fact['patternProperties'] === undefined ? asSchema(fact['additionalProperties']) : {}))
  return schemas.length === 0 || schemas.some(isNever) ? undefined : schemas
}

/** What the element at a place must be; at a place far behind, what all the others must be. */
export function elementOf(facts: readonly JsonSchema[], index: number): readonly JsonSchema[] {
  return facts.flatMap((fact) => {
    const first = (fact['prefixItems'] as readonly unknown[] | undefined) ?? []
    if (index < first.length) return [asSchema(first[index])]
    return fact['items'] === undefined ? [] : [asSchema(fact['items'])]
  })
}

export function prefixLength(facts: readonly JsonSchema[]): number {
  return Math.max(0, ...facts.map((fact) => ((fact['prefixItems'] as readonly unknown[] | undefined) ?? []).length))
}
