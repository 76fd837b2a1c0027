/**
 * Counts who still calls the deprecated operations of a service. A call only adds to a number in memory; every few seconds in which there
 * were any, what was counted is written in one transaction. A process that dies takes the last seconds with it, and a commit whose
 * outcome is unknown may be counted twice: the numbers tell who calls and when, and are not for billing.
 */
import { Alarm } from '../base/alarm.ts'
import type { Clock } from '../base/clock.ts'
import { productsIn } from '../client/user-agent.ts'
import type { Database } from '../engine/database.ts'
import type { Log } from '../telemetry/log.ts'
import type { CalledBy } from './deprecated-call-rows.ts'
import { addDeprecatedCalls, OTHERS } from './deprecated-call-rows.ts'

export interface DeprecatedCallsOptions {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
}

/** The caller of those who do not say who they are. In parentheses, which no product has in its name. */
const UNNAMED = '(unnamed)'
/** Of one operation between two writes. More than are kept, so that many strangers at once do not hide those who are known. */
const MAX_COUNTED_CALLERS = 1_000
const WRITE_AFTER_MS = 5_000
const TRY_AGAIN_AFTER_MS = 60_000

export class DeprecatedCalls {
  readonly #options: DeprecatedCallsOptions
  readonly #alarm: Alarm
  /** By the operation and the caller. */
  #counted = new Map<string, Map<string, CalledBy>>()
  #writing: Promise<void> | undefined
  #notBeforeMs = 0

  constructor(options: DeprecatedCallsOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.clock, () => void this.#write())
  }

  /** `userAgent`: as it came, if it did. */
  count(operation: string, userAgent: string | undefined): void {
    const now = this.#options.clock.now()
    this.#add({ operation, caller: productsIn(userAgent ?? '') ?? UNNAMED, calls: 1, firstAt: now, lastAt: now })
    this.#writeLater()
  }

  /** Resolves when what was counted is written. Call when no more calls are answered. */
  async stop(): Promise<void> {
    this.#alarm.stop()
    await this.#writing
    await this.#write()
  }

  #add({ operation, caller, calls, firstAt, lastAt }: CalledBy): void {
    const callers = this.#counted.get(operation) ?? new Map<string, CalledBy>()
    this.#counted.set(operation, callers)
    const as = callers.has(caller) || callers.size < MAX_COUNTED_CALLERS ? caller : OTHERS
    const before = callers.get(as)
    callers.set(as, {
      operation,
      caller: as,
      calls: calls + (before?.calls ?? 0),
      firstAt: before !== undefined && before.firstAt < firstAt ? before.firstAt : firstAt,
      lastAt: before !== undefined && before.lastAt > lastAt ? before.lastAt : lastAt,
    })
  }

  #writeLater(): void {
    if (this.#writing === undefined) this.#alarm.by(Math.max(this.#options.clock.nowMs() + WRITE_AFTER_MS, this.#notBeforeMs))
  }

  #write(): Promise<void> {
    return (this.#writing ??= this.#writeCounted().finally(() => {
      this.#writing = undefined
      if (this.#counted.size > 0) this.#writeLater()
    }))
  }

  async #writeCounted(): Promise<void> {
    const { database, clock, log } = this.#options
    const calls = [...this.#counted.values()].flatMap((callers) => [...callers.values()])
    if (calls.length === 0) return
    this.#counted = new Map()
    try {
      await addDeprecatedCalls(database, calls, clock.now())
    } catch (error) {
      for (const call of calls) this.#add(call)
      this.#notBeforeMs = clock.nowMs() + TRY_AGAIN_AFTER_MS
      log.warn('Who called deprecated operations could not be written', { cause: error })
    }
  }
}
