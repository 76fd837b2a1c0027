/** A scenario that was planned before: what fails does so because the plan says so, and as often. */
import type { StepDefinition } from '../../saga/definition.ts'
import { Troubles } from '../differential/troubles.ts'
import type { PlannedEvent, Workload } from '../differential/workload.ts'
import { noteOf } from '../differential/workload.ts'
import type { ModelEvent, NewEvent, Poison } from './event.ts'
import type { SagaRow } from './saga-table.ts'
import type { Scenario, StepFailure } from './scenario.ts'
import { SHAPES } from './topology.ts'

export class PlannedScenario implements Scenario {
  readonly keys: readonly string[]
  /** As often as the platform: with fewer attempts the deaths of its consumers could be the end of a message. Sooner, so that a run sees them all. */
  readonly retry = { maxAttempts: 12, minBackoffMs: 100, maxBackoffMs: 2_000 }
  readonly #workload: Workload
  readonly #troubles: Troubles

  constructor(workload: Workload) {
    this.#workload = workload
    this.#troubles = new Troubles(workload)
    this.keys = [...new Set(workload.events.map(({ key }) => key))]
  }

  joinsLate(): boolean {
    return false
  }

  poisonOf({ label }: Pick<ModelEvent, 'label'>): Poison | undefined {
    const poison = this.#workload.poison.get(label)
    if (poison === undefined) return undefined
    return { ...poison, consumer: SHAPES.findIndex(({ name }) => name === poison.consumer), struck: 0 }
  }

  reactionTo({ label }: ModelEvent): NewEvent | undefined {
    const reaction = this.#workload.reactions.get(label)
    return reaction === undefined ? undefined : this.#new(reaction)
  }

  noteOf({ id, definition }: SagaRow, { name }: StepDefinition): NewEvent {
    return this.#new(noteOf(definition, id, name))
  }

  failureOf({ id }: SagaRow, { name }: StepDefinition, direction: 'run' | 'undo'): StepFailure | undefined {
    return this.#troubles.ofStep(id, name, direction)
  }

  #new({ key, label }: PlannedEvent): NewEvent {
    return { keyIndex: this.keys.indexOf(key), label }
  }
}
