/**
 * Sagas as their service's database holds them, and what their steps have brought about in it and at other services. The functions mirror
 * the statements of `saga/saga-store.ts`; a participant remembers what it has done and undone, and refuses an action whose
 * undo came first.
 */
import type { SagaDefinition, StepDefinition } from '../../saga/definition.ts'
import type { SagaState } from '../../saga/saga.ts'

export interface SagaRow {
  readonly id: number
  readonly definition: SagaDefinition
  state: SagaState
  epoch: number
  owner: string | undefined
  nextAtMs: number
  /** How often in a row whoever worked on it was lost before anything came of it. */
  unfinished: number
  cancelCode: string | undefined
  pastPivot: boolean
  ended: boolean
  /** What its steps have brought about, by name: the truth, whoever knows it. */
  readonly effects: Map<string, Effect>
  /** The steps whose effects were taken back, in that order. */
  readonly undone: string[]
}

export interface Effect {
  /** What the participant has recorded. */
  record: Recorded | undefined
  inEffect: boolean
  /** It has been undone, or refused to begin with, so it must never take effect. */
  isOver: boolean
  /** How often trying it failed in a way that counts. */
  failures: number
  /** Undoing it is refused for good. */
  undoPoisoned: boolean
}

export type Recorded = 'done' | 'refused' | 'undone'

/** Whether a write under this epoch is that of whoever works on it now. */
export function isOwn(row: SagaRow, epoch: number): boolean {
  return row.epoch === epoch
}

/** Whether a participant lets an action take effect that it has this record of. */
export function admits(record: Recorded | undefined): boolean {
  return record === undefined
}

export class SagaTable {
  readonly rows: SagaRow[] = []
  /** Those that have not ended. */
  #open: SagaRow[] = []

  insert(id: number, definition: SagaDefinition, nowMs: number): SagaRow {
    const row: SagaRow = {
      id,
      definition,
      state: { status: 'running', input: {}, startedAtMs: nowMs, steps: {} },
      epoch: 1,
      owner: undefined,
      nextAtMs: 0,
      unfinished: 0,
      cancelCode: undefined,
      pastPivot: false,
      ended: false,
      effects: new Map(),
      undone: [],
    }
    this.rows.push(row)
    this.#open.push(row)
    return row
  }

  claimDue(owner: string, nowMs: number, untilMs: number, active: ReadonlySet<SagaRow>): readonly SagaRow[] {
    if (this.#open.some(({ ended }) => ended)) this.#open = this.#open.filter(({ ended }) => !ended)
    const due = this.#open.filter((row) => row.nextAtMs <= nowMs && !active.has(row))
    for (const row of due) {
      if (row.owner !== undefined) row.unfinished++
      row.owner = owner
      row.epoch++
      row.nextAtMs = untilMs
    }
    return due
  }

  freeAll(owner: string, nowMs: number): void {
    for (const row of this.#open)
      if (row.owner !== undefined && row.owner !== owner) {
        row.unfinished++
        row.owner = undefined
        row.nextAtMs = nowMs
      }
  }

  get nextDueMs(): number {
    let earliest = Infinity
    for (const row of this.#open) if (!row.ended && row.nextAtMs < earliest) earliest = row.nextAtMs
    return earliest
  }

  /** Each has ended, or waits for a person. */
  get isSettled(): boolean {
    return this.#open.every(({ ended, state, owner }) => ended || (state.status === 'parked' && owner === undefined))
  }

  /** As `requestCancel`. */
  cancel(row: SagaRow): void {
    if (row.ended || row.state.status !== 'running' || row.pastPivot) return
    row.cancelCode ??= 'cancelled'
    if (row.owner === undefined) row.nextAtMs = 0
  }
}

export function effectOf(row: SagaRow, { name }: StepDefinition): Effect {
  let effect = row.effects.get(name)
  if (effect === undefined) {
    effect = { record: undefined, inEffect: false, isOver: false, failures: 0, undoPoisoned: false }
    row.effects.set(name, effect)
  }
  return effect
}
