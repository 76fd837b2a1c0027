/** How a seed is run, and what comes of it. */
import type { BrokerEngine } from '../engine/broker.ts'
import type { DatabaseEngine } from '../engine/database.ts'
import type { Choice } from './choices.ts'
import type { FaultKind, FaultLevel, FaultRates } from './faults.ts'
import type { OperationRecord } from './invariant.ts'
import type { TraceLine } from './trace.ts'

export interface RunOptions {
  readonly seed: number
  /** Default: `rough`. */
  readonly faults?: FaultLevel
  /** In the place of the level's. */
  readonly rates?: Partial<FaultRates>
  /** How many operations the clients carry out. Default: 40. */
  readonly operations?: number
  /** Only these choices happen, as in the replay of a failure. Default: what the seed decides. */
  readonly only?: ReadonlySet<Choice>
  /** Only these operations, by their index. Default: all. */
  readonly onlyOperations?: ReadonlySet<number>
  /** Delays and ties are not varied. Default: false. */
  readonly calm?: boolean
}

/** What holds where nothing is said. */
export const RUN_DEFAULTS: { readonly faults: FaultLevel; readonly operations: number } = { faults: 'rough', operations: 40 }

/** What stands between the services and the simulated engines. Default: nothing. */
export interface Engineering {
  readonly database?: (engine: DatabaseEngine) => DatabaseEngine
  readonly broker?: (engine: BrokerEngine) => BrokerEngine
}

export type FailureKind =
  /** An invariant does not hold. */
  | 'invariant'
  /** What had to come about eventually has not. */
  | 'eventually'
  /** The system did not come to rest. */
  | 'restless'
  /** Code went around the platform. */
  | 'escape'
  /** The run itself broke. */
  | 'error'

export interface Failure {
  readonly kind: FailureKind
  /** The invariant's name, or what was used. */
  readonly name: string
  readonly messages: readonly string[]
}

export interface Run {
  readonly seed: number
  readonly failure: Failure | undefined
  /** SHA-256 over all that has happened: the same for the same seed and code. */
  readonly hash: string
  readonly trace: readonly TraceLine[]
  /** The choices that were made, in order. */
  readonly choices: readonly Choice[]
  /** Choices that were to be repeated, and were never asked for. */
  readonly unasked: readonly Choice[]
  readonly history: readonly OperationRecord[]
  /** Moments at which the seed had a say. */
  readonly steps: number
  readonly faults: ReadonlyMap<FaultKind, number>
  readonly crashPoints: ReadonlyMap<string, number>
  /** How often rare things have happened, by the simulation's own counting. */
  readonly sometimes: ReadonlyMap<string, number>
  /** How much time has passed in the world, in milliseconds. */
  readonly elapsedMs: number
}
