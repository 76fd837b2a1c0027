/**
 * Problems in an OpenAPI document: a schema for each that a contract declares, and the answers that every operation
 * may get from the platform itself, described once and referred to.
 */
import type { ErrorCode } from '../base/errors.ts'
import { ERRORS } from '../base/errors.ts'
import { mapSchema } from './json-schema.ts'
import type { SchemaContext } from './openapi-schemas.ts'
import { pascalCase } from './openapi-schemas.ts'
import type { Problem } from './problem.ts'
import { declaredProblem, PROBLEM_MEDIA_TYPE } from './problem.ts'
import type { JsonSchema } from './schema.ts'
import { jsonSchema } from './schema.ts'

const ANSWERS = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => ERRORS[code].kind === 'answer')
/** What the platform answers to a request that breaks the contract. */
const REFUSALS = ANSWERS.filter((code) => ERRORS[code].status === ERRORS.invalidInput.status)
/** What it answers when the service fails, is slow or cannot be reached. */
const FAILURES = ANSWERS.filter((code) => ERRORS[code].status >= 500)

const TEXT = { type: 'string' } as const

const PROBLEM_DETAILS: JsonSchema = {
  type: 'object',
  description: 'Problem Details (RFC 9457). Programs compare "code".',
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: TEXT,
    status: { type: 'integer', minimum: 400, maximum: 599 },
    detail: TEXT,
    code: TEXT,
    data: { description: 'The particulars that the code promises' },
    errors: {
      type: 'array',
      description: 'The fields that were wrong',
      items: {
        type: 'object',
        properties: { path: { type: 'string', description: 'A JSON Pointer (RFC 6901), empty for the whole value' }, message: TEXT },
        required: ['path', 'message'],
      },
    },
    traceId: { type: 'string', description: 'What to search the logs for' },
    timing: {
      type: 'array',
      description: 'Of an answer that came too late: what was waited for and for how long',
      items: {
        type: 'object',
        properties: { operation: TEXT, ms: { type: 'number' }, outcome: TEXT },
        required: ['operation', 'ms', 'outcome'],
      },
    },
  },
  required: ['type', 'title', 'status', 'detail', 'code'],
}

/** A schema with the context in which `Place` finds its references. */
export interface ProblemSchema {
  readonly schema: JsonSchema
  readonly context: SchemaContext
}

export const INVALID_INPUT_STATUS: number = ERRORS.invalidInput.status
export const FAILURE_STATUSES: readonly number[] = [...new Set(FAILURES.map((code) => ERRORS[code].status))]

export const INVALID_INPUT: ProblemSchema = platformSchema('InvalidInputProblem', REFUSALS)
export const FAILURE: ProblemSchema = platformSchema('FailureProblem', FAILURES)

/** The schema of a declared problem: Problem Details with its own type, status, code and data. */
export function declaredSchema(contract: string, operation: string, code: string, problem: Problem): ProblemSchema {
  const name = `${pascalCase(code)}Problem`
  const { type, title, status } = declaredProblem(contract, code, problem, '', undefined)
  const data = problem.data === undefined ? undefined : nested(jsonSchema(problem.data, 'input'), `${pascalCase(code)}Data`)
  return named(
    { contract, operation, side: 'input', name },
    {
      ...data,
      [name]: {
        allOf: [{ $ref: '#/$defs/ProblemDetails' }],
        type: 'object',
        title,
        properties: {
          type: { const: type },
          status: { const: status },
          code: { const: code },
          ...(data === undefined ? {} : { data: { $ref: `#/$defs/${pascalCase(code)}Data` } }),
        },
        required: data === undefined ? ['code'] : ['code', 'data'],
      },
    },
  )
}

/** The body of an answer with one of these problems. */
export function problemContent(schemas: readonly JsonSchema[]): Readonly<Record<string, unknown>> {
  return { [PROBLEM_MEDIA_TYPE]: { schema: schemas.length === 1 ? schemas[0]! : { oneOf: schemas } } }
}

/** The headers of an answer with this status. */
export function problemHeaders(status: number | '5XX'): Readonly<Record<string, unknown>> {
  if (status !== 503 && status !== 429 && status !== '5XX') return {}
  return { headers: { 'Retry-After': { description: 'In how many seconds to try again', schema: { type: 'integer', minimum: 1 } } } }
}

function platformSchema(name: string, codes: readonly ErrorCode[]): ProblemSchema {
  return named(
    { contract: '', operation: '', side: 'output', name },
    {
      [name]: {
        allOf: [{ $ref: '#/$defs/ProblemDetails' }],
        type: 'object',
        properties: { status: { enum: [...new Set(codes.map((code) => ERRORS[code].status))] }, code: { enum: codes } },
        required: ['code'],
      },
    },
  )
}

function named(origin: Omit<SchemaContext, 'root'>, definitions: Readonly<Record<string, JsonSchema>>): ProblemSchema {
  const schema = { $ref: `#/$defs/${origin.name}` }
  return { schema, context: { ...origin, root: { ...schema, $defs: { ...definitions, ProblemDetails: PROBLEM_DETAILS } } } }
}

/** A schema as a definition inside another, its references starting from its new place. */
function nested(schema: JsonSchema, name: string): Readonly<Record<string, JsonSchema>> {
  return {
    [name]: mapSchema(schema, (each) =>
      typeof each['$ref'] === 'string' ? { ...each, $ref: `#/$defs/${name}${each['$ref'].slice(1)}` } : each,
    ),
  }
}
