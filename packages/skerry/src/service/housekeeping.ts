/** What a service's host does for it now and then: forgets what nobody can ask for any more. */
import type { Clock } from '../base/clock.ts'
import type { ScheduledWork } from '../events/later-worker.ts'
import type { Sagas } from '../saga/index.ts'
import { forgetAnswers } from './stored-answer.ts'

export interface HousekeepingOptions {
  readonly clock: Clock
  readonly keepsAnswers: boolean
  readonly sagas: Sagas | undefined
}

/** How long a repeated request still gets its first answer. */
const KEEP_ANSWERS_MS = 30 * 24 * 3_600_000
const FORGET_ROWS = 10_000

/** Each run deletes a bounded number of rows, so they come often enough for a busy service. */
export function housekeeping({ clock, keepsAnswers, sagas }: HousekeepingOptions): readonly ScheduledWork[] {
  const often = (name: string, run: ScheduledWork['run']): ScheduledWork => ({ name: `skerry/${name}`, timing: { every: '1m' }, run })
  const forgetOld: ScheduledWork['run'] = async ({ transaction }) =>
    void (await forgetAnswers(transaction, new Date(clock.nowMs() - KEEP_ANSWERS_MS), FORGET_ROWS))
  return [
    ...(keepsAnswers ? [often('forget-answers', forgetOld)] : []),
    ...(sagas === undefined ? [] : [often('forget-sagas', (open) => sagas.forget(open))]),
  ]
}
