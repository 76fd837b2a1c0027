/**
 * A first request for somebody who has just started a system: an operation that needs nothing to exist yet, with a body made
 * from its schema. Only what the operation's own schema accepts is offered.
 */
import type { Selection } from 'skerry/runtime'

type Operation = Selection['services'][number]['contract']['operations'][string]
type JsonSchema = Readonly<Record<string, unknown>>

export interface SampleCall {
  readonly path: string
  /** Undefined for a request without a body. */
  readonly body?: unknown
}

const MAX_DEPTH = 8
const STRINGS: Readonly<Record<string, string>> = {
  email: 'ann@example.com',
  uuid: '0198f3a0-5e8a-7c3e-8f4b-2a6d9c1e7b50',
  uri: 'https://example.com/',
  date: '2026-01-31',
  time: '12:00:00',
  'date-time': '2026-01-31T12:00:00Z',
}

/** The first of the operations that can be called like this; undefined when none can. */
export async function sampleCall(operations: readonly Operation[]): Promise<SampleCall | undefined> {
  for (const { method, path, input } of operations) {
    if (path.includes('{') || (method !== 'GET' && method !== 'POST')) continue
    const body = method === 'GET' ? {} : sampleOf(input['~standard'].jsonSchema.input({ target: 'draft-2020-12' }))
    const { issues } = await input['~standard'].validate(body)
    if (issues === undefined) return method === 'GET' ? { path } : { path, body }
  }
  return undefined
}

/** As typed into a POSIX shell. */
export function curlCommand(baseUrl: string, { path, body }: SampleCall): string {
  if (body === undefined) return `curl ${baseUrl}${path}`
  return `curl ${baseUrl}${path} -H 'content-type: application/json' -d '${JSON.stringify(body).replaceAll("'", `'\\''`)}'`
}

/** A small value for a JSON Schema: what is required and no more. It may fail the schema, where that says more than its types. */
export function sampleOf(schema: JsonSchema, root: JsonSchema = schema, name = '', depth = 0): unknown {
  if (depth > MAX_DEPTH) return null
  const next = (inner: unknown, innerName = name): unknown => sampleOf(inner as JsonSchema, root, innerName, depth + 1)
  const { $ref: reference, const: constant, default: byDefault, enum: choices, examples, anyOf, oneOf } = schema
  if (typeof reference === 'string') return next(resolve(reference, root))
  if (constant !== undefined) return constant
  for (const options of [examples, choices]) if (Array.isArray(options) && options.length > 0) return options[0]
  if (byDefault !== undefined) return byDefault
  for (const alternatives of [anyOf, oneOf]) if (Array.isArray(alternatives) && alternatives.length > 0) return next(alternatives[0])
  switch (Array.isArray(schema['type']) ? schema['type'][0] : schema['type']) {
    case 'object': {
      const properties = (schema['properties'] ?? {}) as Readonly<Record<string, unknown>>
      const required = (schema['required'] ?? []) as readonly string[]
      return Object.fromEntries(required.map((key) => [key, next(properties[key] ?? {}, key)]))
    }
    case 'array':
      return Array.from({ length: Math.max(1, numberIn(schema, 'minItems', 1)) }, () => next(schema['items'] ?? {}))
    case 'string':
      return text(schema, name)
    case 'integer':
    case 'number':
      return number(schema)
    case 'boolean':
      return true
    default:
      return null
  }
}

function text(schema: JsonSchema, name: string): string {
  const format = schema['format']
  const known = typeof format === 'string' ? STRINGS[format] : undefined
  if (known !== undefined) return known
  const value = /(^|[a-z_-])name$/i.test(name) ? 'Ann' : name === '' ? 'text' : name
  return value.padEnd(numberIn(schema, 'minLength', 0), 'x').slice(0, numberIn(schema, 'maxLength', Infinity))
}

function number(schema: JsonSchema): number {
  const step = numberIn(schema, 'multipleOf', 1)
  const least = Math.max(numberIn(schema, 'minimum', -Infinity), numberIn(schema, 'exclusiveMinimum', -Infinity) + step)
  const most = Math.min(numberIn(schema, 'maximum', Infinity), numberIn(schema, 'exclusiveMaximum', Infinity) - step)
  return Math.min(Math.max(step, Math.ceil(least / step) * step), most)
}

function numberIn(schema: JsonSchema, key: string, fallback: number): number {
  const value = schema[key]
  return typeof value === 'number' ? value : fallback
}

function resolve(reference: string, root: JsonSchema): unknown {
  const steps = reference
    .replace(/^#\/?/, '')
    .split('/')
    .filter((step) => step !== '')
  return (
    steps.reduce<unknown>((node, step) => (node as JsonSchema | undefined)?.[step.replaceAll('~1', '/').replaceAll('~0', '~')], root) ?? {}
  )
}
