/**
 * What a service does later, by the clock: events emitted with a delay go into the outbox when they are due, and schedules run. Both are
 * rows that one transaction takes, so that several hosts need no leases, nothing is lost by a restart and nothing happens twice.
 */
import { Alarm } from '../base/alarm.ts'
import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { Random } from '../base/random.ts'
import type { Worker } from '../base/worker.ts'
import type { Event } from '../contract/event.ts'
import type { Database } from '../engine/database.ts'
import { scheduleOf } from '../telemetry/conventions.ts'
import type { Log } from '../telemetry/log.ts'
import { namedWork } from '../telemetry/named-work.ts'
import type { Scope } from '../telemetry/scope.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { silentTelemetry } from '../telemetry/telemetry.ts'
import { takeDue } from './delayed-events.ts'
import { dueLater, firstAtMs } from './due-later.ts'
import { describeFailure } from './event-failure.ts'
import { afterFailure } from './inbox.ts'
import type { OutboxEntry } from './outbox.ts'
import { flushOutbox } from './outbox.ts'
import * as store from './schedule-store.ts'
import type { Timing } from './schedule.ts'
import { nextDueMs } from './schedule.ts'
import type { OpenTransaction, TransactionRunner } from './transaction-runner.ts'

export interface ScheduledWork {
  readonly name: string
  readonly timing: Timing
  /** Runs inside the transaction that moves the schedule on. */
  run(open: OpenTransaction, dueAt: Date): Promise<void>
}

export interface LaterWorkerOptions {
  readonly service: string
  /** The events of the service's contract. */
  readonly events: readonly Event[]
  readonly schedules: readonly ScheduledWork[]
  readonly database: Database
  /** No other process can have the database open: it need not be looked at for what others have left. */
  readonly exclusive: boolean
  readonly transactions: TransactionRunner
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  /** Given what has come into the outbox. */
  readonly onEmitted: (entries: readonly OutboxEntry[]) => void
  /** Something may have come into the outbox: the answer to a COMMIT was lost. */
  readonly onUncertain: () => void
}

export interface LaterWorker extends Worker {
  /** Looks for work by then at the latest. */
  wakeBy(atMs: number): void
}

const BATCH_ROWS = 100
/** How often it looks for what other hosts have left, at the latest. */
const POLL_MS = 5_000
/** What was due and could not be had is another host's; it is looked at again after so long, in case that one does not finish it. */
const TAKEN_MS = 1_000
/** A schedule that fails is tried again with growing pauses for ever: its next time comes only after it. */
const RETRY = { maxAttempts: Infinity, minBackoffMs: 1_000, maxBackoffMs: 600_000 }

export function startLaterWorker(options: LaterWorkerOptions): LaterWorker {
  const { database, clock, log } = options
  const events = new Map(options.events.map((event) => [event.type, event]))
  const scheduled = namedWork(options.telemetry ?? silentTelemetry(options.random), scheduleOf)
  let working: Promise<void> | undefined
  let again = false
  let stopping = false
  const alarm = new Alarm(clock, () => wake())
  let prepared = options.schedules.length === 0
  const scheduleNames = options.schedules.map(({ name }) => name)
  const types = [...events.keys()]

  const wake = (): void => {
    if (stopping) return
    again = true
    working ??= work().finally(() => {
      working = undefined
      if (again) wake()
    })
  }

  /** Never rejects. */
  async function work(): Promise<void> {
    let nextMs = Infinity
    while (again && !stopping) {
      again = false
      try {
        if (!prepared) await store.prepareSchedules(database, options.schedules, clock.now())
        prepared = true
        nextMs = await doDue()
      } catch (error) {
        nextMs = clock.nowMs() + POLL_MS
        options.onUncertain()
        log.warn('Delayed events and schedules could not be read and will be looked for again', { cause: error })
      }
    }
    const pollMs = options.exclusive ? Infinity : clock.nowMs() + POLL_MS
    alarm.by(Math.min(nextMs, pollMs))
  }

  /** Returns when to look again. Asks beforehand, so that a look that finds nothing costs one statement. */
  async function doDue(): Promise<number> {
    const nowMs = clock.nowMs()
    const due = await dueLater(database, types, scheduleNames)
    if (firstAtMs(due) > nowMs) return firstAtMs(due)
    if (due.delayedAtMs <= nowMs) await publishDue()
    for (const schedule of options.schedules) if ((due.schedulesAtMs.get(schedule.name) ?? Infinity) <= nowMs) await runIfDue(schedule)
    const nextMs = firstAtMs(await dueLater(database, types, scheduleNames))
    return nextMs <= nowMs ? nowMs + TAKEN_MS : nextMs
  }

  async function publishDue(): Promise<void> {
    for (let taken = BATCH_ROWS; taken === BATCH_ROWS && !stopping;) {
      const now = clock.now()
      const entries = await database.transaction('read committed', async (transaction) => {
        const due = await takeDue(transaction, types, now, BATCH_ROWS)
        taken = due.length
        const pending = due.map(({ id, type, key, payload, traceparent }) => ({
          event: events.get(type)!,
          id,
          key,
          data: payload,
          traceparent,
        }))
        if (pending.length > 0) crashPoint('later.before-commit')
        return flushOutbox(transaction, options.service, pending, now)
      })
      if (entries.length > 0) options.onEmitted(entries)
    }
  }

  async function runIfDue(schedule: ScheduledWork): Promise<void> {
    const span = scheduled(schedule.name)(undefined)
    const scope: Scope = { service: options.service, trace: span, deadlineAtMs: Infinity }
    let attempt: { readonly dueAt: Date; readonly attempts: number } | undefined
    try {
      await options.transactions(scope, 'repeatable read', async (open) => {
        const due = await store.takeSchedule(open.transaction, schedule.name, clock.now())
        if (due === undefined) return
        attempt = { dueAt: due.dueAt, attempts: due.attempts + 1 }
        await schedule.run(open, due.dueAt)
        const nextAtMs = nextDueMs(schedule.timing, due.dueAt.getTime(), clock.nowMs())
        await store.moveOn(open.transaction, schedule.name, nextAtMs, clock.now())
        crashPoint('later.before-commit')
      })
      span.end()
    } catch (error) {
      span.end({ errorType: 'failed', message: describeFailure(error).message })
      // It could not even be looked at.
      if (attempt === undefined) throw error
      const next = afterFailure('transient', attempt.attempts, 0, clock.nowMs(), options.random, RETRY)
      if (!('retryAtMs' in next)) return
      log.error(`The schedule "${schedule.name}" failed and will be tried again`, { attempt: attempt.attempts, cause: error })
      await store.retrySchedule(database, schedule.name, attempt, new Date(next.retryAtMs), describeFailure(error).message)
    }
  }

  wake()
  return {
    get idle() {
      return working === undefined
    },
    // By the clock alone: a test that wants them moves it.
    dueMs: async () => undefined,
    wake,
    wakeBy: (atMs) => alarm.by(atMs),
    async stop() {
      stopping = true
      alarm.stop()
      await working
    },
  }
}
