/**
 * A worker of sagas, as `saga/saga-worker.ts` with `progress.ts`, `local-steps.ts` and the part of `step-run.ts` that says what an answer
 * means: what is recorded before what, under which epoch, and what a wish to cancel does. Left out are waits for events, local steps that share a
 * transaction, the renewal of leases, and that suspects are worked on alone.
 */
import { Alarm } from '../../base/alarm.ts'
import type { StepDefinition } from '../../saga/definition.ts'
import type { SagaState, StepOutcome, StepState } from '../../saga/saga.ts'
import { park, withStep } from '../../saga/saga.ts'
import type { ProtocolEngines } from './engines.ts'
import type { Ended, Host } from './host.ts'
import type { Answer, SagaCalls } from './saga-calls.ts'
import type { SagaRow, SagaTable } from './saga-table.ts'

/** As in `progress.ts` and `saga-worker.ts`. */
const LEASE_MS = 5_000
const POLL_MS = 1_000
const TROUBLE_MS = 2_000
const MAX_UNFINISHED = 5
const DB_MS = { min: 1, max: 8 }

export interface SagaNodeOptions {
  readonly table: SagaTable
  readonly calls: SagaCalls
  readonly engines: ProtocolEngines
  readonly exclusive: boolean
  /** What a local step emits: writes it in the transaction, and gives what is to be done once that is committed. */
  readonly emit: (row: SagaRow, step: StepDefinition) => (ended: Ended) => void
}

interface Progress {
  readonly row: SagaRow
  readonly epoch: number
  readonly unfinished: number
  state: SagaState
  progressed: boolean
}

type Written = 'written' | 'cancelled' | 'lost'

export class SagaNode {
  readonly #host: Host
  readonly #options: SagaNodeOptions
  readonly #alarm: Alarm
  readonly #active = new Set<SagaRow>()
  #claiming = false
  #freed = false

  constructor(host: Host, options: SagaNodeOptions) {
    this.#host = host
    this.#options = options
    this.#alarm = new Alarm(host, () => this.wake())
  }

  start(): void {
    this.wake()
  }

  wake(): void {
    if (this.#claiming) return
    this.#claiming = true
    this.#host.after('claims sagas', DB_MS.min, DB_MS.max, () => this.#claim())
  }

  #claim(): void {
    const { table, exclusive } = this.#options
    const host = this.#host
    const nowMs = host.nowMs()
    this.#claiming = false
    let nextMs = nowMs + TROUBLE_MS
    if (!host.isRefused('claim sagas')) {
      if (exclusive && !this.#freed) table.freeAll(host.owner, nowMs)
      this.#freed = true
      for (const row of table.claimDue(host.owner, nowMs, nowMs + LEASE_MS, this.#active)) {
        if (row.unfinished > 0) host.world.reached('a saga was taken over')
        this.#work(row)
      }
      const dueMs = table.nextDueMs
      nextMs = dueMs <= nowMs ? nowMs + POLL_MS : dueMs
    }
    this.#alarm.by(exclusive ? nextMs : Math.min(nextMs, nowMs + POLL_MS))
  }

  #work(row: SagaRow): void {
    const { engines } = this.#options
    this.#active.add(row)
    const progress: Progress = {
      row,
      epoch: row.epoch,
      unfinished: row.unfinished,
      state: { ...row.state, cancelCode: row.cancelCode },
      progressed: false,
    }
    if (row.unfinished < MAX_UNFINISHED) return this.#step(progress)
    this.#host.world.reached('a saga that ends whoever works on it was given up')
    set(progress, engines.giveUp(row.definition, progress.state, `it was lost ${row.unfinished} times in a row`))
    this.#record(progress, () => this.#step(progress))
  }

  #step(progress: Progress): void {
    const { engines } = this.#options
    const host = this.#host
    const { row } = progress
    for (;;) {
      const decision = engines.decide(row.definition, progress.state, host.nowMs())
      host.world.note(decision.kind, host.name, row.id, progress.epoch)
      switch (decision.kind) {
        case 'skip':
          set(progress, withStep(progress.state, decision.step, { status: 'skipped', attempts: 0 }))
          continue
        case 'compensate':
          set(progress, engines.compensate(progress.state, decision.failure))
          continue
        case 'park':
          set(progress, park(progress.state, decision.step, decision.because))
          continue
        case 'run':
          return decision.steps[0]!.kind === 'local' ? this.#runLocal(progress, decision.steps[0]!) : this.#run(progress, decision.steps)
        case 'undo':
          return this.#undo(progress, decision.step)
        case 'end':
          return this.#end(progress, decision.status)
        case 'rest':
          return this.#giveBack(progress, decision.untilMs)
        case 'await':
          throw new Error('no saga of the model waits for an event')
      }
    }
  }

  #run(progress: Progress, steps: readonly StepDefinition[]): void {
    const { engines, calls } = this.#options
    const host = this.#host
    const { row } = progress
    const begun = progress.state
    const isNew = steps.filter(({ name }) => begun.steps[name] === undefined)
    for (const step of steps)
      progress.state = withStep(progress.state, step, { ...idle(progress.state.steps[step.name]), status: 'running' })
    this.#record(progress, () => {
      if (progress.state.cancelCode !== undefined && !engines.isPastPivot(row.definition, begun)) {
        for (const step of isNew) set(progress, withStep(progress.state, step, { status: 'refused', attempts: 0 }))
        return this.#step(progress)
      }
      if (!host.passes('saga.step-begun')) return
      const answers: Answer[] = []
      let missing = steps.length
      for (const [index, step] of steps.entries())
        calls.call(host, row, step, 'run', (answer) => {
          answers[index] = answer
          if (--missing > 0) return
          if (!host.passes('saga.step-ran')) return
          for (const [place, ran] of steps.entries()) this.#note(progress, ran, this.#outcome(progress, ran, answers[place]!))
          this.#step(progress)
        })
    })
  }

  #runLocal(progress: Progress, step: StepDefinition): void {
    const { engines, calls, emit } = this.#options
    const host = this.#host
    const { row } = progress
    const before = progress.state
    const started = withStep(before, step, { ...idle(before.steps[step.name]), status: 'running' })
    host.after('runs a local step', DB_MS.min, DB_MS.max, () => {
      if (!engines.isOwn(row, progress.epoch)) return this.#replaced(progress)
      if (row.cancelCode !== undefined && this.#mayBeCancelled(progress, before)) return this.#cancelled(progress, before)
      if (!host.passes('saga.local-before-commit')) return
      let answer: Answer = 'done'
      let emitted: ((ended: Ended) => void) | undefined
      let after = started
      let ended = false
      const result = host.commit('local step', () => {
        answer = calls.run(row, step)
        if (answer !== 'done') return
        after = engines.afterRun(row.definition, started, step, { kind: 'done', output: null })
        emitted = emit(row, step)
        ended = engines.decide(row.definition, after, host.nowMs()).kind === 'end'
        if (ended) after = { ...after, status: 'completed' }
        this.#write(progress, after, { ended, progressed: true })
      })
      // It may be done: only the database knows, and whoever claims the saga next asks it.
      if (result !== 'refused') emitted?.(result)
      if (result === 'unknown') return this.#drop(progress)
      if (result === 'refused' || answer !== 'done') {
        const outcome = this.#outcome(progress, step, result === 'refused' ? 'lost' : answer)
        progress.state = started
        this.#note(progress, step, outcome)
        if (progress.state.status === 'compensating')
          set(progress, withStep(progress.state, step, { ...progress.state.steps[step.name]!, status: 'refused' }))
        return this.#step(progress)
      }
      set(progress, { ...after, cancelCode: row.cancelCode })
      if (!ended) return this.#step(progress)
      this.#active.delete(row)
      host.passes('saga.ended')
    })
  }

  #undo(progress: Progress, step: StepDefinition): void {
    const { engines, calls } = this.#options
    const host = this.#host
    const { row } = progress
    const before = progress.state.steps[step.name]!
    if (before.status === 'running') host.world.reached('undo came after an unknown outcome')
    const undoing: StepState = { ...idle(before), status: 'undoing' }
    progress.state = withStep(progress.state, step, before.status === 'undoing' ? undoing : { ...undoing, attempts: 0, deferrals: 0 })
    this.#record(progress, () => {
      const answered = (answer: Answer): void => {
        if (!host.passes('saga.undone')) return
        const outcome = this.#outcome(progress, step, answer)
        const after =
          outcome.kind === 'done'
            ? engines.afterUndo(progress.state, step, { kind: 'undone' })
            : engines.afterUndo(progress.state, step, {
                kind: 'failed',
                message: answer,
                permanent: outcome.kind !== 'failed',
                retryAtMs: outcome.kind === 'failed' ? outcome.retryAtMs : 0,
              })
        set(progress, after)
        this.#step(progress)
      }
      if (step.kind === 'remote') return calls.call(host, row, step, 'undo', answered)
      host.after('undoes a local step', DB_MS.min, DB_MS.max, () => {
        if (!engines.isOwn(row, progress.epoch)) return this.#replaced(progress)
        if (!host.passes('saga.local-before-commit')) return
        let answer: Answer = 'done'
        const result = host.commit('undo locally', () => {
          answer = calls.undo(row, step)
          if (answer === 'done') this.#write(progress, engines.afterUndo(progress.state, step, { kind: 'undone' }), { progressed: true })
        })
        if (result === 'unknown') return this.#drop(progress)
        if (result === 'refused') answer = 'lost'
        answered(answer)
      })
    })
  }

  #end(progress: Progress, status: 'completed' | 'compensated'): void {
    const host = this.#host
    const { row } = progress
    host.after('ends a saga', DB_MS.min, DB_MS.max, () => {
      let written = 'lost' as Written
      const result = host.commit('end', () => {
        const isCancellable = status === 'completed' && this.#mayBeCancelled(progress, { ...progress.state, status: 'running' })
        written = this.#write(progress, { ...progress.state, status }, { ended: true, unlessCancelled: isCancellable })
      })
      if (written === 'cancelled') return this.#cancelled(progress, progress.state)
      if (result !== 'committed' || written === 'lost') return this.#drop(progress)
      this.#active.delete(row)
      host.passes('saga.ended')
    })
  }

  #giveBack(progress: Progress, untilMs: number): void {
    const host = this.#host
    host.after('gives a saga back', DB_MS.min, DB_MS.max, () => {
      let written = 'lost' as Written
      const unlessCancelled = untilMs > host.nowMs() && this.#mayBeCancelled(progress, progress.state)
      const result = host.commit('give back', () => {
        written = this.#write(progress, progress.state, { untilMs, unlessCancelled })
      })
      if (written === 'cancelled') return this.#cancelled(progress, progress.state)
      if (result !== 'committed') return this.#drop(progress)
      this.#active.delete(progress.row)
      this.#alarm.by(untilMs)
    })
  }

  /** Records everything and keeps the instance. */
  #record(progress: Progress, then: () => void): void {
    const host = this.#host
    host.after('records a saga', DB_MS.min, DB_MS.max, () => {
      let written = 'lost' as Written
      const result = host.commit('record', () => {
        written = this.#write(progress, progress.state, {})
      })
      if (written === 'lost' && result !== 'refused') return this.#replaced(progress)
      if (result !== 'committed') return this.#drop(progress)
      progress.state = { ...progress.state, cancelCode: progress.row.cancelCode }
      then()
    })
  }

  #write(
    { row, epoch, progressed }: Progress,
    state: SagaState,
    how: { readonly ended?: boolean; readonly untilMs?: number; readonly unlessCancelled?: boolean; readonly progressed?: boolean },
  ): Written {
    const { engines } = this.#options
    const host = this.#host
    if (!engines.isOwn(row, epoch)) {
      host.world.reached('a write of somebody who had been replaced was refused')
      return 'lost'
    }
    if (how.unlessCancelled === true && row.cancelCode !== undefined) return 'cancelled'
    const isKept = how.ended !== true && how.untilMs === undefined
    row.state = state
    row.pastPivot = engines.isPastPivot(row.definition, state)
    row.owner = isKept ? host.owner : undefined
    row.nextAtMs = how.ended === true ? Infinity : (how.untilMs ?? host.nowMs() + LEASE_MS)
    row.ended = how.ended === true
    if (progressed || how.progressed === true) row.unfinished = 0
    return 'written'
  }

  #note(progress: Progress, step: StepDefinition, outcome: StepOutcome): void {
    set(progress, this.#options.engines.afterRun(progress.row.definition, progress.state, step, outcome))
  }

  /** As `step-run.ts`, of participants that keep what they have answered. */
  #outcome({ state }: Progress, step: StepDefinition, answer: Answer): StepOutcome {
    if (answer === 'done') return { kind: 'done', output: null }
    if (answer === 'refused') return { kind: 'refused', message: answer, code: answer, data: null }
    const before = state.steps[step.name]
    const failures = (before?.attempts ?? 0) + (before?.deferrals ?? 0)
    const backoffMs = Math.min(step.maxBackoffMs, step.minBackoffMs * 2 ** Math.min(20, failures))
    const retryAtMs = this.#host.nowMs() + Math.round(backoffMs / 2 + this.#host.next() * (backoffMs / 2))
    return { kind: 'failed', message: answer, counts: answer === 'error', retryAtMs }
  }

  #mayBeCancelled({ row }: Progress, state: SagaState): boolean {
    return state.status === 'running' && state.cancelCode === undefined && !this.#options.engines.isPastPivot(row.definition, state)
  }

  #cancelled(progress: Progress, before: SagaState): void {
    this.#host.world.reached('a saga was cancelled in the last moment')
    set(progress, { ...before, cancelCode: progress.row.cancelCode })
    this.#step(progress)
  }

  #replaced(progress: Progress): void {
    this.#host.world.reached('somebody who had been replaced noticed it')
    this.#active.delete(progress.row)
  }

  /** It could not be recorded: whoever claims it next goes on. */
  #drop({ row }: Progress): void {
    this.#active.delete(row)
    this.#alarm.by(this.#host.nowMs() + LEASE_MS)
  }
}

function set(progress: Progress, state: SagaState): void {
  progress.progressed = true
  progress.state = state
}

function idle(step: StepState | undefined): StepState {
  return { ...(step ?? { attempts: 0 }), status: 'running', retryAtMs: undefined, parked: undefined }
}
