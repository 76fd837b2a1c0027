import { deepStrictEqual } from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SkerryError } from '../base/errors.ts'
import type { HttpBinding } from './http-binding.ts'
import { httpBinding } from './http-binding.ts'
import type { Operation } from './operation.ts'
import { del, get, patch, post, put } from './operation.ts'
import { problem } from './problem.ts'
import type { Schema } from './schema.ts'

// Values are compared by Node's assert, which sees prototypes: an object whose prototype was changed is not equal.

/** Sends a request as HTTP would: the target through a URL parser, the body through text, path parameters percent-decoded. */
function transport(operation: Operation, { target, body }: ReturnType<HttpBinding['encode']>): unknown {
  const { pathname, search } = new URL(`http://host${target}`)
  const template = operation.path.split('/')
  const segments = pathname.split('/')
  expect(segments.length, `${target} has as many segments as ${operation.path}`).toBe(template.length)
  const parameters: Record<string, string> = {}
  template.forEach((part, index) => {
    if (part.startsWith('{')) parameters[part.slice(1, -1)] = decodeURIComponent(segments[index]!)
    else expect(segments[index]).toBe(part)
  })
  const received: unknown = body === undefined ? undefined : JSON.parse(JSON.stringify(body))
  return httpBinding('shop.test', operation).decode(parameters, search.slice(1), received)
}

function roundTrip(operation: Operation, input: unknown): unknown {
  return transport(operation, httpBinding('shop.test', operation).encode(input))
}

function refusal(action: () => unknown): SkerryError {
  try {
    action()
  } catch (error) {
    if (error instanceof SkerryError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

const text = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed())
const segment = text.filter((value) => !['', '.', '..'].includes(value) && !/\p{Cc}/u.test(value))
const name = fc.oneof(
  fc.stringMatching(/^[a-z][A-Za-z0-9]{0,8}$/),
  fc.constantFrom('constructor', 'toString', 'a b', 'a&b=c', 'ü', 'x+y', '%41', 'a.b', 'a[]', '#', '?'),
)
const finite = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(1e21, 5e-324, 1.7976931348623157e308, -1e-7),
)

/** A kind of field with values of it: what a query can carry. */
const queryKind: fc.Arbitrary<readonly [Schema, fc.Arbitrary<unknown>]> = fc.constantFrom(
  [z.string(), text] as const,
  [z.number(), finite] as const,
  [z.boolean(), fc.boolean()] as const,
  [z.enum(['1', 'true', 'x']), fc.constantFrom('1', 'true', 'x')] as const,
  [z.union([z.enum(['all']), z.number()]), fc.oneof(fc.constant('all'), finite)] as const,
  [z.string().optional(), fc.option(text, { nil: undefined })] as const,
  [z.number().default(5), fc.option(finite, { nil: undefined })] as const,
  [z.array(z.string()), fc.array(text).filter((list) => list.length !== 1 || list[0] !== '')] as const,
  [z.array(z.number()), fc.array(finite)] as const,
  [z.array(z.boolean()).optional(), fc.option(fc.array(fc.boolean()), { nil: undefined })] as const,
  [z.tuple([z.number(), z.string()]), fc.tuple(finite, text)] as const,
)

const pathKind: fc.Arbitrary<readonly [Schema, fc.Arbitrary<unknown>]> = fc.constantFrom(
  [z.string(), segment] as const,
  [z.number(), finite] as const,
  [z.boolean(), fc.boolean()] as const,
)

/** An operation of any shape with an input that fits it. */
const operationWithInput = fc
  .record({
    method: fc.constantFrom(get, del, post, put, patch),
    inPath: fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-z][a-z0-9]{0,4}$/), pathKind), { selector: ([field]) => field, maxLength: 3 }),
    others: fc.uniqueArray(fc.tuple(name, queryKind), { selector: ([field]) => field, maxLength: 5 }),
  })
  .chain(({ method, inPath, others }) => {
    const all = new Map([...others, ...inPath])
    const input = z.object(Object.fromEntries([...all].map(([field, [schema]]) => [field, schema as z.ZodType])))
    const path: string = `/things${inPath.map(([field]) => `/{${field}}/parts`).join('')}`
    const operation: Operation = method(path, { input })
    return fc.record({
      operation: fc.constant(operation),
      input: fc
        .record(Object.fromEntries([...all].map(([field, [, values]]) => [field, values])))
        .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>),
    })
  })

describe('what an operation can carry', () => {
  it('arrives as it was sent, whatever the method, the fields and their values', () => {
    fc.assert(
      fc.property(operationWithInput, ({ operation, input }) => {
        const arrived = roundTrip(operation, input)
        deepStrictEqual(arrived, input)
        deepStrictEqual(httpBinding('shop.test', operation).carry(input), input)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each<[string, Operation]>([
    [
      'a URL',
      get('/things/{id}', {
        input: z.object({
          id: z.union([z.string(), z.number()]),
          list: z.array(z.string()),
          number: z.number(),
          maybe: z.boolean().optional(),
        }),
      }),
    ],
    ['a URL with any field', get('/things/{id}', { input: z.looseObject({ id: z.string() }) })],
    ['a URL with no other field', get('/things/{id}', { input: z.strictObject({ id: z.number(), list: z.array(z.boolean()) }) })],
    ['a URL of a record', get('/things', { input: z.record(z.string(), z.number()) })],
    ['a body', post('/things', { input: z.object({ id: z.string() }) })],
    ['path and body', put('/things/{id}', { input: z.object({ id: z.string(), rest: z.unknown() }) })],
  ])('is carried without a request exactly as with one, or refused alike: %s', (_what, operation) => {
    const binding = httpBinding('shop.test', operation)
    const odd = fc.oneof(
      fc.constantFrom('', '.', '..', 'a/b', '\n', '\ud800', '5', 'true', '__proto__', null, 0),
      fc.jsonValue({ maxDepth: 2, noUnicodeString: false }),
    )
    const fields = fc.dictionary(
      fc.constantFrom('id', 'list', 'number', 'maybe', 'rest', 'other', 'constructor', '\ud800'),
      fc.oneof(odd, fc.array(odd)),
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(fc.oneof({ weight: 5, arbitrary: fields }, { weight: 1, arbitrary: fc.option(odd, { nil: undefined }) }), (value) => {
        const input: unknown = value === undefined ? undefined : JSON.parse(JSON.stringify(value))
        let carried: { value: unknown } | SkerryError
        try {
          carried = { value: binding.carry(input) }
        } catch (error) {
          carried = error as SkerryError
        }
        if (carried instanceof Error) {
          expect(carried).toMatchObject({ name: 'SkerryError', code: 'invalidInput' })
          expect(refusal(() => binding.encode(input)).message).toBe(carried.message)
        } else deepStrictEqual(transport(operation, binding.encode(input)), carried.value)
      }),
      { numRuns: 500 },
    )
  })

  it('writes targets that people can read', () => {
    const search = get('/shops/{shop}/products', {
      input: z.object({ shop: z.int(), text: z.string(), tags: z.array(z.string()), inStock: z.boolean().optional() }),
    })
    const { target, body } = httpBinding('catalog.search', search).encode({
      shop: 7,
      text: 'näive & "new"',
      tags: ['a b', 'c/d'],
      inStock: true,
    })
    expect(target).toBe('/shops/7/products?text=n%C3%A4ive%20%26%20%22new%22&tags=a%20b&tags=c%2Fd&inStock=true')
    expect(body).toBeUndefined()
    const change = patch('/orders/{orderId}', { input: z.object({ orderId: z.string(), note: z.string().nullable() }) })
    expect(httpBinding('orders.change', change).encode({ orderId: 'a/b', note: null })).toEqual({
      target: '/orders/a%2Fb',
      body: { note: null },
    })
  })
})

describe('the path', () => {
  const read = get('/things/{id}', { input: z.object({ id: z.string() }) })

  it.each(['', '.', '..', '\ud800', 'a\nb', '\u007f', null, undefined, {}, ['a'], 5])('cannot carry %j for text', (id) => {
    const error = refusal(() => httpBinding('shop.read', read).encode({ id }))
    expect(error).toMatchObject({
      code: 'invalidInput',
      message: `shop.read: ${JSON.stringify(id) ?? 'undefined'} cannot stand in the path for {id}`,
    })
  })

  it.each([
    '...',
    '.a',
    '%2e%2e',
    '%2F',
    'a/../b',
    '/',
    '\\',
    '?x=1',
    '#',
    ' ',
    '+',
    '{id}',
    '$&',
    '$1',
    'ü',
    '\u{1f980}',
    '0',
    'true',
    '__proto__',
  ])('carries %j', (id) => {
    deepStrictEqual(roundTrip(read, { id }), { id })
  })

  it('keeps a value that looks like another parameter where it is', () => {
    const nested = get('/a/{one}/b/{two}', { input: z.object({ one: z.string(), two: z.string() }) })
    deepStrictEqual(roundTrip(nested, { one: '{two}', two: '{one}' }), { one: '{two}', two: '{one}' })
  })

  it('decides over a field of the same name in query and body', () => {
    expect(httpBinding('shop.read', read).decode({ id: 'path' }, 'id=query', undefined)).toEqual({ id: 'path' })
    const write = put('/things/{id}', { input: z.object({ id: z.string(), x: z.int() }) })
    expect(httpBinding('shop.write', write).decode({ id: 'path' }, 'x=3', { id: 'body', x: 1 })).toEqual({ id: 'path', x: 1 })
  })
})

describe('text is read as what the schema allows', () => {
  const binding = httpBinding(
    'shop.search',
    get('/search/{page}', {
      input: z.object({
        page: z.int().meta({ id: 'Page' }),
        text: z.string(),
        number: z.number(),
        yes: z.boolean(),
        either: z.union([z.enum(['all']), z.int()]),
        numbers: z.array(z.number()),
        pair: z.tuple([z.string(), z.int()]),
        literal: z.literal(5),
        coerced: z.coerce.number(),
        unknown: z.unknown(),
      }),
    }),
  )
  const read = (query: string): unknown => {
    const { page: _page, ...rest } = binding.decode({ page: '1' }, query, undefined) as Record<string, unknown>
    return rest
  }

  it.each([
    ['number=5', { number: 5 }],
    ['number=-1.5e-7', { number: -1.5e-7 }],
    ['number=9007199254740993', { number: '9007199254740993' }],
    ['number=1.0', { number: '1.0' }],
    ['number=007', { number: '007' }],
    ['number=1e3', { number: '1e3' }],
    ['number=', { number: '' }],
    ['number=%205', { number: ' 5' }],
    ['number=+5', { number: ' 5' }],
    ['number=0x10', { number: '0x10' }],
    ['number=NaN', { number: 'NaN' }],
    ['number=Infinity', { number: 'Infinity' }],
    ['number=-', { number: '-' }],
    ['text=5', { text: '5' }],
    ['text=true', { text: 'true' }],
    ['text', { text: '' }],
    ['text=a=b', { text: 'a=b' }],
    ['text=a+b%2Bc', { text: 'a b+c' }],
    ['yes=true', { yes: true }],
    ['yes=false', { yes: false }],
    ['yes=1', { yes: '1' }],
    ['yes=TRUE', { yes: 'TRUE' }],
    ['either=all', { either: 'all' }],
    ['either=7', { either: 7 }],
    ['numbers=1&numbers=x', { numbers: [1, 'x'] }],
    ['numbers=1', { numbers: [1] }],
    ['numbers=', { numbers: [] }],
    ['pair=1&pair=2', { pair: ['1', 2] }],
    ['pair=1&pair=2&pair=3', { pair: ['1', 2, 3] }],
    ['literal=5', { literal: 5 }],
    ['coerced=5', { coerced: 5 }],
    ['unknown=5', { unknown: '5' }],
    ['', {}],
    ['&&', {}],
    ['&text=a&', { text: 'a' }],
    ['=x', {}],
    ['other=1', {}],
  ])('%s', (query, expected) => {
    deepStrictEqual(read(query), expected)
  })

  it('leaves a single value that comes twice to validation', () => {
    deepStrictEqual(read('number=1&number=2&text=a&text=b'), { number: ['1', '2'], text: ['a', 'b'] })
  })

  it('sees the type of a path parameter behind a reference', () => {
    expect(binding.decode({ page: '12' }, '', undefined)).toEqual({ page: 12 })
    expect(binding.decode({ page: '1x' }, '', undefined)).toEqual({ page: '1x' })
    expect(binding.decode({}, '', undefined)).toEqual({ page: '' })
  })

  it.each(['text=%', 'text=%zz', 'text=%ff', '%ff=1', 'text=%ed%a0%80'])('refuses %s, which is not percent-encoded UTF-8', (query) => {
    expect(refusal(() => read(query))).toMatchObject({ code: 'malformedRequest', status: 400 })
  })
})

describe('fields that the schema does not name', () => {
  it('are dropped by an object, sent to be refused by a strict one, carried by a loose one', () => {
    const id = z.string()
    const sent = { id: 'a', extra: 5, list: [1, 2] }
    deepStrictEqual(roundTrip(get('/x', { input: z.object({ id }) }), { ...sent, object: { secret: 1 } }), { id: 'a' })
    expect(refusal(() => roundTrip(get('/x', { input: z.strictObject({ id }) }), sent)).message).toContain('cannot carry 5 for "extra"')
    deepStrictEqual(httpBinding('x.y', get('/x', { input: z.strictObject({ id }) })).decode({}, 'id=a&extra=5', undefined), {
      id: 'a',
      extra: '5',
    })
    deepStrictEqual(roundTrip(get('/x', { input: z.object({ id }).catchall(z.number()) }), { id: 'a', extra: 5 }), { id: 'a', extra: 5 })
  })
})

describe('prototypes stay as they are', () => {
  const readLoose = httpBinding('shop.read', get('/x', { input: z.looseObject({ a: z.string().optional() }) }))
  const write = httpBinding('shop.write', put('/x/{id}', { input: z.looseObject({ id: z.string() }) }))

  it('when the query names __proto__ or what objects inherit', () => {
    const query = '__proto__=1&__proto__=2&__proto__[admin]=1&constructor=2&toString=3&hasOwnProperty=4'
    const input = readLoose.decode({}, query, undefined) as object
    expect(Object.getPrototypeOf(input)).toBe(Object.prototype)
    expect(Object.entries(input)).toEqual([
      ['__proto__[admin]', '1'],
      ['constructor', '2'],
      ['toString', '3'],
      ['hasOwnProperty', '4'],
    ])
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
  })

  it('when a body that slipped past parseJson has the key __proto__', () => {
    const body: unknown = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}')
    const input = write.decode({ id: 'a' }, '', body) as Record<string, unknown>
    expect(Object.getPrototypeOf(input)).toBe(Object.prototype)
    expect(input['admin']).toBeUndefined()
    expect(Object.keys(input)).toEqual(['__proto__', 'constructor', 'id'])
  })

  it('when a caller sends such fields', () => {
    const input: unknown = JSON.parse('{"__proto__":"x","a":"1"}')
    expect(readLoose.encode(input).target).toBe('/x?a=1')
    expect(readLoose.carry(input)).toEqual({ a: '1' })
  })
})

describe('a request that carries nothing', () => {
  const optional = z.object({ a: z.string().optional() })
  it.each<[string, Operation, unknown]>([
    ['GET without input', get('/x'), undefined],
    ['POST without input', post('/x'), undefined],
    ['GET whose fields may all be left out', get('/x', { input: optional }), {}],
    ['POST whose fields may all be left out', post('/x', { input: optional }), {}],
    ['GET whose input may be left out', get('/x', { input: optional.optional() }), undefined],
    ['POST whose input may be left out', post('/x', { input: optional.optional() }), undefined],
    ['POST of a list', post('/x', { input: z.array(z.int()) }), undefined],
  ])('%s', (_what, operation, expected) => {
    deepStrictEqual(roundTrip(operation, undefined), expected)
    deepStrictEqual(httpBinding('x.y', operation).carry(undefined), expected)
  })

  it('has an empty query as the empty object, but a body of its own', () => {
    deepStrictEqual(roundTrip(get('/x', { input: optional }), {}), {})
    deepStrictEqual(roundTrip(post('/x', { input: optional.optional() }), {}), {})
  })

  it('may still have path parameters', () => {
    const cancel = post('/orders/{id}/cancel', { input: z.object({ id: z.string() }) })
    deepStrictEqual(httpBinding('orders.cancel', cancel).decode({ id: '7' }, '', undefined), { id: '7' })
    expect(httpBinding('orders.cancel', cancel).encode({ id: '7' })).toEqual({ target: '/orders/7/cancel', body: {} })
  })
})

describe('wrong shapes', () => {
  it.each(['text', 5, true, null, [], [1]])('a body that is %j reaches validation as it is', (body) => {
    const write = put('/x/{id}', { input: z.object({ id: z.string() }) })
    deepStrictEqual(httpBinding('x.write', write).decode({ id: 'a' }, '', body), body)
    deepStrictEqual(httpBinding('x.create', post('/x', { input: z.object({}) })).decode({}, '', body), body)
  })

  it.each(['text', 5, true, null, [1]])('an input that is %j cannot be put into a URL', (input) => {
    for (const operation of [
      get('/x', { input: z.object({ a: z.string().optional() }) }),
      put('/x/{id}', { input: z.object({ id: z.string() }) }),
    ])
      expect(refusal(() => httpBinding('x.y', operation).encode(input))).toMatchObject({
        code: 'invalidInput',
        message: 'x.y: the input must be an object',
      })
  })

  it.each([null, {}, [[1]], ['a', null], [''], '\ud800', ['\udc00'], 5])('a query cannot carry %j for a list of text', (list) => {
    const search = get('/x', { input: z.object({ list: z.array(z.string()) }) })
    const value = Array.isArray(list) ? list : [list]
    expect(refusal(() => httpBinding('x.search', search).encode({ list: value }))).toMatchObject({ code: 'invalidInput' })
    expect(refusal(() => httpBinding('x.search', search).encode({ list: value })).message).toContain('the query cannot carry')
  })

  it('text that the other end would take for a number is refused, not changed', () => {
    const search = get('/x', { input: z.object({ id: z.union([z.string(), z.number()]) }) })
    expect(refusal(() => httpBinding('x.search', search).encode({ id: '5' })).message).toBe('x.search: the query cannot carry "5" for "id"')
    deepStrictEqual(roundTrip(search, { id: 'five' }), { id: 'five' })
  })
})

/** A path as JavaScript could write it: TypeScript does not look for its parameter in the input. */
const UNCHECKED: string = '/x/{id}'

describe('binding refuses, and says where and why', () => {
  const cases: [string, Operation, string][] = [
    [
      'a path parameter without field',
      get(UNCHECKED, { input: z.object({ other: z.string() }) }),
      'the input has no field for the path parameter {id}',
    ],
    ['a path parameter without input', get(UNCHECKED), 'the input has no field for the path parameter {id}'],
    [
      'a path parameter that objects inherit',
      get(UNCHECKED.replace('id', 'constructor'), { input: z.object({ other: z.string() }) }),
      'the input has no field for the path parameter {constructor}',
    ],
    [
      'a path parameter that may be missing',
      get('/x/{id}', { input: z.object({ id: z.string().optional() }) }),
      'the field "id" may be left out of the input, but the path needs it',
    ],
    [
      'a path parameter with a default',
      get('/x/{id}', { input: z.object({ id: z.string().default('a') }) }),
      'the field "id" may be left out of the input, but the path needs it',
    ],
    [
      'a path parameter of only some variants',
      get(UNCHECKED, { input: z.union([z.object({ id: z.string() }), z.object({ x: z.string() })]) }),
      'the field "id" may be left out',
    ],
    [
      'a list in the path',
      put('/x/{id}', { input: z.object({ id: z.array(z.string()) }) }),
      'the field "id" is a list, which a path cannot carry',
    ],
    [
      'an object in the path',
      put('/x/{id}', { input: z.object({ id: z.object({}) }) }),
      'the field "id" is an object, which a path cannot carry',
    ],
    [
      'null in the path',
      put('/x/{id}', { input: z.object({ id: z.string().nullable() }) }),
      'the field "id" may be null, which a path cannot carry: make it optional instead of nullable',
    ],
    [
      'an object in the query',
      get('/x', { input: z.object({ filter: z.object({ a: z.string() }) }) }),
      'the field "filter" is an object, which a query cannot carry',
    ],
    [
      'a record in the query',
      del('/x', { input: z.object({ filter: z.record(z.string(), z.string()).optional() }) }),
      'the field "filter" is an object, which a query cannot carry',
    ],
    [
      'null in the query',
      get('/x', { input: z.object({ after: z.string().nullish() }) }),
      'the field "after" may be null, which a query cannot carry: make it optional instead of nullable',
    ],
    [
      'a list of objects',
      get('/x', { input: z.object({ list: z.array(z.object({})) }) }),
      'the field "list" is a list of more than text, numbers and booleans, which a query cannot carry',
    ],
    [
      'a list of lists',
      get('/x', { input: z.object({ list: z.array(z.array(z.int())) }) }),
      'the field "list" is a list of more than text, numbers and booleans',
    ],
    [
      'a list of what may be null',
      get('/x', { input: z.object({ list: z.array(z.int().nullable()) }) }),
      'the field "list" is a list of more than text, numbers and booleans',
    ],
    [
      'a list or a single value',
      get('/x', { input: z.object({ ids: z.union([z.string(), z.array(z.string())]) }) }),
      'the field "ids" may be a list or a single value, which a query cannot tell apart: make it always a list',
    ],
    [
      'an object behind a reference',
      get('/x', { input: z.object({ a: z.object({}).meta({ id: 'Named' }) }) }),
      'the field "a" is an object, which a query cannot carry',
    ],
    [
      'text as input of GET',
      get('/x', { input: z.string() }),
      'the input of GET /x must be an object, because its fields travel in the path and query',
    ],
    ['anything as input of DELETE', del('/x', { input: z.any() }), 'the input of DELETE /x must be an object'],
    [
      'a list with a path parameter',
      put(UNCHECKED, { input: z.array(z.string()) }),
      'the input of PUT /x/{id} must be an object, because its fields travel in the path and body',
    ],
    ['an input that may be null', get('/x', { input: z.object({}).nullable() }), 'the input of GET /x must be an object'],
    [
      'a date in the input',
      post('/x', { input: z.object({ at: z.date() }) }),
      'its input cannot be described as JSON Schema: Date cannot be represented in JSON Schema',
    ],
    ['a bigint in the output', get('/x', { output: z.object({ cents: z.bigint() }) }), 'its output cannot be described as JSON Schema'],
    [
      'a map in the data of a problem',
      get('/x', { errors: { bad: problem(400, 'Bad', z.map(z.string(), z.string())) } }),
      'the data of its problem "bad" cannot be described as JSON Schema',
    ],
  ]

  it.each(cases)('%s', (_what, operation, message) => {
    const error = refusal(() => httpBinding('shop.thing', operation))
    expect(error).toMatchObject({ code: 'contractInvalid' })
    expect(error.message).toContain(`shop.thing: ${message}`)
  })

  it('everything at once', () => {
    const operation = get('/x/{id}', { input: z.object({ id: z.string().optional(), a: z.object({}), b: z.null() }) })
    expect(refusal(() => httpBinding('shop.thing', operation)).message.split('\n')).toHaveLength(3)
    const undescribed = get('/x', { input: z.object({ a: z.date() }), output: z.date(), errors: { bad: problem(400, 'Bad', z.date()) } })
    expect(refusal(() => httpBinding('shop.thing', undescribed)).message.split('\n')).toHaveLength(3)
  })

  it('nothing of what a body may be', () => {
    const anything = post('/x', { input: z.union([z.string().nullable(), z.array(z.object({ a: z.null() }))]) })
    expect(httpBinding('x.y', anything).hasBody).toBe(true)
    deepStrictEqual(roundTrip(anything, [{ a: null }]), [{ a: null }])
    deepStrictEqual(roundTrip(anything, null), null)
  })
})
