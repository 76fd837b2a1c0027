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
import { emittingOf, transactionOf } from '../telemetry/conventions.ts'
import { namedWork } from '../telemetry/named-work.ts'
import type { Scope } from '../telemetry/scope.ts'
import { currentScope, runInScope } from '../telemetry/scope.ts'
import type { Span } from '../telemetry/span.ts'
import type { StartSpan, Telemetry } from '../telemetry/telemetry.ts'
import { silentTelemetry } from '../telemetry/telemetry.ts'
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
  /** Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
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
  const telemetry = options.telemetry ?? silentTelemetry(options.random)
  const startTransaction = telemetry.work(transactionOf())
  const emitting = namedWork(telemetry, emittingOf)
  return async (scope, isolation, work) => {
    const span = startTransaction(scope.trace)
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await runOnce(options, { ...scope, trace: span }, isolation, work, emitting)
        span.end()
        return result
      } catch (error) {
        const isConflict = error instanceof DatabaseError && error.kind === 'serialization'
        const backoffMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** attempt)
        if (!isConflict || attempt === MAX_ATTEMPTS || options.clock.nowMs() + backoffMs >= scope.deadlineAtMs) {
          // What the closure throws is its way of saying no: a rollback, and no failure of the database.
          span.end(
            error instanceof DatabaseError ? { errorType: error.kind, message: error.message } : { errorType: 'rollback', failed: false },
          )
          throw error
        }
        span.event('retry', { 'error.type': error.kind, 'skerry.retry.attempt': attempt + 1 })
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
  emitting: (type: string) => StartSpan,
): Promise<T> {
  const { database, topic, clock, newId } = options
  let emits: Span[] = []
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
      const span = emitting(event.type)((currentScope() ?? scope).trace)
      const emitted = pendingEvent(event, data, newId, formatTraceparent(span))
      emits.push(span)
      if (afterMs === undefined) pending.push(emitted)
      else delayed.push({ ...emitted, dueAt: new Date(clock.nowMs() + afterMs) })
    },
    beforeCommit(write) {
      refuseWhenEnded('start')
      writes.push(write)
    },
    afterCommit: (tell) => void tells.push(tell),
    discard() {
      emits = []
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
  for (const span of emits) span.end()
  if (written.length > 0) options.onEmitted(written)
  tellAll(true)
  return result
}
