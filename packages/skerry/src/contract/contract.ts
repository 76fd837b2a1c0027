/** A contract is what a service promises: operations, events, problems, a version and an owner. It is all that others may rely on. */
import { ERRORS, SkerryError } from '../base/errors.ts'
import { PRIORITIES } from '../base/priority.ts'
import { mistakesInDeprecation } from './deprecation.ts'
import type { Event, EventDeclaration } from './event.ts'
import type { Operation } from './operation.ts'

export type Operations = Readonly<Record<string, Operation>>
export type EventDeclarations = Readonly<Record<string, EventDeclaration>>

export interface Contract<
  Name extends string = string,
  Ops extends Operations = Operations,
  Events extends EventDeclarations = EventDeclarations,
> {
  readonly kind: 'contract'
  readonly name: Name
  /** Semantic version of the promise, not of the code behind it. */
  readonly version: string
  readonly owner: string | undefined
  readonly description: string | undefined
  readonly operations: Ops
  readonly events: { readonly [K in keyof Events]: Events[K] extends EventDeclaration<infer S> ? Event<S> : never }
}

export interface ContractOptions<Ops, Events> {
  readonly version: string
  /** The team that answers for it. */
  readonly owner?: string
  readonly description?: string
  readonly operations: Ops
  readonly events?: Events
}

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const LONGEST_NAME = 48
/** Names that no schema or role can have: PostgreSQL keeps them for itself. */
const RESERVED_NAMES = ['public', 'none']
const MEMBER_NAME = /^[a-z][A-Za-z0-9]*$/
const SEMANTIC_VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/
// Only characters that no router, proxy or shell gives a meaning, and that a URL parser leaves as they are.
const PATH = /^(\/([A-Za-z0-9._~-]+|\{[A-Za-z][A-Za-z0-9_]*\}))+$|^\/$/
const DOT_SEGMENT = /\/\.\.?(\/|$)/
const PARAMETER = /\{([^}]*)\}/g
/** What every host serves beside the operations. */
const PLATFORM_PATH = /^\/(health(\/.*)?|metrics|openapi\.json|asyncapi\.json)$/

/**
 * Declares a contract. The name (lower case, words joined by `-`) is how the service is addressed everywhere: in
 * configuration, as topic of its events, as schema and role of its database. Throws `contractInvalid` with everything that is wrong.
 */
export function contract<const Name extends string, Ops extends Operations, Events extends EventDeclarations = Record<never, never>>(
  name: Name,
  options: ContractOptions<Ops, Events>,
): Contract<Name, Ops, Events> {
  const mistakes = [...mistakesInNames(name, options), ...mistakesInOperations(options.operations), ...mistakesInRoutes(options.operations)]
  if (mistakes.length > 0)
    throw new SkerryError(
      'contractInvalid',
      `The contract "${name}" is not valid:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`,
    )
  const events = Object.fromEntries(
    Object.entries(options.events ?? {}).map(([eventName, declaration]) => [
      eventName,
      Object.freeze({ ...declaration, contract: name, name: eventName, type: `${name}.${eventName}.v${declaration.version}` }),
    ]),
  )
  return Object.freeze({
    kind: 'contract',
    name,
    version: options.version,
    owner: options.owner,
    description: options.description,
    operations: Object.freeze({ ...options.operations }),
    events: Object.freeze(events) as unknown as Contract<Name, Ops, Events>['events'],
  })
}

function mistakesInNames(name: string, { version, operations, events = {} }: ContractOptions<Operations, EventDeclarations>): string[] {
  const mistakes: string[] = []
  if (!NAME.test(name) || name.length > LONGEST_NAME)
    mistakes.push(`its name must be lower-case words joined by "-", at most ${LONGEST_NAME} characters`)
  if (RESERVED_NAMES.includes(name)) mistakes.push('its name is one that databases keep for themselves: choose another')
  if (!SEMANTIC_VERSION.test(version)) mistakes.push(`version "${version}" is not a semantic version such as 1.0.0`)
  for (const [operationName, { errors }] of Object.entries(operations)) {
    mistakes.push(...mistakesInMember('operation', operationName))
    for (const code of Object.keys(errors)) {
      mistakes.push(...mistakesInMember('problem', code, ` of ${operationName}`))
      if (Object.hasOwn(ERRORS, code)) mistakes.push(`the problem "${code}" of ${operationName} has the name of one of the platform's own`)
    }
  }
  for (const eventName of Object.keys(events)) mistakes.push(...mistakesInMember('event', eventName))
  return mistakes
}

/** Members become properties of clients, handlers, `emit` and `fail`: `then` would make those promises, `constructor` is there already. */
function mistakesInMember(kind: string, name: string, where = ''): string[] {
  if (!MEMBER_NAME.test(name)) return [`the ${kind} "${name}"${where} must have a camelCase name`]
  if (name === 'then' || name in Object.prototype)
    return [`the ${kind} "${name}"${where} has a name that JavaScript gives a meaning of its own: choose another`]
  return []
}

function mistakesInOperations(operations: Operations): string[] {
  const mistakes: string[] = []
  for (const [name, { status, output, deadlineMs, priority, deprecated }] of Object.entries(operations)) {
    if (!Number.isInteger(status) || status < 200 || status > 299)
      mistakes.push(`${name}: the status of the good answer must be from 200 to 299, not ${status}`)
    else if (output !== undefined && (status === 204 || status === 205))
      mistakes.push(`${name}: an answer with status ${status} has no body, but an output is declared`)
    if (deprecated !== undefined) mistakes.push(...mistakesInDeprecation(deprecated).map((mistake) => `${name}: deprecated: ${mistake}`))
    if (!PRIORITIES.includes(priority)) mistakes.push(`${name}: there is no priority "${priority}", only ${PRIORITIES.join(', ')}`)
    if (!(deadlineMs > 0)) mistakes.push(`${name}: with a deadline of ${deadlineMs} ms every call would be too late`)
  }
  return mistakes
}

function mistakesInRoutes(operations: Operations): string[] {
  const mistakes: string[] = []
  const routes = new Map<string, string>()
  const templates = new Map<string, { readonly name: string; readonly path: string }>()
  for (const [name, { method, path }] of Object.entries(operations)) {
    if (!PATH.test(path))
      mistakes.push(
        `${name}: "${path}" is not a path such as /orders or /orders/{orderId}: segments of letters, digits and ._~- or one {parameter}, without a trailing slash`,
      )
    if (DOT_SEGMENT.test(path)) mistakes.push(`${name}: URL parsers would fold away the dots in "${path}"`)
    if (PLATFORM_PATH.test(path)) mistakes.push(`${name}: ${path} is served by the platform itself`)
    const parameters = [...path.matchAll(PARAMETER)].map((match) => match[1])
    if (new Set(parameters).size < parameters.length) mistakes.push(`${name}: "${path}" names one parameter twice`)
    const template = path.replaceAll(PARAMETER, '{}')
    const owner = routes.get(`${method} ${template}`)
    if (owner !== undefined) mistakes.push(`${name} and ${owner} have the same route, ${method} ${path}`)
    else routes.set(`${method} ${template}`, name)
    // OpenAPI has one entry for both, and a reader one thing to call it.
    const first = templates.get(template)
    if (first === undefined) templates.set(template, { name, path })
    else if (owner === undefined && first.path !== path)
      mistakes.push(`${name} and ${first.name} name the parameters of one path differently, ${path} and ${first.path}`)
  }
  return mistakes
}
