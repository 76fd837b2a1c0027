/**
 * Schemas of the platform's own contracts, so that the core needs no schema library: text, whole numbers, booleans, lists and objects.
 * They are Standard Schemas like any other. Fields that an object does not name are dropped.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { JsonSchema, Schema } from './schema.ts'

type Issues = StandardSchemaV1.Issue[]
type Path = readonly (string | number)[]

/** A schema that says of itself what a field that has it needs to know. */
export interface PlainSchema<T> extends Schema<T, T> {
  readonly json: JsonSchema
  /** The value, as far as it is valid; what is wrong with it goes into `issues`. */
  readonly check: (value: unknown, path: Path, issues: Issues) => unknown
  readonly optional: boolean
}

export function text(
  options: { readonly maxLength?: number; readonly format?: 'uuid' | 'date-time'; readonly description?: string } = {},
): PlainSchema<string> {
  const { maxLength, format } = options
  return plain({ type: 'string', ...options }, (value, path, issues) => {
    if (typeof value !== 'string') return wrong(issues, path, 'expected text')
    if (maxLength !== undefined && value.length > maxLength) return wrong(issues, path, `expected at most ${maxLength} characters`)
    if (format === 'uuid' && !UUID.test(value)) return wrong(issues, path, 'expected a UUID')
    if (format === 'date-time' && Number.isNaN(Date.parse(value)))
      return wrong(issues, path, 'expected a time such as 2026-01-31T12:00:00.000Z')
    return value
  })
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function choice<const T extends string>(choices: readonly T[]): PlainSchema<T> {
  return plain({ type: 'string', enum: choices }, (value, path, issues) =>
    choices.some((candidate) => candidate === value) ? value : wrong(issues, path, `expected one of ${choices.join(', ')}`),
  )
}

export function whole(
  options: { readonly minimum?: number; readonly maximum?: number; readonly description?: string } = {},
): PlainSchema<number> {
  const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = options
  return plain({ type: 'integer', ...options }, (value, path, issues) =>
    Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum
      ? value
      : wrong(issues, path, `expected a whole number from ${minimum} to ${maximum}`),
  )
}

/** Any number, with fractions. */
export function number(description?: string): PlainSchema<number> {
  return plain({ type: 'number', ...(description === undefined ? {} : { description }) }, (value, path, issues) =>
    typeof value === 'number' && Number.isFinite(value) ? value : wrong(issues, path, 'expected a number'),
  )
}

export function flag(description?: string): PlainSchema<boolean> {
  return plain({ type: 'boolean', ...(description === undefined ? {} : { description }) }, (value, path, issues) =>
    typeof value === 'boolean' ? value : wrong(issues, path, 'expected true or false'),
  )
}

export function list<T>(of: PlainSchema<T>): PlainSchema<readonly T[]> {
  return plain({ type: 'array', items: of.json }, (value, path, issues) =>
    Array.isArray(value)
      ? value.map((element, index) => of.check(element, [...path, index], issues))
      : wrong(issues, path, 'expected a list'),
  )
}

/** Whatever JSON can say. */
export function anything(description?: string): PlainSchema<unknown> {
  return plain(description === undefined ? {} : { description }, (value) => value)
}

/** A value that may be missing from the object whose field it is. */
export function optional<T>(of: PlainSchema<T>): PlainSchema<T | undefined> & { readonly optional: true } {
  return { ...plain<T | undefined>(of.json, of.check), optional: true }
}

export function nullable<T>(of: PlainSchema<T>): PlainSchema<T | null> {
  return plain({ anyOf: [of.json, { type: 'null' }] }, (value, path, issues) => (value === null ? null : of.check(value, path, issues)))
}

type Fields = Readonly<Record<string, PlainSchema<unknown>>>
type ValueOf<S> = S extends PlainSchema<infer T> ? T : never
type OptionalNames<F extends Fields> = { [K in keyof F]: F[K] extends { readonly optional: true } ? K : never }[keyof F]

export type ObjectOf<F extends Fields> = { readonly [K in Exclude<keyof F, OptionalNames<F>>]: ValueOf<F[K]> } & {
  readonly [K in OptionalNames<F>]?: ValueOf<F[K]>
}

export function object<F extends Fields>(fields: F): PlainSchema<ObjectOf<F>> {
  const entries = Object.entries(fields)
  const required = entries.filter(([, field]) => !field.optional).map(([name]) => name)
  const properties = Object.fromEntries(entries.map(([name, { json }]) => [name, json]))
  return plain({ type: 'object', properties, ...(required.length === 0 ? {} : { required }) }, (value, path, issues) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(issues, path, 'expected an object')
    const checked: Record<string, unknown> = {}
    for (const [name, field] of entries) {
      const given = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
      if (given !== undefined) checked[name] = field.check(given, [...path, name], issues)
      else if (!field.optional) wrong(issues, [...path, name], 'is missing')
    }
    return checked
  })
}

function plain<T>(json: JsonSchema, check: PlainSchema<T>['check']): PlainSchema<T> {
  return {
    json,
    check,
    optional: false,
    '~standard': {
      version: 1,
      vendor: 'skerry',
      validate(value) {
        const issues: Issues = []
        const checked = check(value, [], issues)
        return issues.length === 0 ? { value: checked as T } : { issues }
      },
      jsonSchema: { input: () => ({ ...json }), output: () => ({ ...json }) },
    },
  }
}

function wrong(issues: Issues, path: Path, message: string): undefined {
  issues.push({ path, message })
  return undefined
}
