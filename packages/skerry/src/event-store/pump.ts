/**
 * Work that is done whenever there may be some: one run at a time, once more when it was asked for meanwhile, later when it
 * says so, and again after a pause when it fails.
 */
import type { Clock, Timer } from '../base/clock.ts'

export interface PumpOptions {
  readonly clock: Clock
  /** How long to leave between two runs, so that under load each has more to do. Default 0. */
  readonly minIntervalMs?: number
  /** Does what there is to do. Resolves with how long to wait before looking again by itself; undefined: until it is woken. */
  readonly run: () => Promise<number | undefined>
  /** Told of a failed run. Returns how long to wait before the next. */
  readonly onFailure: (error: unknown) => number
}

export class Pump {
  readonly #options: PumpOptions
  #running: Promise<void> | undefined
  #again = false
  #stopped = false
  /** A run has failed, and its pause is not over. */
  #pausing = false
  #endedAtMs = Number.NEGATIVE_INFINITY
  #timer: { readonly atMs: number; readonly timer: Timer } | undefined

  constructor(options: PumpOptions) {
    this.#options = options
  }

  /** True when nothing is being done and nothing has been asked for. */
  get idle(): boolean {
    return this.#running === undefined
  }

  get stopped(): boolean {
    return this.#stopped
  }

  /** When it will look again by itself, in milliseconds since the epoch. */
  get nextMs(): number | undefined {
    return this.#timer?.atMs
  }

  wake(): void {
    if (this.#stopped || this.#pausing) return
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    const { clock, minIntervalMs = 0 } = this.#options
    const waitMs = this.#endedAtMs + minIntervalMs - clock.nowMs()
    // A clock that was set back must not make it wait for the time to come again.
    if (waitMs > 0 && waitMs <= minIntervalMs) this.#wakeIn(waitMs)
    else this.#running = this.#runOnce()
  }

  /** Begins no further run. Resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.timer.cancel()
    this.#timer = undefined
    await this.#running
  }

  async #runOnce(): Promise<void> {
    const { clock, run, onFailure } = this.#options
    this.#timer?.timer.cancel()
    this.#timer = undefined
    let waitMs: number | undefined
    try {
      waitMs = await run()
    } catch (error) {
      this.#pausing = true
      this.#again = false
      waitMs = onFailure(error)
    }
    this.#endedAtMs = clock.nowMs()
    this.#running = undefined
    if (waitMs !== undefined) this.#wakeIn(waitMs)
    if (!this.#again) return
    this.#again = false
    this.wake()
  }

  #wakeIn(waitMs: number): void {
    const { clock } = this.#options
    const atMs = clock.nowMs() + waitMs
    if (this.#stopped || (this.#timer !== undefined && this.#timer.atMs <= atMs)) return
    this.#timer?.timer.cancel()
    const timer = clock.setTimer(waitMs, () => {
      this.#timer = undefined
      this.#pausing = false
      this.wake()
    })
    this.#timer = { atMs, timer }
  }
}
