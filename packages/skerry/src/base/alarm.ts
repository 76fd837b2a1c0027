/** One timer for whoever may be given several times at which to look again. */
import type { Clock, Timer } from './clock.ts'

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
    if (this.#stopped || (this.#set !== undefined && this.#set.atMs <= atMs)) return
    this.#set?.timer.cancel()
    const timer = this.#clock.setTimer(Math.max(1, atMs - this.#clock.nowMs()), () => {
      this.#set = undefined
      this.#ring()
    })
    this.#set = { atMs, timer }
  }

  /** It rings no more. */
  stop(): void {
    this.#stopped = true
    this.#set?.timer.cancel()
  }
}
