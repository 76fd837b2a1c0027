/**
 * How an operation's input travels in an HTTP request, the same for servers, clients and the gateway: path parameters
 * by name; the rest in the query for GET and DELETE, in the JSON body otherwise.
 */
import { SkerryError } from '../base/errors.ts'
import type { Operation } from './operation.ts'
import type { JsonSchema } from './schema.ts'
import { jsonSchema } from './schema.ts'

export interface HttpBinding {
  readonly hasBody: boolean
  /** The request that carries `input`, which must be plain JSON. */
  encode(input: unknown): { readonly target: string; readonly body: unknown }
  /** The input that a request carries, not yet validated. `parameters` are percent-decoded. */
  decode(parameters: Readonly<Record<string, string>>, query: string, body: unknown): unknown
}

/** Binds an operation. Throws `contractInvalid` when its schema cannot be carried as the path and method demand. */
export function httpBinding(name: string, operation: Operation): HttpBinding {
  const hasBody = operation.method !== 'GET' && operation.method !== 'DELETE'
  const pathParameters = [...operation.path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]!)
  const properties = propertiesOf(name, operation)
  for (const parameter of pathParameters)
    if (properties !== undefined && !(parameter in properties))
      throw new SkerryError('contractInvalid', `${name}: the input has no field for the path parameter {${parameter}}`)
  const isPathParameter = new Set(pathParameters)
  const readers = new Map(Object.entries(properties ?? {}).map(([field, schema]) => [field, readerOf(name, field, schema, hasBody && !isPathParameter.has(field))]))

  return {
    hasBody,
    encode(input) {
      const rest: Record<string, unknown> = { ...(input as Record<string, unknown> | undefined) }
      let target = operation.path
      for (const parameter of pathParameters) {
        target = target.replace(`{${parameter}}`, () => encodeSegment(name, parameter, rest[parameter]))
        delete rest[parameter]
      }
      if (hasBody) return { target, body: pathParameters.length === 0 ? input : rest }
      const query = encodeQuery(rest)
      return { target: query === '' ? target : `${target}?${query}`, body: undefined }
    },
    decode(parameters, query, body) {
      if (hasBody && pathParameters.length === 0) return body
      const input: Record<string, unknown> = {}
      if (hasBody) {
        if (typeof body !== 'object' || body === null || Array.isArray(body)) {
          if (body !== undefined) return body
        } else Object.assign(input, body)
      } else if (query !== '') readQuery(query, readers, isPathParameter, input)
      for (const parameter of pathParameters) input[parameter] = readers.get(parameter)?.([parameters[parameter] ?? '']) ?? parameters[parameter]
      return input
    },
  }
}

type Reader = (values: string[]) => unknown

function propertiesOf(name: string, operation: Operation): Record<string, JsonSchema> | undefined {
  let schema: JsonSchema
  try {
    schema = jsonSchema(operation.input, 'input')
    if (operation.output !== undefined) jsonSchema(operation.output, 'output')
  } catch (error) {
    throw new SkerryError('contractInvalid', `${name}: a schema cannot be described as JSON Schema: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  return schema['properties'] as Record<string, JsonSchema> | undefined
}

/** Which JSON types a schema allows, as far as they can be seen without resolving references. */
function typesOf(schema: JsonSchema): Set<string> {
  const types = new Set<string>()
  const { type, anyOf, oneOf, enum: values, const: constant } = schema as { type?: string | string[]; anyOf?: JsonSchema[]; oneOf?: JsonSchema[]; enum?: unknown[]; const?: unknown }
  for (const one of type === undefined ? [] : [type].flat()) types.add(one)
  for (const branch of [...(anyOf ?? []), ...(oneOf ?? [])]) for (const one of typesOf(branch)) types.add(one)
  for (const value of [...(values ?? []), ...(constant === undefined ? [] : [constant])]) types.add(typeof value)
  return types
}

/** Text in a path or query has no type: a number or a boolean is read where the schema allows one and the text is exactly its JSON form. */
function readerOf(name: string, field: string, schema: JsonSchema, inBody: boolean): Reader {
  const types = typesOf(schema)
  if (types.has('array')) {
    const element = readerOf(name, field, (schema['items'] as JsonSchema | undefined) ?? {}, inBody)
    return (values) => values.map((value) => element([value]))
  }
  if (types.has('object') && !inBody) throw new SkerryError('contractInvalid', `${name}: the field "${field}" is an object, which a path or query cannot carry`)
  const readsNumbers = types.has('number') || types.has('integer')
  const readsBooleans = types.has('boolean')
  return (values) => {
    const text = values.length === 1 ? values[0]! : undefined
    if (text === undefined) return values
    if (readsNumbers && /^-?\d/.test(text) && String(Number(text)) === text) return Number(text)
    if (readsBooleans && (text === 'true' || text === 'false')) return text === 'true'
    return text
  }
}

function readQuery(query: string, readers: ReadonlyMap<string, Reader>, isPathParameter: ReadonlySet<string>, input: Record<string, unknown>): void {
  const collected = new Map<string, string[]>()
  for (const [field, value] of new URLSearchParams(query)) {
    if (field === '__proto__' || isPathParameter.has(field)) continue
    const values = collected.get(field)
    if (values === undefined) collected.set(field, [value])
    else values.push(value)
  }
  for (const [field, values] of collected) input[field] = readers.get(field)?.(values) ?? values[0]
}

function encodeSegment(name: string, parameter: string, value: unknown): string {
  const text = typeof value === 'object' || value === undefined ? '' : String(value as string | number | boolean)
  // "." and ".." would be folded away by URL parsers on the way and reach another route.
  if (text === '' || text === '.' || text === '..')
    throw new SkerryError('invalidInput', `${name}: ${JSON.stringify(value) ?? 'undefined'} cannot stand in the path for {${parameter}}`)
  return encodeURIComponent(text)
}

function encodeQuery(fields: Record<string, unknown>): string {
  const query = new URLSearchParams()
  for (const [field, value] of Object.entries(fields)) for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== null) query.append(field, String(one))
  return query.toString()
}
