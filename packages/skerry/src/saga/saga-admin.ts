/**
 * Sagas in the hands of people: retried, skipped and cancelled. Each act locks the instance, decides by what is recorded, and writes in one
 * transaction with its record of who did it: of two people one wins, and a worker that thinks the instance its own writes nothing more.
 */
import type { Database, Queryable } from '../engine/database.ts'
import type { ReadSaga, SagaSummary } from './saga-rows.ts'
import { lockSaga, readSagas } from './saga-rows.ts'
import * as store from './saga-store.ts'
import type { SagaState, StepState } from './saga.ts'

export const SAGA_REFUSALS = [
  'ended',
  /** A worker holds it. */
  'working',
  'due',
  'waiting',
  'notParked',
  /** It has to be said which of the steps is meant. */
  'whichStep',
  /** A step that is undone gives nothing. */
  'outputUnwanted',
  'pastPivot',
  /** It is, or will be, undone already. */
  'undoing',
] as const

export interface SagaRefusal {
  readonly reason: (typeof SAGA_REFUSALS)[number]
  /** What is wrong, as a sentence. */
  readonly because: string
  /** What can be done instead. */
  readonly instead: string
}

export interface SagaAct {
  /** A person or a program, as it calls itself. */
  readonly by: string
  readonly now: Date
}

export interface SkipAct extends SagaAct {
  /** Needed only when several steps parked it. */
  readonly step?: string | undefined
  /** What the step that was done by hand gave, for the steps behind it: any JSON. */
  readonly output?: unknown
}

export type SagaActResult =
  | { readonly done: true; readonly saga: SagaSummary }
  | { readonly done: false; readonly refused: SagaRefusal }
  /** There is none of this id. */
  | { readonly done: false; readonly refused: undefined }

/** A parked saga goes on where it stands, in its direction, with all attempts; one that rests before its next attempt makes it now. */
export function retrySaga(database: Database, id: string, act: SagaAct): Promise<SagaActResult> {
  return acting(database, id, 'retry', act, (saga) => retried(saga, act.now))
}

/** The step that parked a saga counts as done by hand, or as undone when the saga is being undone, and the saga goes on. */
export function skipSagaStep(database: Database, id: string, act: SkipAct): Promise<SagaActResult> {
  return acting(database, id, 'skip', act, (saga) => skipped(saga, act))
}

/** Asks for a saga to be undone; `code` is the reason that its steps and its end are given. A step that is at work ends first. */
export function cancelSaga(database: Database, id: string, act: SagaAct & { readonly code: string }): Promise<SagaActResult> {
  return acting(database, id, 'cancel', act, (saga) => {
    const refused = refusedCancel(saga)
    return refused ?? { step: null, write: async (on) => (await store.requestCancel(on, saga.row.name, id, act.code)) === 'cancelling' }
  })
}

interface Plan {
  /** For the record. */
  readonly step: string | null
  /** False when the instance is not as it was read. */
  readonly write: (on: Queryable) => Promise<boolean>
}

function acting(
  database: Database,
  id: string,
  action: 'retry' | 'skip' | 'cancel',
  { by, now }: SagaAct,
  decide: (saga: ReadSaga) => Plan | SagaRefusal,
): Promise<SagaActResult> {
  return database.transaction('read committed', async (transaction): Promise<SagaActResult> => {
    // Whoever comes second waits here for the first, and then finds what that one has made of it.
    const saga = await lockSaga(transaction, id)
    if (saga === undefined) return { done: false, refused: undefined }
    const plan = decide(saga)
    if ('reason' in plan) return { done: false, refused: plan }
    if (!(await plan.write(transaction))) throw new Error(`The saga ${id} has changed although it was locked`)
    await transaction.query(`insert into skerry_saga_intervention (saga_id, action, step, by, at) values ($1, $2, $3, $4, $5)`, [
      id,
      action,
      plan.step,
      by,
      now,
    ])
    const [summary] = await readSagas(transaction, { id }, undefined, 1)
    return { done: true, saga: summary! }
  })
}

function retried(saga: ReadSaga, now: Date): Plan | SagaRefusal {
  const { row, state } = saga
  if (isEnded(state)) return ended(state)
  if (state.status === 'parked') {
    const parked = parkedSteps(state)
    return goingOn(saga, now, fresh(state), parked.length === 0 ? null : parked.join(', '))
  }
  if (row.owner !== null)
    return { reason: 'working', because: 'It is being worked on.', instead: 'Look at it again with show in a few seconds.' }
  if (row.wait_type !== null)
    return {
      reason: 'waiting',
      because: `It waits for the event ${row.wait_type} of key ${row.wait_key}.`,
      instead: 'See why that event does not come; or have the saga undone with cancel.',
    }
  if (row.next_at !== null && row.next_at <= now)
    return { reason: 'due', because: 'It is due already.', instead: 'See that a host runs its service.' }
  const resting = Object.entries(state.steps).filter(([, { retryAtMs }]) => retryAtMs !== undefined)
  const steps = Object.fromEntries(resting.map(([name, step]) => [name, { ...step, retryAtMs: undefined }]))
  return goingOn(saga, now, steps, resting.length === 0 ? null : resting.map(([name]) => name).join(', '))
}

function skipped(saga: ReadSaga, { step, output, now }: SkipAct): Plan | SagaRefusal {
  const { state } = saga
  if (isEnded(state)) return ended(state)
  if (state.status !== 'parked')
    return {
      reason: 'notParked',
      because: `Only a step that parked its saga can be skipped, and this saga is ${saga.row.wait_type === null ? state.status : 'waiting'}.`,
      instead: 'Let it go on, have a pending attempt made now with retry, or have it undone with cancel.',
    }
  const parked = parkedSteps(state)
  const name = step ?? (parked.length === 1 ? parked[0] : undefined)
  if (name === undefined || !parked.includes(name))
    return {
      reason: 'whichStep',
      because: step === undefined ? 'Not one step alone parked it.' : `The step "${step}" is not what parked it.`,
      instead: parked.length === 0 ? 'Have it tried again with retry.' : `Name the step: ${parked.join(' or ')}.`,
    }
  const isUndone = state.failure !== undefined
  if (isUndone && output !== undefined)
    return {
      reason: 'outputUnwanted',
      because: `The saga is being undone, and the step "${name}" will count as undone: it gives no output.`,
      instead: 'Leave the output out.',
    }
  const before = state.steps[name]!
  const after: StepState = isUndone
    ? { status: 'undone', attempts: before.attempts, output: before.output }
    : { status: 'done', attempts: before.attempts, output }
  // Others that parked it too are tried again, and may park it again.
  return goingOn(saga, now, { ...fresh(state), [name]: after }, name)
}

function refusedCancel({ row, state }: ReadSaga): SagaRefusal | undefined {
  if (isEnded(state)) return ended(state)
  if (state.failure !== undefined)
    return {
      reason: 'undoing',
      because: `It is being undone already: ${state.failure.message}.`,
      instead: state.status === 'parked' ? 'Once the cause is mended, use retry; or undo the step by hand and use skip.' : 'Let it end.',
    }
  if (row.past_pivot)
    return {
      reason: 'pastPivot',
      because: 'It is past its pivot, from where nothing is undone.',
      instead: `Let it ${state.status === 'parked' ? 'go on with retry or skip' : 'end'}, then reverse what must not stay by an operation of the service.`,
    }
  if (state.cancelCode !== undefined)
    return { reason: 'undoing', because: `It was cancelled already: ${state.cancelCode}.`, instead: 'Let the step that is at work end.' }
  return undefined
}

function goingOn({ row, state }: ReadSaga, now: Date, steps: SagaState['steps'], step: string | null): Plan {
  const status = state.failure !== undefined ? 'compensating' : 'running'
  const next: SagaState = { ...state, status, parkedBecause: undefined, steps: { ...state.steps, ...steps } }
  return {
    step,
    write: (on) => store.overrule(on, { id: row.id, epoch: row.epoch, state: next, changed: Object.keys(steps), now }),
  }
}

/** The steps that parked it, as if they had not been tried yet. */
function fresh({ steps }: SagaState): SagaState['steps'] {
  const reset = { attempts: 0, deferrals: undefined, retryAtMs: undefined, parked: undefined }
  const parked = Object.entries(steps).filter(([, step]) => step.parked === true)
  return Object.fromEntries(parked.map(([name, step]) => [name, { ...step, ...reset }]))
}

function parkedSteps({ steps }: SagaState): readonly string[] {
  return Object.keys(steps)
    .filter((name) => steps[name]!.parked === true)
    .toSorted()
}

function isEnded({ status }: SagaState): boolean {
  return status === 'completed' || status === 'compensated'
}

function ended({ status }: SagaState): SagaRefusal {
  return { reason: 'ended', because: `It has ended: ${status}.`, instead: 'Start another one, with another key.' }
}
