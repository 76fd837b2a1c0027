import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SkerryError } from './errors.ts'
import { copyJson, MAX_JSON_DEPTH, parseJson } from './json.ts'

// Values are compared by Node's assert: Vitest's matchers ask an object for its "constructor", which may be a field here.

function refusal(text: string): SkerryError {
  try {
    parseJson(text)
  } catch (error) {
    if (error instanceof SkerryError) return error
    throw error
  }
  throw new Error(`parseJson accepted ${text.slice(0, 200)}`)
}

function nested(depth: number, open: string, close: string): string {
  return open.repeat(depth) + (open === '[' ? '' : '1') + close.repeat(depth)
}

/** JSON texts written with all the freedom of RFC 8259: white space, escapes, any order, colons and quotes in strings. */
const jsonText = fc.letrec<{ value: string; string: string; array: string; object: string }>((tie) => {
  const space = fc.stringMatching(/^[ \t\r\n]{0,2}$/)
  const spaced = (text: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.tuple(space, text, space).map((parts) => parts.join(''))
  const character = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 3 }).map((text) => JSON.stringify(text).slice(1, -1)),
    fc.constantFrom(':', '{', '}', '[', ']', ',', '\\"', '\\\\', '\\/', '\\n', '\\u003a', '\\u0022', '\\ud83d\\ude00', '\\ud800'),
  )
  return {
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('null', 'true', 'false', '0', '-0', '1.5e300', '-12', '1E-7', '1e999', '12345678901234567890'),
      tie('string'),
      tie('array'),
      tie('object'),
    ),
    string: fc.array(character, { maxLength: 4 }).map((parts) => `"${parts.join('')}"`),
    array: fc.array(spaced(tie('value')), { maxLength: 4 }).map((elements) => `[${elements.join(',')}]`),
    object: fc
      .uniqueArray(fc.tuple(spaced(tie('string')), spaced(tie('value'))), { maxLength: 4, selector: ([key]) => JSON.parse(key) as string })
      .filter((members) => members.every(([key]) => !['__proto__', 'constructor'].includes(JSON.parse(key) as string)))
      .map((members) => `{${members.map(([key, value]) => `${key}:${value}`).join(',')}}`),
  }
}).value

describe('parseJson', () => {
  it('reads all valid JSON without repeated keys as JSON.parse does', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        deepStrictEqual(parseJson(text), JSON.parse(text))
      }),
      { numRuns: 1_000 },
    )
  })

  it('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: 'medium', noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value)
        fc.pre(!/"(__proto__|constructor)":/.test(text))
        deepStrictEqual(parseJson(text), JSON.parse(text))
      }),
    )
  })

  it('refuses a repeated key wherever it stands, and names it', () => {
    fc.assert(
      fc.property(jsonText, jsonText, fc.string({ unit: 'grapheme' }), fc.nat(5), fc.boolean(), (one, other, key, depth, inArray) => {
        fc.pre(key !== '__proto__' && key !== 'constructor')
        const name = JSON.stringify(key)
        const object = `{"before:":{${name}:1},${name}:${one},"":[":"],${name} :${other}}`
        const text = inArray ? `[${object},{}]` : `${'{"in":'.repeat(depth)}${object}${'}'.repeat(depth)}`
        const error = refusal(key === '' ? text.replace('"":[":"],', '') : text)
        expect(error).toMatchObject({ code: 'malformedJson', status: 422 })
        expect(error.message).toBe(`An object has the key ${name.slice(0, 100)} twice`)
      }),
    )
  })

  it.each([
    ['escaped', '{"a":1,"\\u0061":2}', '"a"'],
    ['an escaped quote before it', '{"\\"":1,"x\\\\":2,"\\"":3}', '"\\""'],
    ['overwritten by an object with as many keys', '{"a":{"b":1},"a":{"c":1}}', '"a"'],
    ['inside a member that is overwritten', '{"a":{"b":1,"b":2},"a":3}', '"b"'],
    ['the empty one', '{"":1,"":2}', '""'],
    ['a whole number, which objects reorder', '{"1":1,"0":0,"1":2}', '"1"'],
  ])('refuses a repeated key: %s', (_what, text, key) => {
    expect(refusal(text).message).toBe(`An object has the key ${key} twice`)
  })

  it('accepts equal keys in different objects, and colons within strings', () => {
    const text = '[{"a":1},{"a":1,"b":{"a":":\\":\\\\"}},"::","\\\\"]'
    deepStrictEqual(parseJson(text), JSON.parse(text))
  })

  it.each(['', ' ', '{', '{"a"}', "{'a':1}", '[1,]', 'undefined', 'NaN', '01', '"\n"', '\uFEFF{}', '{} {}', '/**/1', '"\\x41"'])(
    'refuses %j, which is not JSON',
    (text) => {
      expect(refusal(text).code).toBe('malformedJson')
    },
  )

  it.each(['[', '{"a":'])('accepts as many nested %s as promised and not one more, however many follow', (open) => {
    const close = open === '[' ? ']' : '}'
    expect(() => parseJson(nested(MAX_JSON_DEPTH, open, close))).not.toThrow()
    expect(refusal(nested(MAX_JSON_DEPTH + 1, open, close)).message).toContain(`at most ${MAX_JSON_DEPTH} deep`)
    expect(refusal(nested(100_000, open, close)).message).toContain(`at most ${MAX_JSON_DEPTH} deep`)
    expect(refusal(open.repeat(100_000)).code).toBe('malformedJson')
  })

  it.each([
    '{"__proto__":{"admin":true}}',
    '{"__proto__":null}',
    '{"a":[{"__proto__":1}]}',
    '{"\\u005f_proto__":1}',
    '{"constructor":{"prototype":{"admin":true}}}',
    '{"a":{"constructor":{"x":1,"prototype":1}}}',
  ])('refuses %s, through which a careless copy would change a prototype', (text) => {
    expect(refusal(text).message).toMatch(/^The key "(__proto__|constructor)" is not allowed$/)
  })

  it.each(['{"constructor":"Bauhaus"}', '{"constructor":{"name":"x"}}', '{"prototype":{}}', '{"constructor":null}', '["__proto__"]'])(
    'accepts %s',
    (text) => {
      deepStrictEqual(parseJson(text), JSON.parse(text))
    },
  )

  it('quotes no more than the beginning of a long key', () => {
    const key = 'k'.repeat(100_000)
    expect(refusal(`{"${key}":1,"${key}":2}`).message.length).toBeLessThan(200)
  })
})

class Money {
  readonly cents: number
  constructor(cents: number) {
    this.cents = cents
  }
  get euros(): number {
    return this.cents / 100
  }
}

/** Everything that JSON.stringify has an opinion on. */
const anything = fc.anything({
  withDate: true,
  withMap: true,
  withSet: true,
  withSparseArray: true,
  withNullPrototype: true,
  withTypedArray: true,
  withBoxedValues: true,
  withObjectString: true,
  maxDepth: 3,
  values: [
    fc.constant(undefined),
    fc.boolean(),
    fc.double(),
    fc.constantFrom(NaN, Infinity, -Infinity, -0, null),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('__proto__', 'constructor', 'toJSON'),
    fc.constant(Symbol('symbol')),
    fc.func(fc.anything()),
    fc.date({ noInvalidDate: false }),
    fc.integer().map((cents) => new Money(cents)),
    fc.anything().map((json) => ({ toJSON: () => json, ignored: 1 })),
    fc.constant({ toJSON: (key: string) => ({ key }) }),
    fc.constant({ toJSON: 'not a function', [Symbol('key')]: 1 }),
  ],
  key: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', '0', '10', 'length')),
})

function throughText(value: unknown): unknown {
  const text = JSON.stringify({ value })
  return (JSON.parse(text) as { value: unknown }).value
}

describe('copyJson', () => {
  it('gives what JSON.parse(JSON.stringify(value)) gives, for every value', () => {
    fc.assert(
      fc.property(anything, (value) => {
        let text: string | undefined
        try {
          text = JSON.stringify(value)
        } catch (error) {
          // A bigint somewhere.
          expect(error).toBeInstanceOf(TypeError)
          expect(() => copyJson(value)).toThrow(TypeError)
          return
        }
        const copy = copyJson(value)
        if (text === undefined) expect(copy).toBeUndefined()
        else deepStrictEqual(copy, JSON.parse(text))
        expect(JSON.stringify(copy)).toBe(text)
      }),
      { numRuns: 3_000 },
    )
  })

  it.each<[string, unknown]>([
    ['undefined, functions and symbols in an object', { a: undefined, b: () => 1, c: Symbol('c'), d: 1 }],
    ['undefined, functions and symbols in an array', [undefined, () => 1, Symbol('c'), 1]],
    ['a sparse array', Object.assign([1], { 3: 4 })],
    ['an array with further fields', Object.assign([1], { extra: 1 })],
    ['an array with toJSON', Object.assign([1], { toJSON: () => 'converted' })],
    ['a function with toJSON', Object.assign(() => 1, { toJSON: () => 'converted' })],
    [
      'an object whose toJSON returns itself',
      new (class {
        a = 1
        toJSON = (): unknown => this
      })(),
    ],
    [
      'toJSON that is given its key',
      { field: { toJSON: (key: unknown) => [key, typeof key] }, list: [{ toJSON: (key: unknown) => [key, typeof key] }] },
    ],
    ['toJSON that returns undefined', { a: { toJSON: () => undefined }, b: [{ toJSON: () => undefined }] }],
    ['inherited toJSON and getters', Object.create({ toJSON: () => ({ a: 1 }) })],
    ['dates, also invalid ones', [new Date(0), new Date(Number.NaN)]],
    ['boxed primitives', [Object(1), Object(Number.NaN), Object('text'), Object(true), Object(Symbol('s'))]],
    [
      'boxed primitives with methods of their own',
      [Object.assign(Object('a') as object, { toString: () => 'b' }), Object.assign(Object(1) as object, { valueOf: () => 2 })],
    ],
    ['maps, sets, errors, expressions', [new Map([[1, 2]]), new Set([1]), new Error('x'), /x/]],
    ['typed arrays', new Uint8Array([1, 2])],
    ['lone surrogates', ['\ud800', { '\udc00': 1 }]],
    ['an own field __proto__', JSON.parse('{"__proto__":{"admin":true},"a":1}')],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['fields that are not enumerable', Object.defineProperty({ a: 1 }, 'b', { value: 2 })],
    ['negative zero', [-0, { a: -0 }, Object(-0)]],
  ])('agrees with the text on %s', (_what, value) => {
    deepStrictEqual(copyJson(value), throughText(value))
  })

  it.each([undefined, () => 1, Symbol('s'), { toJSON: () => undefined }])(
    'gives undefined for %s alone, for which there is no text',
    (value) => {
      expect(copyJson(value)).toBeUndefined()
    },
  )

  it('shares nothing with the original', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const original = { value: structuredClone(value) }
        const copy = copyJson(original)
        const objects = new Set<unknown>()
        walk(original, (object) => objects.add(object))
        walk(copy, (object) => expect(objects.has(object)).toBe(false))
      }),
    )
  })

  it('refuses a bigint and says which, unless somebody taught bigints toJSON', () => {
    expect(() => copyJson({ price: { cents: 10n } })).toThrow(
      new TypeError('"cents" is a bigint, which JSON cannot carry: send a number or a string'),
    )
    expect(() => copyJson(10n)).toThrow(new TypeError('The value is a bigint, which JSON cannot carry: send a number or a string'))
    expect(() => copyJson(Object(10n))).toThrow(TypeError)
    // oxlint-disable-next-line no-extend-native -- many programs do exactly this
    Object.defineProperty(BigInt.prototype, 'toJSON', { value: bigintAsText, configurable: true })
    try {
      expect(copyJson({ cents: 10n })).toStrictEqual({ cents: '10' })
    } finally {
      Reflect.deleteProperty(BigInt.prototype, 'toJSON')
    }
  })

  it('goes exactly as deep as a receiver of the text would', () => {
    const deepest: unknown = JSON.parse(nested(MAX_JSON_DEPTH, '[', ']'))
    expect(copyJson(deepest)).toStrictEqual(deepest)
    expect(() => copyJson([deepest])).toThrow(`nest deeper than ${MAX_JSON_DEPTH}`)
    expect(() => copyJson({ a: JSON.parse(nested(MAX_JSON_DEPTH, '{"a":', '}')) as unknown })).toThrow(
      `At "a" arrays and objects nest deeper`,
    )
  })

  it('refuses what contains itself, as the text would be endless', () => {
    const circle: Record<string, unknown> = {}
    circle['again'] = [circle]
    expect(() => copyJson(circle)).toThrow(/"again"|"0"/)
    const endless = { toJSON: (): unknown => ({ endless }) }
    expect(() => copyJson(endless)).toThrow(TypeError)
  })
})

function bigintAsText(this: bigint): string {
  return this.toString()
}

function walk(value: unknown, visit: (object: object) => void): void {
  if (typeof value !== 'object' || value === null) return
  visit(value)
  for (const member of Object.values(value)) walk(member, visit)
}
