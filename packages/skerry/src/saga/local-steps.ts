/** Local steps: each in a transaction that also records it, and those that follow one another together in one where all goes well. */
import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { OpenTransaction } from '../events/transaction-runner.ts'
import type { SagaDefinition, StepDefinition } from './definition.ts'
import type { Progress } from './progress.ts'
import { CancelledNow, NotTogether } from './progress.ts'
import type { SagaState, StepOutcome } from './saga.ts'
import { afterRun, decide, withStep } from './saga.ts'
import type { Attempts } from './step-attempts.ts'
import { keptOutput } from './step-run.ts'

/** Local steps begin in the transaction of the step before them until it has been open for so long: others may wait for what it has locked. */
const TOGETHER_MS = 50

/**
 * Runs a local step, and what follows it, in a transaction: `ended` when the saga has ended with it, `goes on` when it is to be decided on
 * anew, else what has come of the step, of which nothing is left then. `started` is the state in which the step runs.
 */
export async function runLocalSteps(
  progress: Progress,
  attempt: Attempts,
  step: StepDefinition,
  started: SagaState,
  clock: Clock,
): Promise<'ended' | 'goes on' | StepOutcome> {
  const { definition, state: before } = progress
  let after = started
  let ended = false
  let joined = false
  const outcome = await attempt
    .runInTransaction(progress, started, step, async (open, context, state) => {
      const untilMs = clock.nowMs() + TOGETHER_MS
      joined = false
      const output = await (step.run as (context: object) => Promise<unknown>)(context)
      const kept = keptOutput(step, output)
      after = afterRun(definition, state, step, { kind: 'done', output: kept })
      if (progress.together) after = await joinNext(open, attempt, definition, after, clock, untilMs)
      const done = Object.keys(after.steps).filter((name) => after.steps[name] !== before.steps[name])
      joined = done.length > 1
      const next = decide(definition, after, clock.nowMs())
      ended = next.kind === 'end'
      if (ended) after = await attempt.finish(open, after, 'completed')
      const cancelCode = await progress.recordWith(open.transaction, after, done, ended)
      // Only the steps themselves can have asked for it meanwhile.
      if (cancelCode !== undefined && (step.pivot || joined)) throw new CancelledNow(cancelCode)
      after = { ...after, cancelCode }
      crashPoint('saga.local-before-commit')
      return kept
    })
    .catch((error: unknown) => {
      if (error instanceof CancelledNow || error instanceof NotTogether) return error
      throw error
    })
  if (!(outcome instanceof Error) && outcome.kind === 'done') {
    progress.recorded(after)
    if (ended) crashPoint('saga.ended')
    return ended ? 'ended' : 'goes on'
  }
  // Which of several it was shows when they are apart.
  if (joined || outcome instanceof NotTogether) {
    progress.together = false
    return 'goes on'
  }
  if (outcome instanceof CancelledNow) {
    progress.set({ ...before, cancelCode: outcome.code })
    return 'goes on'
  }
  return outcome
}

/** The state after the local steps that follow at once, each done at its first attempt. Rejects with `NotTogether` when one is not. */
async function joinNext(
  open: OpenTransaction,
  attempt: Attempts,
  definition: SagaDefinition,
  after: SagaState,
  clock: Clock,
  untilMs: number,
): Promise<SagaState> {
  for (let state = after; ;) {
    const next = decide(definition, state, clock.nowMs())
    if (next.kind === 'skip') {
      state = withStep(state, next.step, { status: 'skipped', attempts: 0 })
      continue
    }
    const [step] = next.kind === 'run' ? next.steps : []
    if (step?.kind !== 'local' || state.steps[step.name] !== undefined || clock.nowMs() >= untilMs) return state
    const begun = withStep(state, step, { status: 'running', attempts: 0 })
    const outcome = await attempt.runIn(open, begun, step)
    if (outcome.kind !== 'done') throw new NotTogether()
    state = afterRun(definition, begun, step, outcome)
  }
}
