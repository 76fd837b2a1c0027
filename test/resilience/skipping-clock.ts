/** The machine's clock, and from time to time ahead of it: what falls due within a skip runs at once, so that nobody waits half a minute for a breaker. */
import type { Clock, Timer } from 'skerry/engine'
import { systemClock } from 'skerry/runtime'

interface Pending {
  readonly dueMs: number
  readonly action: () => void
  timer: Timer
}

export class SkippingClock implements Clock {
  #aheadMs = 0
  readonly #pending = new Set<Pending>()

  now(): Date {
    return new Date(this.nowMs())
  }

  nowMs(): number {
    return systemClock.nowMs() + this.#aheadMs
  }

  preciseMs(): number {
    return systemClock.preciseMs() + this.#aheadMs
  }

  setTimer(delayMs: number, action: () => void): Timer {
    const pending: Pending = {
      dueMs: this.nowMs() + delayMs,
      action: () => {
        this.#pending.delete(pending)
        action()
      },
      timer: systemClock.setTimer(delayMs, () => pending.action()),
    }
    this.#pending.add(pending)
    return {
      cancel: () => {
        pending.timer.cancel()
        this.#pending.delete(pending)
      },
    }
  }

  skip(ms: number): void {
    this.#aheadMs += ms
    for (const pending of [...this.#pending].toSorted((one, other) => one.dueMs - other.dueMs)) {
      pending.timer.cancel()
      pending.timer = systemClock.setTimer(Math.max(0, pending.dueMs - this.nowMs()), pending.action)
    }
  }
}
