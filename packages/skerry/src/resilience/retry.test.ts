import { describe, expect, it } from 'vitest'
import type { RetryFacts } from './retry.ts'
import { pauseBeforeRetry, RETRY_POLICY_DEFAULTS } from './retry.ts'

const half = { next: () => 0.5 }
const facts: RetryFacts = { failure: 'unavailable', made: 1, repeatable: true, retryAfterMs: undefined, remainingMs: 1_000 }

describe('a call that failed', () => {
  it.each<[string, Partial<RetryFacts>, number | undefined]>([
    ['is made again after a part of the backoff', {}, 12.5],
    ['not when it may not be made twice', { repeatable: false }, undefined],
    ['even then, when it never left', { repeatable: false, failure: 'unsent' }, 12.5],
    ['not when the answer is final', { failure: 'final' }, undefined],
    ['not more often than the policy says', { made: 2 }, undefined],
    ['not before the callee has asked for, nor all at once then', { retryAfterMs: 400 }, 412.5],
    ['not when the caller would no longer wait', { remainingMs: 12.5 }, undefined],
    ['not when the callee asks for longer than the caller waits', { retryAfterMs: 1_000 }, undefined],
  ])('%s', (_what, changed, expected) => {
    expect(pauseBeforeRetry({ ...facts, ...changed }, RETRY_POLICY_DEFAULTS, half)).toBe(expected)
  })

  it('waits twice as long each time, up to the longest pause', () => {
    const policy = { attempts: 10, minBackoffMs: 25, maxBackoffMs: 250 }
    const pauses = [1, 2, 3, 4, 5, 6].map((made) => pauseBeforeRetry({ ...facts, made }, policy, { next: () => 0.999_999 })!)
    expect(pauses.map(Math.round)).toEqual([25, 50, 100, 200, 250, 250])
  })

  it('may be made again at once: all that failed together must not come back together', () => {
    expect(pauseBeforeRetry(facts, RETRY_POLICY_DEFAULTS, { next: () => 0 })).toBe(0)
  })
})
