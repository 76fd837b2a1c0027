/**
 * What must hold of a saga's effects, looked at each time that a step takes effect or is undone and once more when all is quiet: all of it or
 * nothing, in order, nothing undone behind the pivot, nothing done that was undone.
 */
import type { StepDefinition } from '../../saga/definition.ts'
import type { Effect, SagaRow } from './saga-table.ts'
import type { World } from './world.ts'

const MAX_UNFINISHED = 5

export class SagaChecks {
  readonly #world: World

  constructor(world: World) {
    this.#world = world
  }

  takesEffect(row: SagaRow, step: StepDefinition, effect: Effect): void {
    if (effect.isOver) this.#fail(row, `"${step.name}" took effect after it had been undone`)
    if (effect.inEffect) this.#fail(row, `"${step.name}" took effect twice`)
    const stages = row.definition.stages
    const place = stages.findIndex((stage) => stage.includes(step))
    for (const earlier of stages.slice(0, place).flat())
      // An earlier one may have been undone by whoever has taken over.
      if (row.effects.get(earlier.name)?.record === undefined) this.#fail(row, `"${step.name}" took effect before "${earlier.name}"`)
    effect.inEffect = true
  }

  isUndone(row: SagaRow, step: StepDefinition, effect: Effect): void {
    const { stages } = row.definition
    const place = stages.findIndex((stage) => stage.includes(step))
    for (const later of stages.slice(place + 1).flat())
      if (row.effects.get(later.name)?.inEffect === true)
        this.#fail(
          row,
          later.pivot ? `"${step.name}" was undone behind the pivot "${later.name}"` : `"${step.name}" was undone before "${later.name}"`,
        )
    if (effect.record === undefined) this.#world.reached('an undo came before its action')
    if (effect.inEffect) row.undone.push(step.name)
    effect.inEffect = false
    effect.isOver = true
  }

  final(row: SagaRow): void {
    const { status } = row.state
    this.#world.reached(`a saga ended: ${status}`)
    const steps = row.definition.stages.flat()
    const inEffect = steps.filter(({ name }) => row.effects.get(name)?.inEffect === true).map(({ name }) => name)
    if (status === 'completed' && inEffect.length < steps.length) this.#fail(row, `is completed with no more than ${inEffect.join(', ')}`)
    if (status === 'compensated' && inEffect.length > 0) this.#fail(row, `is undone, but for ${inEffect.join(', ')}`)
    if (status === 'parked' && !this.#mayBeParked(row)) this.#fail(row, `is parked: ${row.state.parkedBecause}`)
  }

  /** What only a person can decide: what is refused for good, be it an undo or behind the pivot, a pivot that failed too often, and what ends whoever works on it. */
  #mayBeParked({ definition, effects, state, unfinished, pastPivot }: SagaRow): boolean {
    if (unfinished >= MAX_UNFINISHED || state.parkedBecause?.includes('times in a row') === true) return true
    return definition.stages.flat().some(({ name, pivot, kind, maxAttempts }) => {
      const effect = effects.get(name)
      if (state.steps[name]?.parked !== true || effect === undefined) return false
      const isRefusedBehindPivot = effect.record === 'refused' && pastPivot && !pivot
      return effect.undoPoisoned || isRefusedBehindPivot || (pivot && kind === 'remote' && effect.failures >= maxAttempts)
    })
  }

  #fail({ id, definition }: SagaRow, what: string): void {
    this.#world.violate(`${definition.name} ${id} ${what}`)
  }
}
