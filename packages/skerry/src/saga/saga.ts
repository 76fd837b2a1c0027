/**
 * A saga's decisions, as a pure state machine: given what is known of its steps, what to do next. Effects (SQL, calls, timers) are in
 * `saga-worker.ts`.
 */
import type { SagaDefinition, SagaFailure, StepDefinition } from './definition.ts'

export interface StepState {
  readonly status:
    /** Begun: it may have taken effect. */
    | 'running'
    | 'done'
    | 'skipped'
    /** It was answered that it did not take effect. */
    | 'refused'
    | 'undoing'
    | 'undone'
  /** Failed attempts of the present direction. */
  readonly attempts: number
  /** How often it could not even be tried, because something was unreachable. */
  readonly deferrals?: number | undefined
  readonly output?: unknown
  /** When it may be tried again. */
  readonly retryAtMs?: number | undefined
  /** When a wait began. */
  readonly sinceMs?: number | undefined
  readonly error?: string | undefined
  /** It is why the saga waits for a person. */
  readonly parked?: boolean | undefined
  /** When this was recorded; set by the store. */
  readonly atMs?: number | undefined
}

/** The pseudo step under which failures of the ending are counted. */
export const ENDING = '$ending'

export interface SagaState {
  readonly status: 'running' | 'compensating' | 'completed' | 'compensated' | 'parked'
  readonly input: unknown
  readonly startedAtMs: number
  readonly steps: Readonly<Record<string, StepState>>
  readonly failure?: SagaFailure | undefined
  /** Why a person has to look at it. */
  readonly parkedBecause?: string | undefined
  /** Somebody wants it undone. */
  readonly cancelCode?: string | undefined
}

export type Decision =
  /** Begin, or try again, these steps side by side. */
  | { readonly kind: 'run'; readonly steps: readonly StepDefinition[] }
  /** Look for the event of this step. */
  | { readonly kind: 'await'; readonly step: StepDefinition; readonly untilMs: number }
  | { readonly kind: 'undo'; readonly step: StepDefinition }
  | { readonly kind: 'compensate'; readonly failure: SagaFailure }
  | { readonly kind: 'skip'; readonly step: StepDefinition }
  /** Only a person can go on with it. */
  | { readonly kind: 'park'; readonly step: StepDefinition; readonly because: string }
  | { readonly kind: 'end'; readonly status: 'completed' | 'compensated' }
  /** Nothing before then; Infinity: nothing by itself. */
  | { readonly kind: 'rest'; readonly untilMs: number }

export function decide(definition: SagaDefinition, state: SagaState, nowMs: number): Decision {
  if (state.status === 'running') return forward(definition, state, nowMs)
  if (state.status === 'compensating') return backward(definition, state, nowMs)
  return { kind: 'rest', untilMs: Infinity }
}

/** True from the moment the pivot may have taken effect, so that nothing may be undone. */
export function isPastPivot({ stages }: SagaDefinition, { steps }: Pick<SagaState, 'steps'>): boolean {
  for (const stage of stages)
    for (const { name, pivot, kind } of stage) {
      if (!pivot) continue
      const status = steps[name]?.status
      return status === 'done' || (status === 'running' && kind !== 'local')
    }
  return false
}

/** The results of the steps that are done, by name. */
export function resultsOf({ steps }: Pick<SagaState, 'steps'>): Record<string, unknown> {
  const results: Record<string, unknown> = {}
  for (const [name, { status, output }] of Object.entries(steps))
    if (status === 'done' || status === 'undoing' || status === 'undone') results[name] = output
  return results
}

function forward(definition: SagaDefinition, state: SagaState, nowMs: number): Decision {
  const deadlineAtMs = definition.deadlineMs === undefined ? Infinity : state.startedAtMs + definition.deadlineMs
  const undoable = !isPastPivot(definition, state)
  if (undoable && state.cancelCode !== undefined)
    return { kind: 'compensate', failure: failure('cancelled', undefined, 'It was cancelled', state.cancelCode) }
  if (undoable && nowMs >= deadlineAtMs)
    return {
      kind: 'compensate',
      failure: failure('deadlineExceeded', undefined, `It was not done within ${definition.deadlineMs} ms`, 'deadlineExceeded'),
    }
  const limitMs = undoable ? deadlineAtMs : Infinity
  for (const stage of definition.stages) {
    const open = stage.filter(({ name }) => !isSettled(state.steps[name]))
    if (open.length === 0) continue
    for (const step of open) {
      if (state.steps[step.name] !== undefined) continue
      const leftOut = isLeftOut(step, state)
      if (leftOut === true) return { kind: 'skip', step }
      if (leftOut === false) continue
      return undoable
        ? { kind: 'compensate', failure: failure('broken', step.name, leftOut.problem, 'broken') }
        : { kind: 'park', step, because: leftOut.problem }
    }
    const [first] = open
    if (first!.kind === 'wait') return waiting(first!, state, nowMs, limitMs)
    const ready = open.filter(({ name }) => (state.steps[name]?.retryAtMs ?? 0) <= nowMs)
    if (ready.length > 0) return { kind: 'run', steps: ready }
    return { kind: 'rest', untilMs: Math.min(limitMs, ...open.map(({ name }) => state.steps[name]!.retryAtMs!)) }
  }
  return { kind: 'end', status: 'completed' }
}

function waiting(step: StepDefinition, { steps }: SagaState, nowMs: number, limitMs: number): Decision {
  const sinceMs = steps[step.name]?.sinceMs
  const untilMs = (sinceMs ?? nowMs) + step.timeoutMs
  // Past its time an event may still be there: whoever looks decides.
  return { kind: 'await', step, untilMs: Math.min(untilMs, limitMs) }
}

function backward(definition: SagaDefinition, state: SagaState, nowMs: number): Decision {
  for (const stage of definition.stages.toReversed()) {
    const due = stage.filter((step) => step.undo !== undefined && mayHaveTakenEffect(step, state.steps[step.name]))
    if (due.length === 0) continue
    const ready = due.find(({ name }) => (state.steps[name]!.retryAtMs ?? 0) <= nowMs)
    if (ready !== undefined) return { kind: 'undo', step: ready }
    return { kind: 'rest', untilMs: Math.min(...due.map(({ name }) => state.steps[name]!.retryAtMs!)) }
  }
  return { kind: 'end', status: 'compensated' }
}

function isLeftOut({ name, when }: StepDefinition, state: SagaState): boolean | { readonly problem: string } {
  if (when === undefined) return false
  try {
    return !(when as (context: unknown) => boolean)({ input: state.input, done: resultsOf(state) })
  } catch (error) {
    return { problem: `Whether the step "${name}" is left out could not be told: ${error instanceof Error ? error.message : 'when threw'}` }
  }
}

function isSettled(step: StepState | undefined): boolean {
  return step?.status === 'done' || step?.status === 'skipped'
}

/** A local step that is not recorded as done was rolled back: undoing it would undo what never was. */
function mayHaveTakenEffect({ kind }: StepDefinition, step: StepState | undefined): boolean {
  return (step?.status === 'running' && kind !== 'local') || step?.status === 'done' || step?.status === 'undoing'
}

export type StepOutcome =
  | { readonly kind: 'done'; readonly output: unknown }
  /** It answered that it did not take effect, and never will. */
  | { readonly kind: 'refused'; readonly message: string; readonly code: string; readonly data: unknown }
  /** It has had its effect, or may have, and must be undone. */
  | { readonly kind: 'aborted'; readonly message: string; readonly code: string; readonly data: unknown; readonly broken: boolean }
  /** `counts`: false for what was merely unreachable. */
  | { readonly kind: 'failed'; readonly message: string; readonly counts: boolean; readonly retryAtMs: number }

/** The state after a step's attempt. */
export function afterRun(definition: SagaDefinition, state: SagaState, step: StepDefinition, outcome: StepOutcome): SagaState {
  const before = state.steps[step.name]!
  const past = isPastPivot(definition, state) && !step.pivot
  if (outcome.kind === 'done') return withStep(state, step, { status: 'done', attempts: before.attempts, output: outcome.output })
  const deferred = outcome.kind === 'failed' && !outcome.counts
  const attempts = before.attempts + (deferred ? 0 : 1)
  const deferrals = (before.deferrals ?? 0) + (deferred ? 1 : 0)
  if (outcome.kind === 'failed') {
    const failed = withStep(state, step, { status: 'running', attempts, deferrals, retryAtMs: outcome.retryAtMs, error: outcome.message })
    if (past || deferred || attempts < step.maxAttempts) return failed
    // The pivot too may have taken effect: undoing what led to it could be wrong, and only a person can find out.
    if (step.pivot && step.kind !== 'local')
      return park(
        failed,
        step,
        `The pivot "${step.name}" failed ${attempts} times, and whether it took effect is not known: ${outcome.message}`,
      )
    return compensate(failed, failure('exhausted', step.name, outcome.message, 'exhausted'))
  }
  const refused = outcome.kind === 'refused'
  const next = withStep(state, step, { status: refused ? 'refused' : 'running', attempts, error: outcome.message })
  if (past || (step.pivot && !refused && step.kind !== 'local'))
    return park(
      withStep(state, step, { status: 'running', attempts, error: outcome.message }),
      step,
      `The step "${step.name}" behind the pivot was refused: ${outcome.message}`,
    )
  const reason = refused ? 'refused' : outcome.broken ? 'broken' : 'aborted'
  return compensate(next, failure(reason, step.name, outcome.message, outcome.code, outcome.data))
}

/** The state after an attempt to undo a step. `permanent`: it will be refused every time. */
export function afterUndo(
  state: SagaState,
  step: StepDefinition,
  outcome:
    | { readonly kind: 'undone' }
    | { readonly kind: 'failed'; readonly message: string; readonly permanent: boolean; readonly retryAtMs: number },
): SagaState {
  const { attempts, output } = state.steps[step.name]!
  if (outcome.kind === 'undone') return withStep(state, step, { status: 'undone', attempts, output })
  const failed = withStep(state, step, {
    status: 'undoing',
    attempts: attempts + 1,
    output,
    retryAtMs: outcome.permanent ? undefined : outcome.retryAtMs,
    error: outcome.message,
  })
  return outcome.permanent ? park(failed, step, `The step "${step.name}" cannot be undone: ${outcome.message}`) : failed
}

export function compensate(state: SagaState, reason: SagaFailure): SagaState {
  return { ...state, status: 'compensating', failure: state.failure ?? reason }
}

/**
 * The state when what is next must not be tried once more, because whoever tried it was lost each time. Calls none of the service's code,
 * which may be what did it.
 */
export function giveUp(definition: SagaDefinition, state: SagaState, because: string): SagaState {
  const parkAt = (steps: readonly StepDefinition[]): SagaState =>
    steps.reduce((parked, step) => park(parked, step, `The step "${step.name}" cannot go on: ${because}`), state)
  const ending = (): SagaState => ({ ...state, status: 'parked', parkedBecause: `Its end cannot go on: ${because}` })
  if (state.status === 'running') {
    const open = (definition.stages.find((stage) => stage.some(({ name }) => !isSettled(state.steps[name]))) ?? []).filter(
      ({ name }) => !isSettled(state.steps[name]),
    )
    const [first] = open
    if (first === undefined) return ending()
    return isPastPivot(definition, state) ? parkAt(open) : compensate(state, failure('exhausted', first.name, because, 'exhausted'))
  }
  if (state.status !== 'compensating') return state
  const next = backward(definition, state, Infinity)
  return next.kind === 'undo' ? parkAt([next.step]) : ending()
}

/** `step` keeps, beside the reason, that it is what a person has to decide about. */
export function park(state: SagaState, step: StepDefinition, parkedBecause: string): SagaState {
  return withStep({ ...state, status: 'parked', parkedBecause }, step, {
    ...(state.steps[step.name] ?? { status: 'running', attempts: 0 }),
    parked: true,
  })
}

export function withStep(state: SagaState, { name }: StepDefinition, step: StepState): SagaState {
  return { ...state, steps: { ...state.steps, [name]: step } }
}

export function failure(
  reason: SagaFailure['reason'],
  step: string | undefined,
  message: string,
  code: string,
  data?: unknown,
): SagaFailure {
  return { reason, step, message, code, data: data ?? null }
}
