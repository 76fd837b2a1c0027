/** A system is the services and the gateway that make an application: the only place that knows what exists. Where they run is configuration. */
import { SkerryError } from '../base/errors.ts'
import type { EventParty } from '../contract/asyncapi.ts'
import type { Consumer } from '../engine/broker.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { Service } from '../service/service.ts'
import { consumedEvents } from '../service/service.ts'

export interface System<Services extends readonly Service[] = readonly Service[]> {
  readonly kind: 'system'
  readonly name: string
  readonly services: Services
  readonly gateway: Gateway | undefined
}

/** The name by which the gateway is started, like a service. */
export const GATEWAY = 'gateway'

/**
 * Declares a system.
 *
 * @example system('shop', { services: [users, orders], gateway: gateway() })
 */
export function system<const Services extends readonly Service[]>(
  name: string,
  options: { readonly services: Services; readonly gateway?: Gateway },
): System<Services> {
  const mistakes: string[] = []
  const names = options.services.map((service) => service.contract.name)
  if (names.length === 0) mistakes.push('it has no services')
  for (const [index, serviceName] of names.entries()) {
    if (serviceName === GATEWAY) mistakes.push(`a service is named "${GATEWAY}", which is the gateway's own name`)
    if (names.indexOf(serviceName) !== index) mistakes.push(`two services implement the contract "${serviceName}"`)
  }
  for (const { contract } of options.gateway?.using ?? [])
    if (!names.includes(contract.name)) mistakes.push(`the gateway is using "${contract.name}", which no service implements`)
  if (mistakes.length > 0)
    throw new SkerryError('systemInvalid', `The system "${name}" is not valid:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`)
  return Object.freeze({ kind: 'system', name, services: Object.freeze(options.services), gateway: options.gateway })
}

/** What of a system a host runs. */
export interface Selection {
  readonly services: readonly Service[]
  readonly gateway: boolean
}

/** Picks services (and `gateway`) by name; none given means all. Throws `systemInvalid` that lists the names there are. */
export function select(system: System, names: readonly string[]): Selection {
  if (names.length === 0) return { services: system.services, gateway: system.gateway !== undefined }
  const known = [...system.services.map((service) => service.contract.name), ...(system.gateway === undefined ? [] : [GATEWAY])]
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new SkerryError(
      'systemInvalid',
      `The system "${system.name}" has no service named ${unknown.map((name) => `"${name}"`).join(', ')}. It has: ${known.join(', ')}.`,
    )
  return { services: system.services.filter((service) => names.includes(service.contract.name)), gateway: names.includes(GATEWAY) }
}

/** Every consumer of the system and the topics it needs. */
export function consumersOf(system: System): readonly Consumer[] {
  return system.services
    .map((service) => ({ name: service.contract.name, topics: [...new Set(consumedEvents(service).map((event) => event.contract))] }))
    .filter(({ topics }) => topics.length > 0)
}

/** The versions of sagas that a service of the system has the code of, as `name@version`. */
export function sagaVersionsOf(system: System, service: string): readonly string[] {
  const sagas = system.services.find(({ contract }) => contract.name === service)?.sagas ?? []
  return sagas.map(({ definition }) => `${definition.name}@${definition.version}`)
}

/** Every service of the system with the events that it handles. */
export function eventPartiesOf(system: System): readonly EventParty[] {
  return system.services.map((service) => ({ contract: service.contract, receives: consumedEvents(service) }))
}
