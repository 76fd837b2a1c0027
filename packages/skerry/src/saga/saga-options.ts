/** What the sagas of a service need from their surroundings. */
import type { Clock } from '../base/clock.ts'
import type { NewId } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import type { Database } from '../engine/database.ts'
import type { OpenTransaction, TransactionRunner } from '../events/transaction-runner.ts'
import type { Log } from '../telemetry/log.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { SagaDefinition } from './definition.ts'

export interface SagaWorkerOptions {
  readonly service: string
  readonly definitions: readonly SagaDefinition[]
  readonly database: Database
  /** No other process can have the database open. */
  readonly exclusive: boolean
  readonly transactions: TransactionRunner
  readonly clock: Clock
  readonly random: Random
  readonly newId: NewId
  readonly log: Log
  /** Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  /** What a step is given besides its own: outside a transaction, and inside one. */
  readonly remoteContext: (signal: AbortSignal) => object
  readonly localContext: (open: OpenTransaction) => object
}
