/**
 * What travels along with a piece of work through every await: its trace, its deadline, and the transaction it has open.
 * Handlers never pass these by hand; clients, `db` and the log read them here.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Transaction } from '../engine/database.ts'
import type { Account } from './account.ts'
import type { TraceContext } from './trace-context.ts'

export interface Scope {
  readonly service: string
  readonly trace: TraceContext
  /** When the caller stops waiting, in milliseconds since the epoch; Infinity for work that nobody waits for. */
  readonly deadlineAtMs: number
  /** The id of the event that is being handled; undefined when the work is not the consequence of one. */
  readonly cause?: string | undefined
  /** The open transaction of the service named in `service`. */
  readonly transaction?: Transaction | undefined
  /** What its answer says besides. Made by the first call for which it is kept. */
  account?: Account | undefined
  /** Gives each call made here the key under which a repetition of this work makes it again. Told whether the called operation keeps its first answer. */
  readonly idempotencyKeyFor?: ((operation: string, keepsAnswer: boolean) => string) | undefined
}

const scopes = new AsyncLocalStorage<Scope>()

export function currentScope(): Scope | undefined {
  return scopes.getStore()
}

export function runInScope<T>(scope: Scope, work: () => T): T {
  return scopes.run(scope, work)
}
