import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RollingCounts } from './rolling-counts.ts'

describe('rolling counts', () => {
  it('forget what is older than the window, bucket by bucket', () => {
    const counts = new RollingCounts(10_000, 1)
    counts.add(0, 1, 500)
    counts.add(0, 2, 5_500)
    expect([9_999, 10_000, 14_999, 15_000].map((nowMs) => counts.total(0, nowMs))).toEqual([3, 2, 2, 0])
  })

  it('keep kinds apart, and start anew when cleared', () => {
    const counts = new RollingCounts(1_000, 2)
    counts.add(0, 1, 0)
    counts.add(1, 5, 0)
    expect([counts.total(0, 0), counts.total(1, 0)]).toEqual([1, 5])
    counts.clear()
    expect([counts.total(0, 0), counts.total(1, 0)]).toEqual([0, 0])
  })

  it('count what a clock that was set back adds as of now', () => {
    const counts = new RollingCounts(1_000, 1)
    counts.add(0, 1, 5_000)
    counts.add(0, 1, 100)
    expect(counts.total(0, 5_000)).toBe(2)
  })

  it('are what a list of all that was added says', () => {
    const happening = fc.record({ afterMs: fc.oneof(fc.nat(200), fc.nat(5_000)), amount: fc.integer({ min: 1, max: 3 }) })
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), fc.nat(1_000_000), (story, startMs) => {
        const counts = new RollingCounts(1_000, 1)
        const all: { readonly atMs: number; readonly amount: number }[] = []
        let nowMs = startMs
        for (const { afterMs, amount } of story) {
          nowMs += afterMs
          counts.add(0, amount, nowMs)
          all.push({ atMs: nowMs, amount })
          const oldest = Math.floor(nowMs / 100) - 9
          const expected = all.filter(({ atMs }) => Math.floor(atMs / 100) >= oldest).reduce((sum, one) => sum + one.amount, 0)
          expect(counts.total(0, nowMs)).toBe(expected)
        }
      }),
    )
  })
})
