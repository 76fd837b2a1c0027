import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeParameters } from './sql-parameter.ts'
import { arrayParser, parserOf } from './sql-value.ts'

const INT8 = 20
const NUMERIC = 1700
const TIMESTAMPTZ = 1184
const BYTEA = 17
const TEXT_ARRAY = 1009

function read(typeId: number, text: string): unknown {
  const parser = parserOf(typeId)
  return parser === undefined ? text : parser(text)
}

function write(parameter: unknown): string {
  return encodeParameters([parameter])[0] as string
}

describe('arrays', () => {
  const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('NULL', 'null', '', '"', '\\', '{', '}', ',', '\\"'))

  test('of any text come back as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.option(texts)), (values) => {
        expect(read(TEXT_ARRAY, write(values))).toEqual(values)
      }),
    )
  })

  test('of arrays do, too', () => {
    const grid = fc
      .integer({ min: 1, max: 4 })
      .chain((width) => fc.array(fc.array(texts, { minLength: width, maxLength: width }), { minLength: 1 }))
    fc.assert(
      fc.property(grid, (values) => {
        expect(read(TEXT_ARRAY, write(values))).toEqual(values)
      }),
    )
  })

  test('of a type with another delimiter, such as box, are split there', () => {
    expect(arrayParser(undefined, ';')('{(1,1),(0,0);(2,2),(1,1)}')).toEqual(['(1,1),(0,0)', '(2,2),(1,1)'])
  })
})

describe('numbers', () => {
  test('an int8 is a number exactly when it is a safe integer', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const expected = Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
        expect(read(INT8, String(value))).toBe(expected)
      }),
    )
  })

  test('a numeric that becomes a number has lost nothing', () => {
    const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 25 })
    fc.assert(
      fc.property(fc.boolean(), digits, fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 25 }), (negative, whole, fraction) => {
        const integer = BigInt(whole.join(''))
        const text = `${negative ? '-' : ''}${integer}${fraction.length === 0 ? '' : `.${fraction.join('')}`}`
        const value = read(NUMERIC, text)
        if (typeof value === 'string') expect(value).toBe(text)
        else expect(sameDecimal(value as number, text), `${text} was read as ${String(value)}`).toBe(true)
      }),
    )
  })

  test('one of up to 15 digits always becomes a number', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(10 ** 15) + 1, max: 10 ** 15 - 1 }), fc.integer({ min: 0, max: 20 }), (digits, scale) => {
        const text = String(Math.abs(digits)).padStart(scale + 1, '0')
        const decimal = `${digits < 0 ? '-' : ''}${scale === 0 ? text : `${text.slice(0, -scale)}.${text.slice(-scale)}`}`
        expect(typeof read(NUMERIC, decimal)).toBe('number')
      }),
    )
  })
})

/** Whether the shortest decimal of a number has the same value as the text; both may have an exponent or zeros at the end. */
function sameDecimal(value: number, text: string): boolean {
  const normal = (decimal: string): string => {
    const [mantissa = '', exponent = '0'] = decimal.toLowerCase().split('e')
    const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.')
    const digits = `${whole}${fraction}`
    const scaled = fraction.length - Number(exponent)
    const trailing = /0*$/.exec(digits)![0].length
    const significant = BigInt(digits === '' ? 0 : digits.slice(0, digits.length - trailing) || 0)
    return significant === 0n ? '0' : `${mantissa.startsWith('-') ? '-' : ''}${significant}e${trailing - scaled}`
  }
  return normal(String(value)) === normal(text)
}

describe('timestamps', () => {
  test('are read in any zone, by any calendar PostgreSQL prints', () => {
    const dates = fc.date({ min: new Date('-004000-01-01T00:00:00Z'), max: new Date('+020000-01-01T00:00:00Z'), noInvalidDate: true })
    fc.assert(
      fc.property(dates, fc.integer({ min: -14 * 60, max: 14 * 60 }), (date, offset) => {
        expect(read(TIMESTAMPTZ, printed(date, offset))).toEqual(date)
      }),
    )
  })
})

/** As PostgreSQL prints a timestamptz under `datestyle = ISO` in a zone so many minutes east of UTC. */
function printed(date: Date, offsetMinutes: number): string {
  const local = new Date(date.getTime() + offsetMinutes * 60_000)
  const year = local.getUTCFullYear()
  const two = (value: number): string => String(value).padStart(2, '0')
  const milliseconds = String(local.getUTCMilliseconds()).padStart(3, '0').replace(/0+$/, '')
  const minutes = Math.abs(offsetMinutes)
  return (
    `${String(year > 0 ? year : 1 - year).padStart(4, '0')}-${two(local.getUTCMonth() + 1)}-${two(local.getUTCDate())} ` +
    `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())}${milliseconds === '' ? '' : `.${milliseconds}`}` +
    `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${minutes % 60 === 0 ? '' : `:${two(minutes % 60)}`}${year > 0 ? '' : ' BC'}`
  )
}

test('bytes keep their length and belong to no pool', () => {
  const bytes = read(BYTEA, '\\x00ff') as Uint8Array
  expect(bytes).toEqual(new Uint8Array([0, 255]))
  expect(bytes.buffer.byteLength).toBe(2)
})
