/**
 * Calls of remote steps: on their way they may be lost, repeated or late, and so may their answers. The participant keeps what it has answered, and a
 * mark of what was undone, so that an action that comes behind its undo is refused.
 */
import type { StepDefinition } from '../../saga/definition.ts'
import type { ProtocolEngines } from './engines.ts'
import type { Host } from './host.ts'
import type { SagaChecks } from './saga-checks.ts'
import type { SagaRow } from './saga-table.ts'
import { effectOf } from './saga-table.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

/** `refused`: for good. `error`: an attempt that failed and counts. `lost`: no answer came in time. */
export type Answer = 'done' | 'refused' | 'error' | 'lost'

const LATE_MS = 6_000

export class SagaCalls {
  readonly #world: World
  readonly #engines: ProtocolEngines
  readonly #checks: SagaChecks
  readonly #scenario: Scenario

  constructor(world: World, engines: ProtocolEngines, checks: SagaChecks, scenario: Scenario) {
    this.#world = world
    this.#engines = engines
    this.#checks = checks
    this.#scenario = scenario
  }

  call(host: Host, row: SagaRow, step: StepDefinition, direction: 'run' | 'undo', answered: (answer: Answer) => void): void {
    const world = this.#world
    const name = `${row.id}/${step.name}/${direction}`
    const { life } = host
    let isOver = false
    const end = (answer: Answer): void => {
      if (isOver) return
      isOver = true
      timer.cancel()
      answered(answer)
    }
    const timer = host.setTimer(step.timeoutMs, () => end('lost'))
    const arrive = (): void => {
      const answer = direction === 'run' ? this.run(row, step) : this.undo(row, step)
      world.note(direction, step.name, row.id, answer.length)
      if (host.life !== life) return
      if (world.strikes('lostAnswer', `${name} answer lost`) === undefined) host.after('is answered', 1, 10, () => end(answer))
      else world.reached('an answer was lost')
    }
    const lost = world.strikes('lostCall', `${name} call lost`)
    const delayMs = world.delayMs(`${name} call`, 1, 10)
    if (lost === undefined) world.at(world.nowMs + delayMs, arrive)
    else if (world.choices.sizeOf(lost, 'late') < 0.7) world.at(world.nowMs + world.sizeMs(lost, 500, LATE_MS), arrive)
  }

  /** What the participant does when the action reaches it, as one transaction. */
  run(row: SagaRow, step: StepDefinition): Answer {
    const effect = effectOf(row, step)
    if (!this.#engines.admits(effect.record)) {
      if (effect.record === 'undone') this.#world.reached('an action came after its undo')
      return effect.record === 'done' ? 'done' : 'refused'
    }
    const failure = this.#scenario.failureOf(row, step, 'run')
    if (failure !== undefined) {
      if (failure === 'refused') {
        effect.record = 'refused'
        effect.isOver = true
      } else effect.failures++
      return failure
    }
    this.#checks.takesEffect(row, step, effect)
    effect.record = 'done'
    return 'done'
  }

  undo(row: SagaRow, step: StepDefinition): Answer {
    const effect = effectOf(row, step)
    if (effect.record === 'undone') return 'done'
    const failure = this.#scenario.failureOf(row, step, 'undo')
    if (failure !== undefined) {
      if (failure === 'refused') effect.undoPoisoned = true
      return failure
    }
    this.#checks.isUndone(row, step, effect)
    effect.record = 'undone'
    return 'done'
  }
}
