/**
 * Waiting no longer than a deadline allows, on a clock that can be virtual. One timer serves all that wait on a clock: most
 * work is done long before its deadline, and a timer for each would cost more than the rest of a local call.
 */
import type { Clock, Timer } from '../base/clock.ts'

/** Resolves or rejects as `work` does, or resolves with undefined when the time has run out first. The work itself goes on. */
export function beforeDeadline<T>(clock: Clock, remainingMs: number, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const waiting = waitersOf(clock)
    const waiter: Waiter = { deadlineAtMs: clock.nowMs() + remainingMs, expire: () => resolve(undefined) }
    waiting.add(waiter)
    work.then(
      (value) => {
        waiting.delete(waiter)
        resolve(value)
      },
      (error: unknown) => {
        waiting.delete(waiter)
        reject(error)
      },
    )
  })
}

interface Waiter {
  readonly deadlineAtMs: number
  readonly expire: () => void
}

const waiters = new WeakMap<Clock, Waiters>()

function waitersOf(clock: Clock): Waiters {
  let found = waiters.get(clock)
  if (found === undefined) {
    found = new Waiters(clock)
    waiters.set(clock, found)
  }
  return found
}

/** Those who wait on one clock. The timer is set for the earliest deadline there has been; when it finds that waiter gone, it is set for the next. */
class Waiters {
  readonly #clock: Clock
  readonly #waiting = new Set<Waiter>()
  #timer: Timer | undefined
  #dueAtMs = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(waiter: Waiter): void {
    this.#waiting.add(waiter)
    if (waiter.deadlineAtMs < this.#dueAtMs) this.#wakeAt(waiter.deadlineAtMs)
  }

  delete(waiter: Waiter): void {
    this.#waiting.delete(waiter)
  }

  #wakeAt(dueAtMs: number): void {
    this.#timer?.cancel()
    this.#dueAtMs = dueAtMs
    this.#timer = this.#clock.setTimer(Math.max(0, dueAtMs - this.#clock.nowMs()), () => this.#expire())
  }

  #expire(): void {
    const nowMs = this.#clock.nowMs()
    let nextAtMs = Infinity
    for (const waiter of this.#waiting) {
      if (waiter.deadlineAtMs > nowMs) nextAtMs = Math.min(nextAtMs, waiter.deadlineAtMs)
      else {
        this.#waiting.delete(waiter)
        waiter.expire()
      }
    }
    this.#dueAtMs = Infinity
    if (nextAtMs < Infinity) this.#wakeAt(nextAtMs)
  }
}
