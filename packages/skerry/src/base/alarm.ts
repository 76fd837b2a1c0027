/** One timer for whoever may be given several times at which to look again. */
import type { Clock, Timer } from './clock.ts'

/** A timer goes by another clock than the time of day, which may be set, or go on while the machine sleeps: so often it is compared with it. */
const MAX_TIMER_MS = 60_000

/** Wakes somebody at the earliest of the times it was set to since it last rang; then it has to be set again. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #set: { readonly atMs: number; readonly timer: Timer } | undefined
  #stopped = false

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings at `atMs`, milliseconds since the epoch, or before; never within this call. */
  by(atMs: number): void {
    if (this.#stopped || atMs === Infinity) return
    const nowMs = this.#clock.nowMs()
    // One that should have rung is as good as none: its timer was set for another time of day.
    if (this.#set !== undefined && this.#set.atMs <= atMs && this.#set.atMs > nowMs) return
    this.#set?.timer.cancel()
    const timer = this.#clock.setTimer(Math.min(MAX_TIMER_MS, Math.max(1, atMs - nowMs)), () => {
      this.#set = undefined
      if (this.#clock.nowMs() < atMs) this.by(atMs)
      else this.#ring()
    })
    this.#set = { atMs, timer }
  }

  /** It rings no more. */
  stop(): void {
    this.#stopped = true
    this.#set?.timer.cancel()
  }
}
