/** A contract is what a service promises: operations, events, problems, a version and an owner. It is all that others may rely on. */
import { ERRORS, SkerryError } from '../base/errors.ts'
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
const MEMBER_NAME = /^[a-z][A-Za-z0-9]*$/
const SEMANTIC_VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/
const PATH = /^(\/([A-Za-z0-9._~!$&'()*+,;=:@-]+|\{[A-Za-z_][A-Za-z0-9_]*\}))+$|^\/$/
const PARAMETER = /\{([^}]*)\}/g

/**
 * Declares a contract. The name (lower case, words joined by `-`) is how the service is addressed everywhere: in
 * configuration, as topic of its events, as schema and role of its database. Throws `contractInvalid` with everything that is wrong.
 */
export function contract<const Name extends string, Ops extends Operations, Events extends EventDeclarations = Record<never, never>>(
  name: Name,
  options: ContractOptions<Ops, Events>,
): Contract<Name, Ops, Events> {
  const mistakes = [...mistakesInNames(name, options), ...mistakesInRoutes(options.operations)]
  if (mistakes.length > 0)
    throw new SkerryError('contractInvalid', `The contract "${name}" is not valid:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`)
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

function mistakesInNames(name: string, options: ContractOptions<Operations, EventDeclarations>): string[] {
  const mistakes: string[] = []
  if (!NAME.test(name) || name.length > 48) mistakes.push('its name must be lower-case words joined by "-", at most 48 characters')
  if (!SEMANTIC_VERSION.test(options.version)) mistakes.push(`version "${options.version}" is not a semantic version such as 1.0.0`)
  for (const member of [...Object.keys(options.operations), ...Object.keys(options.events ?? {})])
    if (!MEMBER_NAME.test(member)) mistakes.push(`"${member}" must be a camelCase name`)
  for (const [operationName, operation] of Object.entries(options.operations))
    for (const code of Object.keys(operation.errors)) {
      if (!MEMBER_NAME.test(code)) mistakes.push(`the problem "${code}" of ${operationName} must be a camelCase name`)
      if (code in ERRORS) mistakes.push(`the problem "${code}" of ${operationName} has the name of one of the platform's own`)
    }
  return mistakes
}

function mistakesInRoutes(operations: Operations): string[] {
  const mistakes: string[] = []
  const owners = new Map<string, string>()
  for (const [name, { method, path }] of Object.entries(operations)) {
    if (!PATH.test(path)) mistakes.push(`${name}: "${path}" is not a path such as /orders or /orders/{orderId}, without a trailing slash`)
    if (path.startsWith('/health') || path === '/openapi.json') mistakes.push(`${name}: ${path} is served by the platform itself`)
    const parameters = [...path.matchAll(PARAMETER)].map((match) => match[1])
    if (new Set(parameters).size < parameters.length) mistakes.push(`${name}: "${path}" names one parameter twice`)
    const route = `${method} ${path.replaceAll(PARAMETER, '{}')}`
    const owner = owners.get(route)
    if (owner === undefined) owners.set(route, name)
    else mistakes.push(`${name} and ${owner} have the same route, ${method} ${path}`)
  }
  return mistakes
}
