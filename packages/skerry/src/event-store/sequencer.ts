/** The sequencer at work: one for each service's database, whichever host it is in. Woken by commits in this process, looking by itself otherwise. */
import type { Clock } from '../base/clock.ts'
import type { Worker } from '../base/worker.ts'
import type { Database } from '../engine/database.ts'
import { LEASE_DEFAULTS, releaseLeases } from '../events/lease.ts'
import { takeLease } from '../events/whole-lease.ts'
import type { Log } from '../telemetry/log.ts'
import { Pump } from './pump.ts'
import { isPending, NUMBERED_AT_ONCE, numberPending, SEQUENCER_LEASE } from './sequence.ts'

export interface SequencerOptions {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  /** This instance, in this life. */
  readonly owner: string
  /** No other process can have the database open: no lease, no looking. */
  readonly exclusive: boolean
  /** Told when events have got their places. */
  readonly onNumbered: () => void
}

/** How often the holder of the lease looks for what other hosts have committed. */
const POLL_MS = 100
/** Commits of so long get their places together, as far as other hosts may be at work on the database too. */
const MIN_INTERVAL_MS = 10
const FAILURE_PAUSE_MS = 500

export function startSequencer(options: SequencerOptions): Worker {
  const sequencer = new Sequencer(options)
  sequencer.wake()
  return sequencer
}

class Sequencer implements Worker {
  readonly #options: SequencerOptions
  readonly #pump: Pump
  #epoch: number | undefined
  #renewAtMs = 0

  constructor(options: SequencerOptions) {
    this.#options = options
    this.#pump = new Pump({
      clock: options.clock,
      minIntervalMs: options.exclusive ? 0 : MIN_INTERVAL_MS,
      run: () => this.#run(),
      onFailure: (error) => {
        options.log.warn('Events could not be given their places in the global order and will be tried again', { cause: error })
        return FAILURE_PAUSE_MS
      },
    })
  }

  get idle(): boolean {
    return this.#pump.idle
  }

  async dueMs(): Promise<number | undefined> {
    if (!(await isPending(this.#options.database))) return undefined
    return this.#pump.nextMs ?? this.#options.clock.nowMs()
  }

  wake(): void {
    this.#pump.wake()
  }

  async stop(): Promise<void> {
    await this.#pump.stop()
    const { exclusive, database, owner, log } = this.#options
    if (exclusive || this.#epoch === undefined) return
    await releaseLeases(database, SEQUENCER_LEASE.name, owner).catch((error: unknown) =>
      log.warn('The lease of the sequencer could not be given back; it will expire', { cause: error }),
    )
  }

  async #run(): Promise<number | undefined> {
    const { exclusive, database, owner, onNumbered } = this.#options
    while (!this.#pump.stopped) {
      if (!exclusive && !(await this.#holdsLease())) return LEASE_DEFAULTS.renewMs
      const numbered = await numberPending(database, exclusive ? undefined : { owner, epoch: this.#epoch! })
      if (numbered === 'lost') {
        this.#epoch = undefined
        this.#renewAtMs = 0
        return POLL_MS
      }
      if (numbered > 0) onNumbered()
      if (numbered < NUMBERED_AT_ONCE) break
    }
    return exclusive ? undefined : POLL_MS
  }

  async #holdsLease(): Promise<boolean> {
    const { database, owner, clock } = this.#options
    const now = clock.now()
    if (now.getTime() >= this.#renewAtMs) {
      this.#epoch = await takeLease(database, { ...SEQUENCER_LEASE, owner, now, ttlMs: LEASE_DEFAULTS.ttlMs })
      this.#renewAtMs = now.getTime() + LEASE_DEFAULTS.renewMs
    }
    return this.#epoch !== undefined
  }
}
