/** What is held against a simulated world, and what it is told. */
import type { Queryable } from '../engine/database.ts'

export interface Observation<State> {
  /** The database of each service, as it is: without faults, and with the rights to read. */
  readonly databases: Readonly<Record<string, Queryable>>
  readonly state: State
  /** What clients did, in the order in which they began it. */
  readonly history: readonly OperationRecord[]
  readonly now: Date
  /** Nothing is on its way any more: what need only hold at the end must hold. */
  readonly atRest: boolean
}

/** Says what is wrong, one message each; an empty list when nothing is. */
export type Invariant<State> = (seen: Observation<State>) => Promise<readonly string[]> | readonly string[]

export interface OperationRecord {
  readonly index: number
  readonly client: string
  readonly name: string
  readonly input: unknown
  readonly beganAtMs: number
  /** Undefined when it has not ended. */
  endedAtMs: number | undefined
  /** What it gave. */
  result: unknown
  /** Why it gave nothing: whether it took effect is then not known, unless the error says so. */
  error: unknown
}
