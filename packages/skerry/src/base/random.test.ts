import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Random } from './random.ts'
import { seededRandom, systemRandom } from './random.ts'

describe.each<[string, () => Random]>([
  ['systemRandom', () => systemRandom],
  ['seededRandom', () => seededRandom(7)],
])('%s', (_name, make) => {
  it('gives numbers in [0, 1)', () => {
    const random = make()
    for (let draw = 0; draw < 3_000; draw++) {
      const number = random.next()
      expect(number >= 0 && number < 1).toBe(true)
    }
  })

  it('gives whole numbers within both bounds, however wide', () => {
    const random = make()
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (one, other) => {
        const [min, max] = [Math.min(one, other), Math.max(one, other)]
        fc.pre(max - min < Number.MAX_SAFE_INTEGER)
        const number = random.int(min, max)
        expect(Number.isInteger(number) && number >= min && number <= max).toBe(true)
      }),
    )
  })

  it('reaches every value of a small range, both bounds included', () => {
    const random = make()
    const seen = new Set(Array.from({ length: 500 }, () => random.int(-2, 2)))
    expect([...seen].toSorted((left, right) => left - right)).toEqual([-2, -1, 0, 1, 2])
  })

  it('spreads evenly: no sixteenth gets less than half or more than twice its share', () => {
    const random = make()
    const counts = Array.from({ length: 16 }, () => 0)
    for (let draw = 0; draw < 16_000; draw++) counts[random.int(0, 15)]! += 1
    for (const count of counts) expect(count > 500 && count < 2_000).toBe(true)
  })

  it('uses all 53 bits: also the lowest bit of a wide range varies', () => {
    const random = make()
    const lowest = new Set(Array.from({ length: 100 }, () => random.int(0, Number.MAX_SAFE_INTEGER) % 2))
    expect(lowest.size).toBe(2)
  })

  it.each([
    [3, 2],
    [Number.NaN, 1],
    [0, Number.NaN],
  ])('refuses the empty range from %s to %s', (min, max) => {
    expect(() => make().int(min, max)).toThrow(RangeError)
  })

  it('picks from a list, and refuses an empty one', () => {
    const random = make()
    const picked = new Set(Array.from({ length: 200 }, () => random.pick(['a', 'b', 'c'])))
    expect(picked).toEqual(new Set(['a', 'b', 'c']))
    expect(() => random.pick([])).toThrow(RangeError)
  })
})

describe('seededRandom', () => {
  it('gives for ever what it gave when these were recorded (from an independent implementation of sfc32)', () => {
    const draws = (seed: number): number[] => {
      const random = seededRandom(seed)
      return [random.next(), random.next(), random.next()]
    }
    expect(draws(0)).toEqual([0.9817317219131122, 0.5801159137713449, 0.48707062736056117])
    expect(draws(42)).toEqual([0.29131022954605823, 0.11133799525571064, 0.3166959684496662])
    expect(draws(2 ** 53 - 1)).toEqual([0.04254553797168481, 0.3694926223812637, 0.14317705854789753])
  })

  it('gives different numbers for different seeds, also beyond 32 bits', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (one, other) => {
        fc.pre(one !== other)
        expect(seededRandom(one).next()).not.toBe(seededRandom(other).next())
      }),
    )
    expect(seededRandom(2 ** 32).next()).not.toBe(seededRandom(0).next())
  })
})

describe('systemRandom', () => {
  it('goes on beyond what it draws from the system at once, without repeating itself', () => {
    const draws = Array.from({ length: 3_000 }, () => systemRandom.next())
    expect(new Set(draws).size).toBe(draws.length)
  })
})
