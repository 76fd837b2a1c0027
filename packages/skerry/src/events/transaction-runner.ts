/**
 * One transaction of a service: its state change and the events it emits commit together or not at all. The closure runs
 * again, whole, when the database asks for it (serialization failure, deadlock), with jitter and a bound.
 */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import { SkerryError } from '../base/errors.ts'
import type { NewId } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import type { Event } from '../contract/event.ts'
import type { Database, Isolation, Transaction } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import type { Scope } from '../telemetry/scope.ts'
import { runInScope } from '../telemetry/scope.ts'
import { formatTraceparent } from '../telemetry/trace-context.ts'
import type { OutboxEntry, PendingEvent } from './outbox.ts'
import { flushOutbox, pendingEvent } from './outbox.ts'

export interface TransactionRunnerOptions {
  /** The contract whose events it may emit: the topic. */
  readonly topic: string
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly newId: NewId
  /** Given what a commit has left in the outbox. */
  readonly onEmitted: (entries: readonly OutboxEntry[]) => void
  /** Told that the answer to a commit was lost: it may have left something in the outbox. */
  readonly onUncertain: () => void
}

export interface OpenTransaction {
  readonly transaction: Transaction
  /** Puts an event into the outbox; it is published if and when the transaction commits. */
  emit(event: Event, data: unknown): void
  /** Runs an action when the transaction has been committed, or may have been: the answer to its COMMIT was lost. */
  afterCommit(action: () => void): void
}

export type TransactionRunner = <T>(scope: Scope, isolation: Isolation, work: (open: OpenTransaction) => Promise<T>) => Promise<T>

const MAX_ATTEMPTS = 10
const MIN_BACKOFF_MS = 2
const MAX_BACKOFF_MS = 200

export function createTransactionRunner(options: TransactionRunnerOptions): TransactionRunner {
  return async (scope, isolation, work) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await runOnce(options, scope, isolation, work)
      } catch (error) {
        if (!(error instanceof DatabaseError) || error.kind !== 'serialization' || attempt === MAX_ATTEMPTS) throw error
        const backoffMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** attempt)
        if (options.clock.nowMs() + backoffMs >= scope.deadlineAtMs) throw error
        await sleep(options.clock, options.random.next() * backoffMs)
      }
    }
  }
}

async function runOnce<T>(
  options: TransactionRunnerOptions,
  scope: Scope,
  isolation: Isolation,
  work: (open: OpenTransaction) => Promise<T>,
): Promise<T> {
  const pending: PendingEvent[] = []
  const afterwards: (() => void)[] = []
  let written: readonly OutboxEntry[] = []
  let open = true
  const emit = (event: Event, data: unknown): void => {
    if (!open)
      throw new SkerryError(
        'outsideTransaction',
        `emit.${event.name} was called after its transaction had ended: await everything inside the closure given to transaction(…)`,
      )
    pending.push(pendingEvent(event, data, options.newId))
  }
  let result: T
  try {
    result = await options.database.transaction(isolation, async (transaction) => {
      crashPoint('transaction.opened')
      try {
        const value = await runInScope({ ...scope, transaction }, () =>
          work({ transaction, emit, afterCommit: (action) => afterwards.push(action) }),
        )
        open = false
        crashPoint('transaction.before-commit')
        if (pending.length > 0)
          written = await flushOutbox(transaction, options.topic, pending, options.clock.now(), formatTraceparent(scope.trace))
        return value
      } finally {
        open = false
      }
    })
  } catch (error) {
    if (error instanceof DatabaseError && error.kind === 'outcome-unknown') {
      if (pending.length > 0) options.onUncertain()
      for (const action of afterwards) action()
    }
    throw error
  }
  crashPoint('transaction.committed')
  if (written.length > 0) options.onEmitted(written)
  for (const action of afterwards) action()
  return result
}
