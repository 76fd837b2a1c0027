import { describe, expect, it } from 'vitest'
import { FailureRate } from './failure-rate.ts'

/** Whether each of the outcomes (`.` success, `x` failure), `everyMs` apart, made it too many. */
function after(outcomes: string, everyMs = 1, rate = new FailureRate({ failureRate: 0.5, minCalls: 4, windowMs: 1_000 })): string {
  return Array.from(outcomes, (outcome, index) => (rate.record(outcome === 'x', index * everyMs) ? '!' : '-')).join('')
}

describe('the failure rate', () => {
  it.each([
    ['too few calls', 'xxx', '---'],
    ['half of enough calls', '.x.x', '---!'],
    ['less than half', '..x.x', '-----'],
    ['a success is never what makes it too many', 'xxx.', '----'],
    ['more than half', '..xxx', '---!!'],
  ])('%s: %s', (_what, outcomes, expected) => {
    expect(after(outcomes)).toBe(expected)
  })

  it('forgets what is older than its window', () => {
    expect(after('xx.x', 400)).toBe('----')
  })

  it('forgets everything when it is told to', () => {
    const rate = new FailureRate({ failureRate: 0.5, minCalls: 2, windowMs: 1_000 })
    expect(after('xx', 1, rate)).toBe('-!')
    rate.clear()
    expect(after('x', 1, rate)).toBe('-')
  })

  it('is half of at least twenty in ten seconds by default', () => {
    expect(after('.x'.repeat(12), 1, new FailureRate())).toBe(`${'-'.repeat(19)}!-!-!`)
  })
})
