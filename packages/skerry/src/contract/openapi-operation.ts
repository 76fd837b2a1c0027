/** One operation in an OpenAPI document: its parameters, body, answers and what it asks of the caller. */
import type { BoundOperation } from './bound-operation.ts'
import { deprecationText } from './deprecation.ts'
import { acceptsEmpty, mapSchema, objectFields, withoutFields } from './json-schema.ts'
import {
  declaredSchema,
  FAILURE,
  FAILURE_STATUSES,
  INVALID_INPUT,
  INVALID_INPUT_STATUS,
  problemContent,
  problemHeaders,
} from './openapi-problems.ts'
import type { Place, SchemaContext } from './openapi-schemas.ts'
import { compare, pascalCase } from './openapi-schemas.ts'
import type { JsonSchema } from './schema.ts'
import { jsonSchema, validate } from './schema.ts'

type Node = Readonly<Record<string, unknown>>

/** The Operation Object. `rename` maps path parameters to the names that the document's path gives them. */
export function operationObject(bound: BoundOperation, place: Place, rename: ReadonlyMap<string, string>): Node {
  const { contract, name, fullName, operation } = bound
  const root = jsonSchema(operation.input, 'input')
  const context: SchemaContext = { contract, operation: name, side: 'input', name: `${pascalCase(name)}Input`, root }
  const parameters = [
    ...urlParameters(bound, place, context, rename),
    ...(takesIdempotencyKey(bound) ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
  ]
  const body = requestBody(bound, place, context)
  return {
    operationId: fullName,
    ...(operation.summary === undefined ? {} : { summary: operation.summary }),
    ...(operation.deprecated === undefined ? {} : { deprecated: true, description: deprecationText(operation.deprecated) }),
    tags: [contract],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: responses(bound, place, parameters.length > 0 || bound.http.hasBody),
    ...(operation.scopes.length === 0 ? {} : { security: [{ oauth2: operation.scopes }] }),
  }
}

/** The names in the braces of a path, in their order. */
export function pathParameters(path: string): readonly string[] {
  return [...path.matchAll(/\{([^}]*)\}/g)].map((match) => match[1]!)
}

function urlParameters(
  { operation, http }: BoundOperation,
  place: Place,
  context: SchemaContext,
  rename: ReadonlyMap<string, string>,
): readonly Node[] {
  const { fields } = objectFields(context.root, context.root) ?? { fields: new Map<string, { schema: JsonSchema; required: boolean }>() }
  const inPath = pathParameters(operation.path)
  const parameter = (name: string, where: 'path' | 'query'): Node => {
    const { schema, required } = fields.get(name)!
    const description = schema['description']
    return {
      name: where === 'path' ? (rename.get(name) ?? name) : name,
      in: where,
      ...(typeof description === 'string' ? { description } : {}),
      ...(where === 'path' || required ? { required: true } : {}),
      schema: place(schema, context),
    }
  }
  const inQuery = http.hasBody ? [] : [...fields.keys()].filter((name) => !inPath.includes(name))
  return [...inPath.map((name) => parameter(name, 'path')), ...inQuery.map((name) => parameter(name, 'query'))]
}

/** Whether a caller may name a request and its repetitions. Reading needs no name: it may be repeated as it is. */
export function takesIdempotencyKey({ operation }: BoundOperation): boolean {
  return operation.idempotent && operation.method !== 'GET'
}

function requestBody({ operation, http }: BoundOperation, place: Place, context: SchemaContext): Node | undefined {
  if (!http.hasBody) return undefined
  const { root } = context
  const inPath = pathParameters(operation.path)
  const described = objectFields(root, root)
  if (described !== undefined && described.additional === undefined && described.fields.size === inPath.length) return undefined
  const schema = inPath.length === 0 ? root : withoutFields(root, root, inPath)
  const optional = described !== undefined && (acceptsEmpty(schema, root) || takesNothing(operation))
  return { ...(optional ? {} : { required: true }), content: { 'application/json': { schema: place(schema, context) } } }
}

function takesNothing({ input }: BoundOperation['operation']): boolean {
  const result = validate(input, undefined)
  return !(result instanceof Promise) && result.ok
}

const REASONS: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content' }

function responses({ contract, name, operation }: BoundOperation, place: Place, takesInput: boolean): Node {
  const { status, output, errors } = operation
  const good = output === undefined ? undefined : tolerant(jsonSchema(output, 'output'))
  const context = (root: JsonSchema): SchemaContext => ({
    contract,
    operation: name,
    side: 'output',
    name: `${pascalCase(name)}Output`,
    root,
  })
  const problemsByCode = Object.entries(errors).toSorted(([left], [right]) => compare(left, right))
  const byStatus = Map.groupBy(problemsByCode, ([, problem]) => problem.status)
  const answers: Record<string, unknown> = {
    [status]: {
      description: REASONS[status] ?? 'Success',
      ...(good === undefined ? {} : { content: { 'application/json': { schema: place(good, context(good)) } } }),
    },
  }
  for (const [problemStatus, problems] of byStatus) {
    const schemas = problems.map(([code, problem]) => declaredSchema(contract, name, code, problem))
    if (problemStatus === INVALID_INPUT_STATUS && takesInput) schemas.push(INVALID_INPUT)
    if (FAILURE_STATUSES.includes(problemStatus)) schemas.push(FAILURE)
    answers[problemStatus] = {
      description: [...new Set(problems.map(([, problem]) => problem.title))].join(', or: '),
      ...problemHeaders(problemStatus),
      content: problemContent(schemas.map((problem) => place(problem.schema, problem.context))),
    }
  }
  if (takesInput) answers[INVALID_INPUT_STATUS] ??= { $ref: '#/components/responses/InvalidInput' }
  return { ...answers, '5XX': { $ref: '#/components/responses/Failure' } }
}

/** A later version may add fields to an answer: the document must not teach readers to refuse them. */
export function tolerant(schema: JsonSchema): JsonSchema {
  return mapSchema(schema, (each) => {
    if (each['additionalProperties'] !== false) return each
    const { additionalProperties: _closed, ...open } = each
    return open
  })
}
