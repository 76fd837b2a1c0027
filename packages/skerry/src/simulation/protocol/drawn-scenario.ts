/** A scenario in which everything is one more turn of events: what fails, and what follows from what, is drawn as the run goes on. */
import type { StepDefinition } from '../../saga/definition.ts'
import type { ModelEvent, NewEvent, Poison } from './event.ts'
import type { SagaRow } from './saga-table.ts'
import { effectOf } from './saga-table.ts'
import type { Scenario, StepFailure } from './scenario.ts'
import { SUBSCRIBERS } from './topology.ts'
import type { World } from './world.ts'

export const KEYS = ['a', 'b', 'c', 'd'] as const

export class DrawnScenario implements Scenario {
  readonly keys = KEYS
  /** Fewer and sooner than the platform's, so that a run sees the last one. */
  readonly retry = { maxAttempts: 4, minBackoffMs: 100, maxBackoffMs: 2_000 }
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  joinsLate(service: string): boolean {
    return this.#world.strikes('joins', `${service} joins late`) !== undefined
  }

  poisonOf({ topic, service, key, sequence }: Pick<ModelEvent, 'topic' | 'service' | 'key' | 'sequence'>): Poison | undefined {
    const subscribers = SUBSCRIBERS[service]!
    const choice = subscribers.length === 0 ? undefined : this.#world.strikes('poison', `${topic}/${key}/${sequence} is poison`)
    if (choice === undefined) return undefined
    const { choices } = this.#world
    const consumer = subscribers[Math.floor(choices.sizeOf(choice, 'consumer') * subscribers.length)]!
    const kind = choices.sizeOf(choice, 'kind')
    if (kind < 0.5) return { kind: 'transient', times: 1 + Math.floor(choices.sizeOf(choice, 'times') * 2), consumer, struck: 0 }
    if (kind < 0.65) return { kind: 'transient', times: Infinity, consumer, struck: 0 }
    return kind < 0.85
      ? { kind: 'permanent', times: Infinity, consumer, struck: 0 }
      : { kind: 'killer', times: Infinity, consumer, struck: 0 }
  }

  reactionTo({ id, keyIndex, label }: ModelEvent): NewEvent | undefined {
    return id % 2 === 0 ? { keyIndex, label: `re ${label}` } : undefined
  }

  noteOf({ id }: SagaRow, { name }: StepDefinition): NewEvent {
    return { keyIndex: id % KEYS.length, label: `saga ${id} ${name}` }
  }

  failureOf(row: SagaRow, step: StepDefinition, direction: 'run' | 'undo'): StepFailure | undefined {
    const world = this.#world
    const { name, pivot, undo } = step
    const about = `${row.id}/${name}/${direction}`
    if (direction === 'undo') {
      if (world.strikes('poisonedUndo', `${about} poisoned`) !== undefined || effectOf(row, step).undoPoisoned) return 'refused'
    } else if (pivot || undo !== undefined) {
      // What is behind the pivot must not be refused.
      if (world.strikes('refusedStep', `${about} refused`) !== undefined) return 'refused'
    }
    return world.strikes('failedStep', `${about} fails`) === undefined ? undefined : 'error'
  }
}
