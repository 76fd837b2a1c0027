/**
 * Waiting no longer than a deadline allows, on a clock that can be virtual. One timer serves all that wait on a clock: most
 * work is done long before its deadline, and a timer for each would cost more than the rest of a local call.
 */
import type { Clock, Timer } from '../base/clock.ts'

/** Resolves or rejects as `work` does, or resolves with undefined when that time has come first. The work itself goes on. */
export function beforeDeadline<T>(clock: Clock, deadlineAtMs: number, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const waiting = waitersOf(clock)
    const waiter: Waiter = { deadlineAtMs, at: 0, expire: () => resolve(undefined) }
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
  /** Where it stands among those who wait. */
  at: number
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

/**
 * Those who wait on one clock. The timer is set for the earliest deadline there has been; when it finds that waiter gone, it is set for the
 * next. Not a Set: its outgrown tables hold on to each other, and to all who have ever waited, until the next full collection.
 */
class Waiters {
  readonly #clock: Clock
  readonly #waiting: Waiter[] = []
  #timer: Timer | undefined
  #dueAtMs = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(waiter: Waiter): void {
    waiter.at = this.#waiting.push(waiter) - 1
    if (waiter.deadlineAtMs < this.#dueAtMs) this.#wakeAt(waiter.deadlineAtMs)
  }

  /** The last one takes the place of this one. */
  delete(waiter: Waiter): void {
    const waiting = this.#waiting
    if (waiting[waiter.at] !== waiter) return
    const last = waiting.pop()!
    if (last === waiter) return
    waiting[waiter.at] = last
    last.at = waiter.at
  }

  #wakeAt(dueAtMs: number): void {
    this.#timer?.cancel()
    this.#dueAtMs = dueAtMs
    this.#timer = this.#clock.setTimer(Math.max(0, dueAtMs - this.#clock.nowMs()), () => this.#expire())
  }

  #expire(): void {
    const nowMs = this.#clock.nowMs()
    const late = this.#waiting.filter(({ deadlineAtMs }) => deadlineAtMs <= nowMs).toSorted((a, b) => a.deadlineAtMs - b.deadlineAtMs)
    for (const waiter of late) {
      this.delete(waiter)
      waiter.expire()
    }
    this.#dueAtMs = Infinity
    const nextAtMs = this.#waiting.reduce((earliestMs, { deadlineAtMs }) => Math.min(earliestMs, deadlineAtMs), Infinity)
    if (nextAtMs < Infinity) this.#wakeAt(nextAtMs)
  }
}
