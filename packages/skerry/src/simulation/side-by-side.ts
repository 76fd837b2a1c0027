/** The ready-made test of a rolling upgrade: versions of services side by side, on one database, with the consumers that there are. */
import type { Service } from '../service/service.ts'
import type { Simulation } from './simulation.ts'
import { simulation as declare } from './simulation.ts'

/**
 * The simulation with earlier versions of services beside the present ones: each of these services runs in two processes, and every start of
 * one is that of either version, until everything heals and only the present one is left. What held before must hold all the while: callers
 * and consumers of either version meet answers and events of either version, and both write to the database that the present one's migrations
 * have made. Throws when the system has no service of that name.
 *
 * @example
 * import previous from '../releases/orders-1.3/service.ts'
 * export default sideBySide(wholeShop, [previous])
 */
export function sideBySide<State>(simulation: Simulation<State>, previous: readonly Service[]): Simulation<State> {
  const { name, options } = simulation
  const instances = Object.fromEntries(
    previous.map(({ contract }) => [contract.name, Math.max(2, options.instances?.[contract.name] ?? 1)]),
  )
  return declare(`${name}, beside ${previous.map(({ contract }) => `${contract.name} ${contract.version}`).join(' and ')}`, {
    ...options,
    previous: [...(options.previous ?? []), ...previous],
    instances: { ...options.instances, ...instances },
  })
}
