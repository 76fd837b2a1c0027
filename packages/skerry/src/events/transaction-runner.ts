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
import type { Database, Isolation, Queryable, Transaction } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import type { Scope } from '../telemetry/scope.ts'
import { currentScope, runInScope } from '../telemetry/scope.ts'
import { formatTraceparent } from '../telemetry/trace-context.ts'
import type { DelayedEvent } from './delayed-events.ts'
import { storeDelayed } from './delayed-events.ts'
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
  /** Told when a commit has left a delayed event, and when the first of them is due, in milliseconds since the epoch. */
  readonly onDelayed: (dueAtMs: number) => void
}

export interface OpenTransaction {
  readonly transaction: Transaction
  /** Puts an event into the outbox; it is published if and when the transaction commits, or `after` so many milliseconds. */
  emit(event: Event, data: unknown, afterMs?: number): void
  /** Registers one statement to be run when the closure has ended well, before the events; COMMIT may travel with it. */
  beforeCommit(write: (on: Queryable) => Promise<void>): void
  /** Registers what is to be told when the transaction is committed, or may be: `isCertain` is false when the answer to COMMIT was lost. */
  afterCommit(tell: (isCertain: boolean) => void): void
  /** Forgets what has been emitted and registered, as after a rollback to a savepoint. */
  discard(): void
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
  const { database, topic, clock, newId } = options
  let pending: PendingEvent[] = []
  let delayed: DelayedEvent[] = []
  let writes: ((on: Queryable) => Promise<void>)[] = []
  let tells: ((isCertain: boolean) => void)[] = []
  let written: readonly OutboxEntry[] = []
  let isOpen = true
  const refuseWhenEnded = (what: string): void => {
    if (!isOpen)
      throw new SkerryError(
        'outsideTransaction',
        `${what} was called after its transaction had ended: await everything inside the closure given to transaction(…)`,
      )
  }
  const open = (transaction: Transaction): OpenTransaction => ({
    transaction,
    emit(event, data, afterMs) {
      refuseWhenEnded(`emit.${event.name}`)
      const emitted = pendingEvent(event, data, newId, formatTraceparent((currentScope() ?? scope).trace))
      if (afterMs === undefined) pending.push(emitted)
      else delayed.push({ ...emitted, dueAt: new Date(clock.nowMs() + afterMs) })
    },
    beforeCommit(write) {
      refuseWhenEnded('start')
      writes.push(write)
    },
    afterCommit: (tell) => void tells.push(tell),
    discard() {
      pending = []
      delayed = []
      writes = []
      tells = []
    },
  })
  const tellAll = (isCertain: boolean): void => {
    for (const tell of tells) tell(isCertain)
    if (delayed.length > 0) options.onDelayed(Math.min(...delayed.map(({ dueAt }) => dueAt.getTime())))
  }
  let result: T
  try {
    result = await database.transaction(isolation, async (transaction) => {
      crashPoint('transaction.opened')
      try {
        const value = await runInScope({ ...scope, transaction }, () => work(open(transaction)))
        isOpen = false
        const last = pending.length === 0 && delayed.length === 0 ? writes.pop() : undefined
        for (const write of writes) await write(transaction)
        if (delayed.length > 0) await storeDelayed(transaction, delayed)
        crashPoint('transaction.before-commit')
        await last?.({ query: (sql, parameters) => transaction.queryLast(sql, parameters) })
        if (pending.length > 0) written = await flushOutbox(transaction, topic, pending, clock.now())
        return value
      } finally {
        isOpen = false
      }
    })
  } catch (error) {
    if (error instanceof DatabaseError && error.kind === 'outcome-unknown') {
      if (pending.length > 0) options.onUncertain()
      tellAll(false)
    }
    throw error
  }
  crashPoint('transaction.committed')
  if (written.length > 0) options.onEmitted(written)
  tellAll(true)
  return result
}
