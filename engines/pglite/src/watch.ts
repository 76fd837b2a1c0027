/**
 * Looks after an engine every few seconds, for what the single session of PGlite does not do by itself: a transaction
 * that has gone quiet would stop every service, so would a statement without end, and nobody clears up.
 */
import type { Clock, Timer } from 'skerry/engine'
import { DatabaseError } from 'skerry/engine'
import type { Lease } from './lease.ts'
import type { Session } from './session.ts'

const TICK_MS = 5_000
/** Like `idle_in_transaction_session_timeout` of the engine for PostgreSQL. */
const IDLE_TICKS = 6
/** Like `answerTimeoutMs` of the engine for PostgreSQL. */
const ANSWER_TICKS = 12

export interface Watched {
  readonly clock: Clock
  readonly session: () => Session | undefined
  readonly lease: () => Lease | undefined
  /** Shows other processes that this one is alive. */
  readonly refresh: () => void
  /** Must not reject. */
  readonly vacuum: () => Promise<void>
}

export class Watch {
  readonly #watched: Watched
  #timer: Timer
  readonly #idle = new Standstill(IDLE_TICKS)
  readonly #unanswered = new Standstill(ANSWER_TICKS)
  #vacuuming = false

  constructor(watched: Watched) {
    this.#watched = watched
    this.#timer = watched.clock.setTimer(TICK_MS, () => this.#tick())
  }

  stop(): void {
    this.#timer.cancel()
  }

  #tick(): void {
    const { clock, refresh } = this.#watched
    const session = this.#watched.session()
    const lease = this.#watched.lease()
    refresh()
    if (this.#idle.lasts(lease, lease?.idles)) lease?.takeBack(idleInTransaction())
    if (this.#unanswered.lasts(session, session?.waitsForAnswer))
      session?.die(
        `a statement had no answer for ${(ANSWER_TICKS * TICK_MS) / 1000} s. Make it do less, or put it in a script, which may take longer`,
      )
    void this.#vacuum()
    this.#timer = clock.setTimer(TICK_MS, () => this.#tick())
  }

  async #vacuum(): Promise<void> {
    if (this.#vacuuming) return
    this.#vacuuming = true
    await this.#watched.vacuum()
    this.#vacuuming = false
  }
}

/** Notices when the same thing is in the same place at so many ticks in a row. */
class Standstill {
  readonly #ticks: number
  #subject: unknown
  #place: number | undefined
  #count = 0

  constructor(ticks: number) {
    this.#ticks = ticks
  }

  lasts(subject: unknown, place: number | undefined): boolean {
    const same = subject !== undefined && place !== undefined && subject === this.#subject && place === this.#place
    this.#count = same ? this.#count + 1 : 0
    this.#subject = subject
    this.#place = place
    return this.#count === this.#ticks
  }
}

function idleInTransaction(): DatabaseError {
  return new DatabaseError(
    'unavailable',
    `A transaction that did nothing for ${(IDLE_TICKS * TICK_MS) / 1000} s was rolled back, because every service waits for it: keep other work out of transactions`,
    { sqlState: '25P03' },
  )
}
