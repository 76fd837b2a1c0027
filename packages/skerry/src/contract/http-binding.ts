/**
 * How an operation's input travels in an HTTP request, the same for servers, clients and the gateway: path parameters
 * by name; the rest in the query for GET and DELETE, in the JSON body otherwise. Whatever `encode` accepts, `decode` gives back.
 */
import { SkerryError } from '../base/errors.ts'
import type { Field, ObjectFields } from './json-schema.ts'
import { objectFields } from './json-schema.ts'
import type { Operation } from './operation.ts'
import type { JsonSchema, Schema } from './schema.ts'
import { jsonSchema, validate } from './schema.ts'
import type { UrlField } from './url-field.ts'
import { obstacle, urlField } from './url-field.ts'

export interface HttpBinding {
  readonly hasBody: boolean
  /**
   * The input as it arrives at the other end, without a request: for links that need none, so that a call fails alike
   * everywhere. Throws `invalidInput` for what no URL can carry, such as an empty path parameter.
   */
  carry(input: unknown): unknown
  /** The request that carries `input`, which must be plain JSON. Throws as `carry` does. */
  encode(input: unknown): { readonly target: string; readonly body: unknown }
  /** The input that a request carries, not yet validated. `parameters` are percent-decoded. Throws `malformedRequest` when the query is not percent-encoded UTF-8. */
  decode(parameters: Readonly<Record<string, string>>, query: string, body: unknown): unknown
}

/** An operation as the functions below see it. */
interface Plan {
  readonly name: string
  readonly path: string
  readonly parameters: ReadonlyMap<string, UrlField>
  readonly query: ReadonlyMap<string, UrlField>
  /** Reads fields that the schema does not name; undefined drops them. */
  readonly otherFields: UrlField | undefined
  /** The input of a request that carries nothing: undefined where the schema takes that, else an empty object. */
  readonly empty: unknown
}

/** Binds an operation. Throws `contractInvalid` when its schemas cannot be carried as the path and method demand. */
export function httpBinding(name: string, operation: Operation): HttpBinding {
  const hasBody = operation.method !== 'GET' && operation.method !== 'DELETE'
  const plan = planOf(name, operation, hasBody)
  if (hasBody && plan.parameters.size === 0) return bodyBinding(plan)
  return hasBody ? pathAndBodyBinding(plan) : urlBinding(plan)
}

/** The whole input is the body. */
function bodyBinding({ path, empty }: Plan): HttpBinding {
  const carry = (input: unknown): unknown => (input === undefined ? empty : input)
  return {
    hasBody: true,
    carry,
    encode: (input) => ({ target: path, body: carry(input) }),
    decode: (_parameters, _query, body) => carry(body),
  }
}

function pathAndBodyBinding(plan: Plan): HttpBinding {
  const carry = (input: unknown): Fields => {
    const fields = asFields(plan, input)
    for (const parameter of plan.parameters.keys()) pathText(plan, parameter, fields[parameter])
    return fields
  }
  return {
    hasBody: true,
    carry,
    encode(input) {
      const fields = asFields(plan, input)
      // Fields made from entries are own fields whatever their name, where assigning to "__proto__" would set the prototype.
      return {
        target: targetOf(plan, fields),
        body: Object.fromEntries(Object.entries(fields).filter(([name]) => !plan.parameters.has(name))),
      }
    },
    decode(parameters, _query, body) {
      if (body !== undefined && !isFields(body)) return body
      const input: Record<string, unknown> = { ...body }
      readParameters(plan, parameters, input)
      return input
    },
  }
}

/** Everything is in the URL. */
function urlBinding(plan: Plan): HttpBinding {
  return {
    hasBody: false,
    carry(input) {
      const fields = input === undefined ? {} : asFields(plan, input)
      const carried: Record<string, unknown> = {}
      for (const parameter of plan.parameters.keys()) {
        pathText(plan, parameter, fields[parameter])
        carried[parameter] = fields[parameter]
      }
      for (const name of Object.keys(fields)) if (queryTexts(plan, name, fields[name]) !== undefined) carried[name] = fields[name]
      return isEmpty(carried) ? plan.empty : carried
    },
    encode(input) {
      const fields = input === undefined ? {} : asFields(plan, input)
      const target = targetOf(plan, fields)
      const query: string[] = []
      for (const [name, value] of Object.entries(fields))
        for (const text of queryTexts(plan, name, value) ?? []) query.push(`${encodeURIComponent(name)}=${encodeURIComponent(text)}`)
      return { target: query.length === 0 ? target : `${target}?${query.join('&')}`, body: undefined }
    },
    decode(parameters, query) {
      const input: Record<string, unknown> = {}
      if (query !== '') readQuery(plan, query, input)
      readParameters(plan, parameters, input)
      return isEmpty(input) ? plan.empty : input
    },
  }
}

type Fields = Readonly<Record<string, unknown>>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function asFields({ name }: Plan, input: unknown): Fields {
  if (isFields(input)) return input
  throw new SkerryError('invalidInput', `${name}: the input must be an object`)
}

function isEmpty(fields: Fields): boolean {
  for (const _name in fields) return false
  return true
}

function targetOf(plan: Plan, fields: Fields): string {
  let target = plan.path
  for (const parameter of plan.parameters.keys()) {
    const text = encodeURIComponent(pathText(plan, parameter, fields[parameter]))
    target = target.replace(`{${parameter}}`, () => text)
  }
  return target
}

// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/

function pathText({ name, parameters }: Plan, parameter: string, value: unknown): string {
  const text = parameters.get(parameter)?.write(value)?.[0]
  // "." and ".." would be folded away by URL parsers on the way and reach another route; servers refuse control characters.
  if (text === undefined || text === '' || text === '.' || text === '..' || CONTROL.test(text))
    throw new SkerryError('invalidInput', `${name}: ${JSON.stringify(value) ?? 'undefined'} cannot stand in the path for {${parameter}}`)
  return text
}

/** The texts that carry a field in the query; undefined for one that is left out. */
function queryTexts({ name, parameters, query, otherFields }: Plan, field: string, value: unknown): readonly string[] | undefined {
  const urlField = query.get(field) ?? otherFields
  if (urlField === undefined || value === undefined || parameters.has(field) || field === '__proto__') return undefined
  const texts = urlField.write(value)
  if (texts === undefined || !field.isWellFormed())
    throw new SkerryError('invalidInput', `${name}: the query cannot carry ${JSON.stringify(value)} for "${field}"`)
  return texts
}

function readParameters({ parameters }: Plan, texts: Readonly<Record<string, string>>, input: Record<string, unknown>): void {
  for (const [parameter, urlField] of parameters) input[parameter] = urlField.read([texts[parameter] ?? ''])
}

function readQuery({ query, otherFields }: Plan, text: string, input: Record<string, unknown>): void {
  const collected = new Map<string, string[]>()
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const field = decodeText(equals === -1 ? pair : pair.slice(0, equals))
    const value = equals === -1 ? '' : decodeText(pair.slice(equals + 1))
    const values = collected.get(field)
    if (values === undefined) collected.set(field, [value])
    else values.push(value)
  }
  for (const [field, values] of collected) {
    const urlField = query.get(field) ?? otherFields
    if (urlField !== undefined && field !== '__proto__') input[field] = urlField.read(values)
  }
}

/** As browsers send forms: "+" is a space. */
function decodeText(text: string): string {
  try {
    const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
    return spaced.includes('%') ? decodeURIComponent(spaced) : spaced
  } catch {
    throw new SkerryError('malformedRequest', 'The query is not percent-encoded UTF-8')
  }
}

function planOf(name: string, operation: Operation, hasBody: boolean): Plan {
  const root = describedInput(name, operation)
  const parameters = [...operation.path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]!)
  const inUrl = objectFields(root, root)
  if (inUrl === undefined && (!hasBody || parameters.length > 0))
    throw invalid(name, [
      `the input of ${operation.method} ${operation.path} must be an object, because its fields travel in the ${hasBody ? 'path and body' : 'path and query'}`,
    ])
  const { fields, additional } = inUrl ?? ({ fields: new Map(), additional: undefined } satisfies ObjectFields)
  const queryFields = hasBody ? [] : [...fields].filter(([field]) => !parameters.includes(field))
  const mistakes = parameters.flatMap((parameter) => mistakesInParameter(parameter, fields.get(parameter), root))
  for (const [field, { schema }] of queryFields) {
    const found = obstacle(schema, root, 'query')
    if (found !== undefined) mistakes.push(`the field "${field}" ${found}`)
  }
  if (mistakes.length > 0) throw invalid(name, mistakes)
  return {
    name,
    path: operation.path,
    parameters: new Map(parameters.map((parameter) => [parameter, urlField(fields.get(parameter)!.schema, root)])),
    query: new Map(queryFields.map(([field, { schema }]) => [field, urlField(schema, root)])),
    // Fields that a strict schema forbids are carried too, so that the other end can refuse them.
    otherFields: additional === undefined ? undefined : urlField(additional === false ? {} : additional, root),
    empty: takesNothing(operation) ? undefined : inUrl === undefined ? undefined : {},
  }
}

function mistakesInParameter(parameter: string, field: Field | undefined, root: JsonSchema): string[] {
  if (field === undefined) return [`the input has no field for the path parameter {${parameter}}`]
  if (!field.required) return [`the field "${parameter}" may be left out of the input, but the path needs it`]
  const found = obstacle(field.schema, root, 'path')
  return found === undefined ? [] : [`the field "${parameter}" ${found}`]
}

/** The JSON Schema of the input, after a look at all others: what cannot be described cannot cross a wire, such as a date. */
function describedInput(name: string, { input, output, errors }: Operation): JsonSchema {
  const mistakes: string[] = []
  const describe = (what: string, schema: Schema, side: 'input' | 'output'): JsonSchema => {
    try {
      return jsonSchema(schema, side)
    } catch (error) {
      mistakes.push(`${what} cannot be described as JSON Schema: ${error instanceof Error ? error.message : String(error)}`)
      return {}
    }
  }
  for (const [code, { data }] of Object.entries(errors))
    if (data !== undefined) describe(`the data of its problem "${code}"`, data, 'input')
  if (output !== undefined) describe('its output', output, 'output')
  const described = describe('its input', input, 'input')
  if (mistakes.length > 0) throw invalid(name, mistakes)
  return described
}

function takesNothing({ input }: Operation): boolean {
  const result = validate(input, undefined)
  return !(result instanceof Promise) && result.ok
}

function invalid(name: string, mistakes: readonly string[]): SkerryError {
  return new SkerryError('contractInvalid', mistakes.map((mistake) => `${name}: ${mistake}`).join('\n'))
}
