import { describe, expect, it } from 'vitest'
import { seededRandom } from '../base/random.ts'
import type { Arrival, ArrivalFacts, FailureKind } from './inbox.ts'
import { afterFailure, arrival, BEGIN_GRACE_MS, CLOCK_DOUBT_MS, recheckAtMs, RETRY_DEFAULTS } from './inbox.ts'

describe('arrival', () => {
  const from = (began: number, sequence: number) => ({ began, sequence })
  const facts: ArrivalFacts = {
    cursor: undefined,
    sequence: 1,
    previousAtMs: undefined,
    subscribedSinceMs: 1_000,
    earlierIsHere: false,
    firstSeenMs: 5_000,
  }
  const missed = { cursor: undefined, sequence: 7, previousAtMs: 999 }
  const doubtful = { cursor: undefined, sequence: 7, previousAtMs: 1_000 + CLOCK_DOUBT_MS - 1 }

  it.each<[string, Partial<ArrivalFacts>, number, Arrival]>([
    ['the first of a key', {}, 5_000, 'handle'],
    ['the next', { cursor: from(1, 4), sequence: 5 }, 5_000, 'handle'],
    ['the next of a key begun in the middle', { cursor: from(4, 4), sequence: 5 }, 5_000, 'handle'],
    ['the last one again', { cursor: from(1, 4), sequence: 4 }, 5_000, 'duplicate'],
    ['an old one again', { cursor: from(1, 4), sequence: 1 }, 5_000, 'duplicate'],
    ['the one a key began with, again', { cursor: from(4, 9), sequence: 4 }, 5_000, 'duplicate'],
    ['one from before the beginning', { cursor: from(4, 9), sequence: 3 }, 5_000, 'overtaken'],
    ['one too early', { cursor: from(1, 4), sequence: 6 }, 5_000, 'early'],
    ['one behind a missed one of a key of which an older one came through', { ...missed, cursor: from(1, 4) }, 1e12, 'begin'],
    ['one behind a missed one, at once', missed, 5_000, 'early'],
    ['one behind a missed one, just before the grace ends', missed, 5_000 + BEGIN_GRACE_MS - 1, 'early'],
    ['one behind a missed one, after the grace', missed, 5_000 + BEGIN_GRACE_MS, 'begin'],
    ['one behind a missed one, while the subscription is being arranged', { ...missed, subscribedSinceMs: undefined }, 1e12, 'early'],
    ['one behind a seemingly missed one that is here', { ...missed, earlierIsHere: true }, 1e12, 'early'],
    ['one whose predecessor may have been missed if clocks differ, after the grace', doubtful, 5_000 + BEGIN_GRACE_MS, 'early'],
    ['one whose predecessor may have been missed if clocks differ, after the doubt', doubtful, 5_000 + CLOCK_DOUBT_MS, 'begin'],
    ['one whose predecessor cannot have been missed', { ...doubtful, previousAtMs: 1_000 + CLOCK_DOUBT_MS }, 1e12, 'early'],
    ['one that does not say when its predecessor was made', { ...missed, previousAtMs: undefined }, 1e12, 'early'],
  ])('%s', (_what, particular, nowMs, expected) => {
    expect(arrival({ ...facts, ...particular }, nowMs)).toBe(expected)
  })
})

describe('afterFailure', () => {
  const least = { ...seededRandom(1), next: () => 0 }
  const most = { ...seededRandom(1), next: () => 1 }
  const settings = { maxAttempts: 3, minBackoffMs: 1_000, maxBackoffMs: 5_000 }

  it.each<[FailureKind, number, number, ReturnType<typeof afterFailure>]>([
    ['transient', 1, 0, { retryAtMs: 10_500 }],
    ['transient', 2, 0, { retryAtMs: 11_000 }],
    ['transient', 3, 0, { deadLetter: 'exhausted' }],
    ['transient', 2, 1, { retryAtMs: 12_000 }],
    ['infrastructure', 0, 1, { retryAtMs: 10_500 }],
    ['infrastructure', 2, 7, { retryAtMs: 12_500 }],
    ['infrastructure', 3, 1_000, { retryAtMs: 12_500 }],
    ['permanent', 1, 0, { deadLetter: 'rejected' }],
  ])('%s, attempt %d, after %d deferrals', (kind, attempts, deferrals, expected) => {
    expect(afterFailure(kind, attempts, deferrals, 10_000, least, settings)).toEqual(expected)
  })

  it('waits between half of the pause and all of it', () => {
    expect(afterFailure('transient', 2, 0, 10_000, most, settings)).toEqual({ retryAtMs: 12_000 })
  })

  it('makes attempts for up to half an hour by default', () => {
    let totalMs = 0
    for (let attempt = 1; attempt < RETRY_DEFAULTS.maxAttempts; attempt++) {
      const next = afterFailure('transient', attempt, 0, 0, most, RETRY_DEFAULTS)
      totalMs += 'retryAtMs' in next ? next.retryAtMs : 0
    }
    expect(totalMs / 60_000).toBeGreaterThan(25)
    expect(totalMs / 60_000).toBeLessThan(30)
  })
})

describe('recheckAtMs', () => {
  it.each([
    ['at the end of the grace, when the key may begin then', 1_000, 900, 2_000, 1_000 + BEGIN_GRACE_MS],
    ['after ten seconds', 1_000, undefined, 2_000, 12_000],
    ['after ten seconds when the grace is over', 1_000, 900, 1_000 + BEGIN_GRACE_MS, 1_000 + BEGIN_GRACE_MS + 10_000],
    ['after half of what it has waited', 0, undefined, 100_000, 150_000],
    ['every ten minutes in the end', 0, undefined, 1e9, 1e9 + 600_000],
    ['after ten seconds when the clock was set back', 5_000, undefined, 0, 10_000],
  ])('%s', (_what, firstSeenMs, previousAtMs, nowMs, expected) => {
    expect(recheckAtMs(firstSeenMs, previousAtMs, nowMs)).toBe(expected)
  })
})
