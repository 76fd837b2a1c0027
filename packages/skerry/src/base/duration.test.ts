import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Duration } from './duration.ts'
import { milliseconds } from './duration.ts'

const UNITS = [
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
] as const

describe('milliseconds', () => {
  it('reads a whole number of every unit', () => {
    fc.assert(
      fc.property(fc.nat(999_999_999), fc.constantFrom(...UNITS), (count, [unit, unitMs]) => {
        expect(milliseconds(`${count}${unit}`)).toBe(count * unitMs)
      }),
    )
  })

  it.each<[Duration, number]>([
    ['0s', 0],
    ['1.5s', 1_500],
    ['0.25ms', 0.25],
    ['8.2m', 492_000],
    ['1.1d', 95_040_000],
    ['007s', 7_000],
  ])('reads %s', (duration, expected) => {
    expect(milliseconds(duration)).toBe(expected)
  })

  it.each([
    '',
    '5',
    's',
    '5 s',
    ' 5s',
    '5s\n',
    '-5s',
    '+5s',
    '.5s',
    '5.s',
    '1e3ms',
    '0x10s',
    'Infinityms',
    'NaNs',
    '5S',
    '5min',
    '5s5ms',
    '5,5s',
    '٥s',
    '1000000000s',
  ])('refuses %j and says what is accepted', (text) => {
    expect(() => milliseconds(text as Duration)).toThrow(TypeError)
    expect(() => milliseconds(text as Duration)).toThrow(`"${text}" is not a duration: write a number`)
  })

  it.each<unknown>([undefined, null, 5, {}, ['5s', '5s']])('refuses %j, which only JavaScript can pass', (value) => {
    expect(() => milliseconds(value as Duration)).toThrow(TypeError)
  })
})
