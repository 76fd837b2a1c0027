/**
 * The OpenAPI 3.1 document of a contract, and of several merged for the gateway. Equal contracts give equal documents,
 * whatever the order in which they were declared.
 */
import { SkerryError } from '../base/errors.ts'
import type { BoundOperation } from './bound-operation.ts'
import { boundOperations } from './bound-operation.ts'
import type { Contract } from './contract.ts'
import { operationObject, pathParameters, takesIdempotencyKey } from './openapi-operation.ts'
import { FAILURE, INVALID_INPUT, problemContent, problemHeaders } from './openapi-problems.ts'
import type { Place } from './openapi-schemas.ts'
import { compare, withSchemaComponents } from './openapi-schemas.ts'

export type OpenApiDocument = Record<string, unknown>

export interface OpenApiOptions {
  /** URLs under which the operations are served. Default: the one that the document came from. */
  readonly servers?: readonly string[]
}

export interface MergeOpenApiOptions extends OpenApiOptions {
  /** Only operations declared `public`, as the gateway serves them. Default: false. */
  readonly publicOnly?: boolean
  /** Version of the merged document. Default: 1.0.0. */
  readonly version?: string
}

/** The document of one contract. Throws `contractInvalid` when an operation cannot be carried over HTTP. */
export function openApi(contract: Contract, options: OpenApiOptions = {}): OpenApiDocument {
  const { name, version, owner, description } = contract
  const info = {
    title: name,
    version,
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { contact: { name: owner } }),
  }
  return documentOf(info, [contract], [...boundOperations(contract).values()], options)
}

/** One document of several contracts. Throws `contractInvalid`, naming both, when two contracts claim one route. */
export function mergeOpenApi(title: string, contracts: readonly Contract[], options: MergeOpenApiOptions = {}): OpenApiDocument {
  const sorted = contracts.toSorted((left, right) => compare(left.name, right.name))
  const operations = sorted
    .flatMap((contract) => [...boundOperations(contract).values()])
    .filter(({ operation }) => operation.public || options.publicOnly !== true)
  refuseSharedRoutes(operations)
  const offering = new Set(operations.map((bound) => bound.contract))
  return documentOf(
    { title, version: options.version ?? '1.0.0' },
    sorted.filter((contract) => offering.has(contract.name)),
    operations,
    options,
  )
}

type Node = Readonly<Record<string, unknown>>

function documentOf(
  info: Node,
  contracts: readonly Contract[],
  operations: readonly BoundOperation[],
  { servers = [] }: OpenApiOptions,
): OpenApiDocument {
  const { built, schemas } = withSchemaComponents((place) => ({ paths: pathsOf(operations, place), responses: platformResponses(place) }))
  const scopes = [...new Set(operations.flatMap(({ operation }) => operation.scopes))].toSorted(compare)
  return {
    openapi: '3.1.1',
    info,
    ...(servers.length === 0 ? {} : { servers: servers.map((url) => ({ url })) }),
    tags: contracts.map(tagOf),
    paths: built.paths,
    components: {
      schemas,
      responses: built.responses,
      ...(operations.some(takesIdempotencyKey) ? { parameters: { IdempotencyKey: IDEMPOTENCY_KEY } } : {}),
      ...(scopes.length === 0 ? {} : { securitySchemes: { oauth2: oauth2(scopes) } }),
    },
  }
}

function tagOf({ name, description, owner, version }: Contract): Node {
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { 'x-owner': owner }),
    'x-version': version,
  }
}

const METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH']

function pathsOf(operations: readonly BoundOperation[], place: Place): Node {
  const byTemplate = Map.groupBy(operations, ({ operation }) => templateOf(operation.path))
  // Contracts may name the parameters of one path differently; the document has to choose, and takes the first contract's.
  const paths = [...byTemplate.values()].map((same) => [same[0]!.operation.path, pathItem(same, place)] as const)
  return Object.fromEntries(paths.toSorted(([left], [right]) => compare(left, right)))
}

function pathItem(operations: readonly BoundOperation[], place: Place): Node {
  const names = pathParameters(operations[0]!.operation.path)
  const inOrder = operations.toSorted((left, right) => METHODS.indexOf(left.operation.method) - METHODS.indexOf(right.operation.method))
  return Object.fromEntries(
    inOrder.map((bound) => {
      const rename = new Map(pathParameters(bound.operation.path).map((parameter, index) => [parameter, names[index]!]))
      return [bound.operation.method.toLowerCase(), operationObject(bound, place, rename)]
    }),
  )
}

function templateOf(path: string): string {
  return path.replaceAll(/\{[^}]*\}/g, '{}')
}

function refuseSharedRoutes(operations: readonly BoundOperation[]): void {
  const claims = Map.groupBy(operations, ({ operation }) => `${operation.method} ${templateOf(operation.path)}`)
  const mistakes = [...claims.values()]
    .filter((claimants) => claimants.length > 1)
    .map(
      (claimants) =>
        `${claimants.map(({ fullName }) => fullName).join(' and ')} both claim ${claimants[0]!.operation.method} ${claimants[0]!.operation.path}`,
    )
  if (mistakes.length > 0)
    throw new SkerryError('contractInvalid', `${mistakes.join('\n')}\nChange a path, or make an operation not public.`)
}

function platformResponses(place: Place): Node {
  const described = (description: string, { schema, context }: typeof FAILURE): Node => ({
    description,
    content: problemContent([place(schema, context)]),
  })
  return {
    Failure: { ...described('The service failed, is slow or cannot be reached', FAILURE), ...problemHeaders('5XX') },
    InvalidInput: described('The request does not have the form that is described here', INVALID_INPUT),
  }
}

const IDEMPOTENCY_KEY: Node = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'Names this request and its repetitions, so that they have one effect',
  schema: { type: 'string', minLength: 1 },
}

function oauth2(scopes: readonly string[]): Node {
  return {
    type: 'oauth2',
    description: 'The identity provider is configured where the system runs; the URL here is a placeholder.',
    flows: {
      clientCredentials: { tokenUrl: 'https://identity.example/token', scopes: Object.fromEntries(scopes.map((scope) => [scope, ''])) },
    },
  }
}
