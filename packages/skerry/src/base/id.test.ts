import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Clock } from './clock.ts'
import { systemClock, VirtualClock } from './clock.ts'
import { idSource } from './id.ts'
import type { Random } from './random.ts'
import { seededRandom, systemRandom } from './random.ts'

// RFC 9562, section 4: version in the high bits of octet 6, variant 10 in those of octet 8; lower case on output.
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

/** A clock that reads the given times one after the other, and stays at the last. */
function clockReading(timesMs: readonly number[]): Clock {
  let reading = 0
  const nowMs = (): number => timesMs[Math.min(reading++, timesMs.length - 1)]!
  return { nowMs, preciseMs: nowMs, now: () => new Date(nowMs()), setTimer: () => expect.unreachable() }
}

function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

describe('idSource', () => {
  it('writes the example of RFC 9562, appendix A.6', () => {
    const parts = [0xcc3, 0x18c4dc0c, 0x0c07398f]
    const random: Random = { ...systemRandom, int: () => parts.shift()! }
    expect(idSource(clockReading([0x017f22e279b0]), random)()).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f')
  })

  it('makes well-formed UUIDv7s that carry the time, in order, on the real clock and randomness', () => {
    const newId = idSource(systemClock, systemRandom)
    const fromMs = systemClock.nowMs()
    const ids = Array.from({ length: 10_000 }, newId)
    expect(ids.every((id) => UUID_V7.test(id))).toBe(true)
    expect(timeOf(ids[0]!)).toBeGreaterThanOrEqual(fromMs)
    expect(timeOf(ids[0]!)).toBeLessThanOrEqual(systemClock.nowMs())
    expect(ids).toEqual(ids.toSorted())
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('keeps unique ids in order while the clock stands, steps by fractions of a millisecond, jumps and goes backwards', () => {
    const tenthsOfMs = fc.integer({ min: -9, max: 9 }).map((tenths) => tenths / 10)
    const stepMs = fc.oneof(fc.constant(0), tenthsOfMs, fc.integer({ min: -100_000, max: 100_000 }))
    fc.assert(
      fc.property(fc.array(stepMs, { maxLength: 60 }), fc.maxSafeNat(), (stepsMs, seed) => {
        let nowMs = 1_767_225_600_000
        const newId = idSource(clockReading([nowMs, ...stepsMs.map((step) => (nowMs += step))]), seededRandom(seed))
        const ids = Array.from({ length: stepsMs.length + 1 }, newId)
        expect(ids.every((id) => UUID_V7.test(id))).toBe(true)
        expect(ids).toEqual(ids.toSorted())
        expect(new Set(ids).size).toBe(ids.length)
      }),
    )
  })

  it('runs ahead of a clock that stands when its counter of 12 bits is full', () => {
    const nowMs = 1_767_225_600_000
    const newId = idSource(clockReading([nowMs]), seededRandom(1))
    const ids = Array.from({ length: 10_000 }, newId)
    expect(ids).toEqual(ids.toSorted())
    expect(new Set(ids).size).toBe(ids.length)
    // 2 048 at least fit into the first millisecond, 4 096 into each further one.
    expect(timeOf(ids[2_047]!)).toBe(nowMs)
    expect(timeOf(ids.at(-1)!)).toBeGreaterThan(nowMs)
    expect(timeOf(ids.at(-1)!)).toBeLessThanOrEqual(nowMs + 2)
  })

  it('catches up with the clock', () => {
    const newId = idSource(clockReading([5_000, 1_000, 4_999.9, 6_000.7]), seededRandom(1))
    expect([newId(), newId(), newId(), newId()].map(timeOf)).toEqual([5_000, 5_000, 5_000, 6_000])
  })

  it.each([0, -86_400_000])('stays well formed and in order on a clock that reads %s ms', (nowMs) => {
    const ids = Array.from({ length: 3 }, idSource(clockReading([nowMs]), seededRandom(1)))
    expect(ids.every((id) => UUID_V7.test(id) && timeOf(id) === 0)).toBe(true)
    expect(ids).toEqual(ids.toSorted())
  })

  it('carries times beyond 32 bits of seconds (RFC 9562 has 48 bits of milliseconds)', () => {
    const farMs = 2 ** 48 - 1
    expect(timeOf(idSource(clockReading([farMs]), seededRandom(1))())).toBe(farMs)
  })

  it('is not guessable from the ids before: 62 bits differ without pattern', () => {
    const newId = idSource(clockReading([1_000]), systemRandom)
    const tails = Array.from({ length: 1_000 }, () => BigInt(`0x${newId().slice(19).replaceAll('-', '')}`) & (2n ** 62n - 1n))
    for (let bit = 0n; bit < 62n; bit++) {
      const set = tails.filter((tail) => ((tail >> bit) & 1n) === 1n).length
      // Six standard deviations around half of 1 000.
      expect(set > 405 && set < 595, `bit ${bit} was set in ${set} of 1000`).toBe(true)
    }
  })

  it('repeats with the seed', () => {
    const ids = (): string[] => Array.from({ length: 5 }, idSource(new VirtualClock(), seededRandom(3)))
    expect(ids()).toEqual(ids())
  })
})
