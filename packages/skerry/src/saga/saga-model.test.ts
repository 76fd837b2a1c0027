/** A saga's decisions under whatever may happen: random outcomes, crashes that forget what was not recorded, and cancels at any time. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { declareSaga } from './definition.ts'
import type { SagaDefinition, StepDefinition } from './definition.ts'
import type { SagaState, StepOutcome } from './saga.ts'
import { afterRun, afterUndo, compensate, decide, isPastPivot, park, withStep } from './saga.ts'

interface Shape {
  readonly kind: 'remote' | 'local' | 'parallel'
  readonly pivot: boolean
}
const shapes = fc
  .tuple(fc.array(fc.constantFrom<Shape['kind']>('remote', 'local', 'parallel'), { minLength: 1, maxLength: 4 }), fc.nat(5))
  .map(([kinds, pivot]) => kinds.map((kind, index): Shape => ({ kind, pivot: index === pivot && kind !== 'parallel' })))

/** What comes of an attempt, and whether it has had its effect: nobody can tell from an answer that was lost. */
const happenings = fc.constantFrom(
  'done',
  'done',
  'done',
  'refused',
  'failed',
  'lost',
  'unreachable',
  'aborted',
  'broken',
  'crash before',
  'crash after',
  'cancel',
  'deadline',
)
type Happening = typeof happenings extends fc.Arbitrary<infer T> ? T : never

function define(shape: readonly Shape[]): SagaDefinition {
  const step = { run: async () => 1, undo: async () => 1, retry: { attempts: 2 } }
  let saga = declareSaga<z.ZodObject, unknown, unknown>('shop', 'model', { input: z.object({}), deadline: '1d' })
  for (const [index, { kind, pivot }] of shape.entries())
    saga =
      kind === 'parallel'
        ? saga.parallel({ [`s${index}a`]: step, [`s${index}b`]: step })
        : kind === 'local'
          ? saga.local(`s${index}`, { ...step, pivot })
          : saga.step(`s${index}`, { ...step, pivot })
  return saga.definition
}

/** The worker's part, with the world beside it. */
class World {
  readonly definition: SagaDefinition
  state: SagaState = { status: 'running', input: {}, startedAtMs: 0, steps: {} }
  recorded: SagaState = this.state
  nowMs = 0
  readonly inEffect = new Set<string>()
  readonly undone: string[] = []
  readonly #happenings: Happening[]

  constructor(definition: SagaDefinition, happened: readonly Happening[]) {
    this.definition = definition
    this.#happenings = [...happened]
  }

  /** False when nothing is left to do. */
  turn(): boolean {
    const decision = decide(this.definition, this.state, this.nowMs)
    if (decision.kind === 'rest') {
      this.recorded = this.state
      this.nowMs = decision.untilMs
      return Number.isFinite(decision.untilMs)
    }
    if (decision.kind === 'end') {
      this.state = { ...this.state, status: decision.status }
      return false
    }
    if (decision.kind === 'compensate') this.state = compensate(this.state, decision.failure)
    if (decision.kind === 'park') this.state = park(this.state, decision.step, decision.because)
    if (decision.kind === 'skip') this.state = withStep(this.state, decision.step, { status: 'skipped', attempts: 0 })
    if (decision.kind === 'undo') this.#undo(decision.step)
    if (decision.kind === 'run') this.#run(decision.steps)
    return true
  }

  #run(steps: readonly StepDefinition[]): void {
    for (const step of steps) this.#begin(step, 'running')
    if (steps[0]!.kind === 'remote') this.recorded = this.state
    let crashed = false
    for (const step of steps) {
      const next = this.#happenings.shift() ?? 'done'
      // Who has kept its answer under the step's key repeats it.
      const happened = next === 'refused' && this.inEffect.has(step.name) ? 'done' : next
      const local = step.kind === 'local'
      if (happened === 'cancel' && !isPastPivot(this.definition, this.recorded)) this.recorded = { ...this.recorded, cancelCode: 'no' }
      if (happened === 'deadline') this.nowMs += 86_400_000
      const took = ['done', 'cancel', 'deadline', 'crash after'].includes(happened) || (!local && ['lost', 'aborted'].includes(happened))
      if (took && !(local && happened.startsWith('crash'))) this.inEffect.add(step.name)
      crashed ||= happened.startsWith('crash')
      this.state = afterRun(this.definition, this.state, step, this.#outcome(happened, local))
      if (local && took && !crashed) this.recorded = { ...this.state, cancelCode: this.recorded.cancelCode }
    }
    this.state = crashed ? this.recorded : { ...this.state, cancelCode: this.recorded.cancelCode }
  }

  #outcome(happened: Happening, local: boolean): StepOutcome {
    const about = { message: happened, code: happened, data: null }
    if (happened === 'refused' || (local && happened === 'aborted')) return { kind: 'refused', ...about }
    if (happened === 'aborted' || happened === 'broken') return { kind: 'aborted', ...about, broken: happened === 'broken' }
    if (happened === 'failed' || happened === 'lost') return { kind: 'failed', message: '', counts: true, retryAtMs: this.nowMs + 1 }
    if (happened === 'unreachable') return { kind: 'failed', message: '', counts: false, retryAtMs: this.nowMs + 1 }
    return { kind: 'done', output: happened }
  }

  #undo(step: StepDefinition): void {
    this.#begin(step, 'undoing')
    if (step.kind === 'remote') this.recorded = this.state
    const happened = this.#happenings.shift() ?? 'done'
    if (happened === 'crash before') return void (this.state = this.recorded)
    const fails = happened === 'failed' || happened === 'unreachable'
    const outcome = fails
      ? ({ kind: 'failed', message: '', permanent: false, retryAtMs: this.nowMs + 1 } as const)
      : ({ kind: 'undone' } as const)
    if (!fails) {
      if (step.kind === 'local') expect(this.inEffect, `${step.name} is undone without having been done`).toContain(step.name)
      this.inEffect.delete(step.name)
      this.undone.push(step.name)
    }
    this.state = afterUndo(this.state, step, outcome)
    if (step.kind === 'local' && !fails) this.recorded = this.state
    if (happened === 'crash after') this.state = this.recorded
  }

  #begin(step: StepDefinition, status: 'running' | 'undoing'): void {
    const before = this.state.steps[step.name] ?? { attempts: 0 }
    this.state = withStep(this.state, step, { ...before, status, retryAtMs: undefined })
  }
}

test('whatever happens, it ends: all done, nothing left of it, or a person is asked; and nothing is undone behind the pivot', () => {
  const ends = new Set<string>()
  fc.assert(
    fc.property(shapes, fc.array(happenings, { maxLength: 30 }), (shape, happened) => {
      const world = new World(define(shape), happened)
      let turns = 0
      while (world.turn()) expect(turns++, 'it does not end').toBeLessThan(500)
      const { status } = world.state
      const names = world.definition.stages.flat().map(({ name }) => name)
      const pivot = world.definition.stages.flat().find((step) => step.pivot)
      ends.add(status)
      expect(['completed', 'compensated', 'parked']).toContain(status)
      if (status === 'completed') expect([...world.inEffect].toSorted()).toEqual(names.toSorted())
      if (status === 'compensated') expect([...world.inEffect]).toEqual([])
      if (status !== 'compensated') expect(world.undone).toEqual([])
      if (pivot === undefined) expect(status).not.toBe('parked')
    }),
    { numRuns: 3_000 },
  )
  expect([...ends].toSorted()).toEqual(['compensated', 'completed', 'parked'])
})

const step = { run: async () => 1, undo: async () => 1 }
const declared = () => declareSaga<z.ZodObject, unknown, unknown>('shop', 'model', { input: z.object({}) })
const throws = (): boolean => {
  throw new TypeError('done.first is undefined')
}

test('a condition that throws undoes the saga, and behind the pivot asks for a person', () => {
  const first = { status: 'done', attempts: 0, output: 1 } as const
  const state: SagaState = { status: 'running', input: {}, startedAtMs: 0, steps: { first } }
  const before = declared()
    .step('first', step)
    .step('second', { ...step, when: throws }).definition
  expect(decide(before, state, 0)).toMatchObject({ kind: 'compensate', failure: { reason: 'broken', step: 'second' } })
  const behind = declared()
    .step('first', { ...step, pivot: true })
    .step('second', { ...step, when: throws }).definition
  expect(decide(behind, state, 0)).toMatchObject({ kind: 'park', because: expect.stringContaining('"second"') as string })
})

test('a local pivot that has failed has had no effect: it can be cancelled, and its saga is undone', () => {
  const { definition } = declared()
    .step('first', step)
    .local('pay', { ...step, pivot: true, retry: { attempts: 1 } })
  const pay = definition.stages[1]![0]!
  const steps = { first: { status: 'done', attempts: 0 }, pay: { status: 'running', attempts: 1, retryAtMs: 9 } } as const
  const failed: SagaState = { status: 'running', input: {}, startedAtMs: 0, steps }
  expect(isPastPivot(definition, failed)).toBe(false)
  expect(decide(definition, { ...failed, cancelCode: 'no' }, 0)).toMatchObject({ kind: 'compensate' })
  const exhausted = afterRun(definition, failed, pay, { kind: 'failed', message: '', counts: true, retryAtMs: 9 })
  expect(decide(definition, exhausted, 0)).toMatchObject({ kind: 'undo', step: { name: 'first' } })
})
