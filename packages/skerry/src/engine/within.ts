/** The boundary to those who may never answer: waiting for them has an end. */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'

/** Resolves with true when `work` has settled, either way, or with false after `timeoutMs`. */
export async function within(clock: Clock, timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
  const settled = new AbortController()
  const settle = (): void => settled.abort()
  work.then(settle, settle)
  await sleep(clock, timeoutMs, settled.signal)
  return settled.signal.aborted
}
