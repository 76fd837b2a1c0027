/** Clients of a workload: each asks for one thing after the other, again and again until it is committed. */
import type { Command, Workload } from '../differential/workload.ts'
import type { System } from './system.ts'
import type { World } from './world.ts'
import { START_MS } from './world.ts'

const COMMAND_MS = { min: 20, max: 500 }

export class PlannedClients {
  readonly #world: World
  readonly #system: System
  readonly #workload: Workload
  readonly #keys: readonly string[]
  #busy: number

  /** `keys`: those of the scenario. */
  constructor(world: World, system: System, workload: Workload, keys: readonly string[]) {
    this.#world = world
    this.#system = system
    this.#workload = workload
    this.#keys = keys
    this.#busy = workload.lanes.length
  }

  /** Everything is committed. */
  get isOver(): boolean {
    return this.#busy === 0
  }

  /** Returns by when they would have done if nothing went wrong. */
  begin(): number {
    const { lanes } = this.#workload
    for (const [index, lane] of lanes.entries()) this.#goOn(`client ${index + 1}`, lane)
    return START_MS + COMMAND_MS.max * Math.max(...lanes.map(({ length }) => length))
  }

  #goOn(client: string, left: readonly Command[]): void {
    const world = this.#world
    const [next] = left
    if (next === undefined) {
      this.#busy--
      return
    }
    world.at(world.nowMs + world.delayMs(`${client} thinks`, COMMAND_MS.min, COMMAND_MS.max), () =>
      this.#goOn(client, this.#isCarriedOut(client, next) ? left.slice(1) : left),
    )
  }

  #isCarriedOut(client: string, command: Command): boolean {
    const system = this.#system
    const service = system.services.find(({ shape }) => shape.name === command.service)!
    const host = service.hosts[Math.floor(this.#world.delayMs(`${client} chooses`, 0, service.hosts.length))]!
    if (!host.isUp) return false
    if (command.kind === 'start') return system.startSaga(service, host, command.saga, command.definition) !== undefined
    const events = command.events.map(({ key, label }) => ({ keyIndex: this.#keys.indexOf(key), label }))
    return system.emit(service, host, events)
  }
}
