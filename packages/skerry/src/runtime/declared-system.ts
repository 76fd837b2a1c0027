/** What a system declares of who calls whom and who is told of which events, against which a map holds what it has seen. */
import type { DeclaredSystem } from '../recent/service-map.ts'
import type { System } from './system.ts'
import { eventPartiesOf, GATEWAY } from './system.ts'

export function declaredSystem(system: System): DeclaredSystem {
  const contracts = system.services.map(({ contract }) => contract)
  const open = contracts.filter(({ operations }) => Object.values(operations).some((operation) => operation.public))
  const byGateway = system.gateway === undefined ? [] : open.map(({ name }) => ({ from: GATEWAY, to: name }))
  const byServices = system.services.flatMap(({ contract: { name: from }, uses }) =>
    Object.values(uses).flatMap(({ name: to, operations }) => (Object.keys(operations).length === 0 ? [] : [{ from, to }])),
  )
  return {
    services: [...(system.gateway === undefined ? [] : [GATEWAY]), ...contracts.map(({ name }) => name)],
    calls: [...byGateway, ...byServices],
    events: eventPartiesOf(system).flatMap(({ contract, receives }) =>
      (receives ?? []).map(({ type: event }) => ({ event, to: contract.name })),
    ),
  }
}
