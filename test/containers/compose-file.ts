/** A Compose file as Compose would understand it: variables filled in from the environment, and nothing else interpreted. */
import { parse } from 'yaml'

export interface ComposeService {
  readonly image?: string
  readonly build?: { readonly context: string; readonly dockerfile?: string }
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly networks?: readonly string[]
  readonly ports?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
  readonly stop_grace_period?: string
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>
}

/** Throws when a variable that must be set is not. */
export function readCompose(text: string, variables: Readonly<Record<string, string>>): Compose {
  return filledIn(parse(text), variables) as Compose
}

/** The variables that .env.example asks for, each with a value of its own. */
export function requiredVariables(example: string, valueOf: (name: string) => string): Record<string, string> {
  return Object.fromEntries([...example.matchAll(/^(\w+)=$/gm)].map(([, name]) => [name!, valueOf(name!)]))
}

/** Whether two services have a network in common. Those that name none are on `default`. */
export function canReach({ services }: Compose, from: string, to: string): boolean {
  const networksOf = (name: string): readonly string[] => services[name]?.networks ?? ['default']
  return networksOf(from).some((network) => networksOf(to).includes(network))
}

// Compose's forms: ${NAME:?what to do}, ${NAME:-default}; an empty variable counts as missing in both.
const VARIABLE = /\$\$|\$\{(\w+)(?::([?-])([^}]*))?\}/g

function filledIn(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string')
    return value.replaceAll(VARIABLE, (whole, name: string | undefined, operator: string | undefined, argument: string | undefined) => {
      if (name === undefined) return '$'
      const given = variables[name] ?? ''
      if (given === '' && operator === '?') throw new Error(`${whole}: ${argument}`)
      return given === '' ? (argument ?? '') : given
    })
  if (Array.isArray(value)) return value.map((element) => filledIn(element, variables))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, filledIn(member, variables)]))
  return value
}
