/** Waiting no longer than a deadline allows, on a clock that can be virtual. */
import type { Clock } from '../base/clock.ts'

/** Resolves or rejects as `work` does, or resolves with undefined when the time has run out first. The work itself goes on. */
export function beforeDeadline<T>(clock: Clock, remainingMs: number, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(remainingMs, () => resolve(undefined))
    work.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error: unknown) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}
