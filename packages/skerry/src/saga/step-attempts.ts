/** Attempts at the steps of one instance of a saga: what each is given, and in which transaction it runs. */
import { crashPoint } from '../base/crash-points.ts'
import { DatabaseError } from '../engine/database.ts'
import type { OpenTransaction } from '../events/transaction-runner.ts'
import type { Scope } from '../telemetry/scope.ts'
import { currentScope, runInScope } from '../telemetry/scope.ts'
import type { StartSpan } from '../telemetry/telemetry.ts'
import type { SagaDefinition, StepDefinition } from './definition.ts'
import { SagaAborted } from './definition.ts'
import type { Progress } from './progress.ts'
import { CancelledNow, NotTogether, Replaced } from './progress.ts'
import type { SagaWorkerOptions } from './saga-options.ts'
import type { ClaimedSaga } from './saga-store.ts'
import type { SagaState, StepOutcome } from './saga.ts'
import { resultsOf } from './saga.ts'
import { runStep } from './step-run.ts'

/** Begins the span of an attempt at a step. */
export type StartStep = (saga: string, step: string, direction: 'run' | 'undo') => StartSpan

/** Attempts at the steps of one instance. */
export class Attempts {
  readonly #options: SagaWorkerOptions
  readonly #definition: SagaDefinition
  readonly #saga: ClaimedSaga
  readonly #scope: Scope
  readonly #stepping: StartStep

  constructor(options: SagaWorkerOptions, definition: SagaDefinition, saga: ClaimedSaga, scope: Scope, stepping: StartStep) {
    this.#options = options
    this.#definition = definition
    this.#saga = saga
    this.#scope = scope
    this.#stepping = stepping
  }

  run(state: SagaState, step: StepDefinition, isFirst: boolean): Promise<StepOutcome> {
    return this.#attempt(state, step, 'run', isFirst, (signal) =>
      (step.run as (context: object) => Promise<unknown>)({ ...this.#options.remoteContext(signal), ...this.#given(state) }),
    )
  }

  undo(state: SagaState, step: StepDefinition): Promise<StepOutcome> {
    return this.#attempt(state, step, 'undo', false, async (signal) => {
      await (step.undo as (context: object) => Promise<unknown>)({ ...this.#options.remoteContext(signal), ...this.#undoing(state, step) })
    })
  }

  async runInTransaction(
    progress: Progress,
    state: SagaState,
    step: StepDefinition,
    work: (open: OpenTransaction, context: object, state: SagaState) => Promise<unknown>,
  ): Promise<StepOutcome> {
    return this.#transact(progress, state, step, (open) =>
      work(open, { ...this.#options.localContext(open), ...this.#given(state) }, state),
    )
  }

  /** In the open transaction of the step before it. */
  runIn(open: OpenTransaction, state: SagaState, step: StepDefinition): Promise<StepOutcome> {
    return this.#attempt(state, step, 'run', true, () =>
      runInScope({ ...currentScope()!, transaction: open.transaction }, () =>
        (step.run as (context: object) => Promise<unknown>)({ ...this.#options.localContext(open), ...this.#given(state) }),
      ),
    )
  }

  async undoInTransaction(
    progress: Progress,
    state: SagaState,
    step: StepDefinition,
    record: (open: OpenTransaction) => Promise<void>,
  ): Promise<StepOutcome> {
    return this.#transact(progress, state, step, async (open) => {
      await (step.undo as (context: object) => Promise<unknown>)({ ...this.#options.localContext(open), ...this.#undoing(state, step) })
      await record(open)
    })
  }

  /** Runs what belongs to the end in an open transaction; gives the state then. */
  async finish(open: OpenTransaction, state: SagaState, status: 'completed' | 'compensated'): Promise<SagaState> {
    const handler = (status === 'completed' ? this.#definition.completed : this.#definition.compensated) as
      | ((context: object) => Promise<unknown>)
      | undefined
    await handler?.({ ...this.#options.localContext(open), ...this.#given(state), failure: state.failure })
    return { ...state, status }
  }

  async end(progress: Progress, status: 'completed' | 'compensated'): Promise<void> {
    const handler = status === 'completed' ? this.#definition.completed : this.#definition.compensated
    if (handler === undefined) {
      await progress.recordWith(this.#options.database, { ...progress.state, status }, [], true)
      return
    }
    await this.#options.transactions(this.#scope, 'repeatable read', async (open) => {
      await progress.hold(open.transaction)
      const ended = await this.finish(open, progress.state, status)
      await progress.recordWith(open.transaction, ended, [], true)
      crashPoint('saga.local-before-commit')
    })
  }

  /** What must not be taken for a failure of the step passes through. */
  async #transact(
    progress: Progress,
    state: SagaState,
    step: StepDefinition,
    work: (open: OpenTransaction) => Promise<unknown>,
  ): Promise<StepOutcome> {
    let passing: unknown
    const outcome = await this.#attempt(state, step, 'run', true, () =>
      this.#options
        .transactions({ ...this.#scope, trace: currentScope()!.trace }, 'repeatable read', async (open) => {
          // Travels with the first statement of the step.
          const held = progress.hold(open.transaction)
          held.catch(() => undefined)
          try {
            const output = await work(open)
            await held
            return output
          } catch (error) {
            // What the step ran into may only follow from that.
            const reason = await held.then(
              () => error,
              (cause: unknown) => cause,
            )
            if (reason instanceof Replaced || reason instanceof CancelledNow || reason instanceof NotTogether) passing = reason
            throw reason
          }
        })
        .catch((error: unknown) => {
          // It may be done: only the database knows, and whoever claims the saga next asks it.
          if (error instanceof DatabaseError && error.kind === 'outcome-unknown') passing = error
          throw error
        }),
    )
    if (passing !== undefined && outcome.kind !== 'done') throw passing
    return outcome
  }

  async #attempt(
    state: SagaState,
    step: StepDefinition,
    direction: 'run' | 'undo',
    isFirst: boolean,
    work: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<StepOutcome> {
    const { clock, random } = this.#options
    const before = state.steps[step.name]!
    const span = this.#stepping(this.#saga.name, step.name, direction)(this.#scope.trace)
    span.set('skerry.saga.id', this.#saga.id)
    if (before.attempts > 0) span.set('skerry.saga.attempt', before.attempts + 1)
    const outcome = await runStep({
      step,
      before,
      isFirst,
      keyPrefix: `${this.#saga.id}/${step.name}/${direction}`,
      scope: { ...this.#scope, trace: span },
      clock,
      random,
      work,
    })
    if (outcome.kind === 'done') span.end()
    else span.end({ errorType: outcome.kind, failed: outcome.kind !== 'refused', message: outcome.message })
    return outcome
  }

  #given(state: SagaState): object {
    return {
      input: state.input,
      done: resultsOf(state),
      saga: { id: this.#saga.id, startedAt: new Date(state.startedAtMs) },
      abort: (code: string, data?: unknown) => new SagaAborted(code, data ?? null),
    }
  }

  #undoing(state: SagaState, step: StepDefinition): object {
    return { ...this.#given(state), result: state.steps[step.name]?.output, failure: state.failure }
  }
}
