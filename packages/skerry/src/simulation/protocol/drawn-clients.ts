/** Clients of which is drawn what they ask for: events, sagas, and that these are cancelled. What a host does not take is forgotten. */
import { KEYS } from './drawn-scenario.ts'
import { SAGAS } from './saga-shapes.ts'
import type { SagaRow } from './saga-table.ts'
import type { Service, System } from './system.ts'
import type { World } from './world.ts'
import { START_MS } from './world.ts'

const COMMAND_MS = { min: 20, max: 500 }
const MAX_CANCEL_MS = 400

export class DrawnClients {
  /** What they asked for in vain they do not ask for again. */
  readonly isOver = true
  readonly #world: World
  readonly #system: System
  readonly #commands: number
  #nextSaga = 1

  constructor(world: World, system: System, commands: number) {
    this.#world = world
    this.#system = system
    this.#commands = commands
  }

  /** Returns when the last command comes. */
  begin(): number {
    let atMs = START_MS
    for (let number = 1; number <= this.#commands; number++) {
      atMs += this.#world.delayMs('until the next command', COMMAND_MS.min, COMMAND_MS.max)
      this.#world.at(atMs, () => this.#command(number))
    }
    return atMs
  }

  /** A client asks a service for something that changes data, and emits events or starts a saga. */
  #command(number: number): void {
    const system = this.#system
    const { choices } = this.#world
    const about = `command ${number}`
    const commanded = system.services.filter(({ shape }) => shape.isCommanded)
    const service = commanded[Math.floor(choices.sizeOf(about, 'service') * commanded.length)]!
    const host = service.hosts[Math.floor(choices.sizeOf(about, 'host') * service.hosts.length)]!
    if (!host.isUp) return
    if (choices.sizeOf(about, 'kind') < 0.3) {
      const definition = SAGAS[Math.floor(choices.sizeOf(about, 'saga') * SAGAS.length)]!
      const row = system.startSaga(service, host, this.#nextSaga++, definition)
      if (row !== undefined && host.isUp) this.#mayCancel(service, row)
      return
    }
    const count = 1 + Math.floor(choices.sizeOf(about, 'count') * 3)
    const keyIndex = Math.floor(choices.sizeOf(about, 'key') * KEYS.length)
    const events = Array.from({ length: count }, (_, index) => ({
      keyIndex: (keyIndex + (index >> 1)) % KEYS.length,
      label: `${number}.${index}`,
    }))
    system.emit(service, host, events)
  }

  #mayCancel(service: Service, row: SagaRow): void {
    const world = this.#world
    const cancelled = world.strikes('cancel', `saga ${row.id} is cancelled`)
    if (cancelled !== undefined)
      world.at(world.nowMs + world.sizeMs(cancelled, 0, MAX_CANCEL_MS), () => this.#system.cancelSaga(service, row))
  }
}
