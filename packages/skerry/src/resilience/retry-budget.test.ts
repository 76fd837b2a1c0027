import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RetryBudget } from './retry-budget.ts'

describe('the retry budget', () => {
  it('is a fifth of the first attempts, and ten a second besides, by default', () => {
    const budget = new RetryBudget()
    for (let call = 0; call < 1_000; call++) budget.deposit(0)
    const spent = Array.from({ length: 1_000 }, () => budget.withdraw(0)).filter(Boolean).length
    expect(spent).toBe(300)
  })

  it('fills up again as time passes', () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 1, windowMs: 2_000 })
    expect([budget.withdraw(0), budget.withdraw(0), budget.withdraw(0)]).toEqual([true, true, false])
    expect(budget.withdraw(1_999)).toBe(false)
    expect(budget.withdraw(2_000)).toBe(true)
  })

  it('never lets more than its share through in any window, whatever is asked for', () => {
    const settings = { ratio: 0.2, minPerSecond: 0, windowMs: 1_000 }
    fc.assert(
      fc.property(fc.array(fc.record({ afterMs: fc.nat(60), retries: fc.nat(4) }), { minLength: 50, maxLength: 300 }), (story) => {
        const budget = new RetryBudget(settings)
        let nowMs = 0
        let first = 0
        let extra = 0
        for (const { afterMs, retries } of story) {
          nowMs += afterMs
          budget.deposit(nowMs)
          first++
          for (let retry = 0; retry < retries; retry++) if (budget.withdraw(nowMs)) extra++
        }
        expect(extra).toBeLessThanOrEqual(first * settings.ratio)
      }),
    )
  })
})
