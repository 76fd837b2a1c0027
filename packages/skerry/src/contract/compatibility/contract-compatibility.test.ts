/** Changes of contracts, each labelled by hand with the rule that refuses it, or as compatible: the rules, by example. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Contract } from '../contract.ts'
import { contract } from '../contract.ts'
import type { EventDeclaration } from '../event.ts'
import { event } from '../event.ts'
import type { Operation } from '../operation.ts'
import { del, get, patch, post, put } from '../operation.ts'
import { problem } from '../problem.ts'
import type { Schema } from '../schema.ts'
import { compareContracts } from './contract-compatibility.ts'
import { contractSnapshot } from './snapshot.ts'

/** What the change is, before, now, and the rules that refuse it with the place; none for a compatible one. */
type Case<T> = readonly [change: string, before: T, now: T, ...broken: string[]]

const Colour = z.enum(['red', 'green'])
const Shades = z.enum(['red', 'green', 'blue'])
const Line = z.object({ sku: z.string(), quantity: z.int() })
const Circle = z.object({ kind: z.literal('circle'), radius: z.number() })
const Square = z.object({ kind: z.literal('square'), side: z.number() })
const Comment: z.ZodType = z.object({
  text: z.string(),
  get answers() {
    return z.array(Comment)
  },
})
const LongComment: z.ZodType = z.object({
  text: z.string().min(1),
  get answers() {
    return z.array(LongComment)
  },
})
const o = z.object
const Rule: z.ZodType = z.lazy(() =>
  z.discriminatedUnion('op', [
    z.object({ op: z.literal('is'), value: z.union([z.string(), z.number(), z.null()]) }),
    z.object({ op: z.literal('not'), of: Rule }),
    z.object({ op: z.literal('and'), left: Rule, right: Rule }),
    z.object({ op: z.literal('or'), left: Rule, right: Rule }),
  ]),
)
/** With patterns for names, which the comparison does not understand. */
const named = (type: 'string' | 'integer'): Schema => {
  const item = z.object({ n: type === 'string' ? z.string() : z.int() })
  const schema = z.object({ a: z.record(z.string(), item) })
  const json = {
    type: 'object',
    properties: { a: { type: 'object', patternProperties: { '^x': { $ref: '#/$defs/Item' } } } },
    $defs: { Item: { type: 'object', properties: { n: { type } } } },
  }
  return {
    '~standard': { ...schema['~standard'], jsonSchema: { input: () => ({ ...json }), output: () => ({ ...json }) } },
  }
}

/** A field of a request. Old callers must still be understood. */
const TAKEN: readonly Case<Schema>[] = [
  ['nothing', o({ a: z.string() }), o({ a: z.string() })],
  ['a new optional field', o({ a: z.string() }), o({ a: z.string(), b: z.string().optional() })],
  ['a new field with a default', o({ a: z.string() }), o({ a: z.string(), b: z.int().default(1) })],
  ['a new required field', o({ a: z.string() }), o({ a: z.string(), b: z.string() }), 'input-required /b'],
  ['a field that becomes optional', o({ a: z.string() }), o({ a: z.string().optional() })],
  ['a field that becomes required', o({ a: z.string().optional() }), o({ a: z.string() }), 'input-required /a'],
  ['a field that gets a default', o({ a: z.int().optional() }), o({ a: z.int().default(10) })],
  ['another default', o({ a: z.int().default(10) }), o({ a: z.int().default(20) }), 'input-default /a'],
  ['a default that is gone', o({ a: z.int().default(10) }), o({ a: z.int().optional() }), 'input-default /a'],
  [
    'a default that is gone from a field that is now required',
    o({ a: z.int().default(10) }),
    o({ a: z.int() }),
    'input-required /a',
    'input-default /a',
  ],
  ['a field that is no longer looked at', o({ a: z.string(), b: z.string() }), o({ a: z.string() })],
  ['a field under another name', o({ a: z.string() }), o({ b: z.string() }), 'input-required /b'],
  ['an optional field under another name', o({ a: z.string().optional() }), o({ b: z.string().optional() })],
  ['a field that may be null', o({ a: z.string() }), o({ a: z.string().nullable() })],
  ['a field that may no longer be null', o({ a: z.string().nullable() }), o({ a: z.string() }), 'input-type /a'],
  ['text instead of a number', o({ a: z.number() }), o({ a: z.string() }), 'input-type /a'],
  ['a number or text instead of a number', o({ a: z.number() }), o({ a: z.union([z.number(), z.string()]) })],
  ['a number instead of a number or text', o({ a: z.union([z.number(), z.string()]) }), o({ a: z.number() }), 'input-type /a'],
  ['any number instead of a whole one', o({ a: z.int() }), o({ a: z.number() })],
  ['a whole number instead of any', o({ a: z.number() }), o({ a: z.int() }), 'input-type /a'],
  ['a true or false that may be text', o({ a: z.boolean() }), o({ a: z.union([z.boolean(), z.string()]) })],
  ['one more choice', o({ a: Colour }), o({ a: Shades })],
  ['one choice less', o({ a: Shades }), o({ a: Colour }), 'input-enum /a'],
  ['choices instead of any text', o({ a: z.string() }), o({ a: Colour }), 'input-enum /a'],
  ['any text instead of choices', o({ a: Colour }), o({ a: z.string() })],
  ['choices in another order', o({ a: z.enum(['red', 'green']) }), o({ a: z.enum(['green', 'red']) })],
  ['a choice of numbers that are in a range', o({ a: z.union([z.literal(1), z.literal(2)]) }), o({ a: z.int().min(1).max(2) })],
  ['a constant that is another', o({ a: z.literal('x') }), o({ a: z.literal('y') }), 'input-enum /a'],
  ['a longer text is allowed', o({ a: z.string().max(10) }), o({ a: z.string().max(20) })],
  ['a shorter text only', o({ a: z.string().max(20) }), o({ a: z.string().max(10) }), 'input-length /a'],
  ['any length instead of a limited one', o({ a: z.string().max(20) }), o({ a: z.string() })],
  ['a limit where there was none', o({ a: z.string() }), o({ a: z.string().max(10) }), 'input-length /a'],
  ['text that may be empty', o({ a: z.string().min(1) }), o({ a: z.string() })],
  ['text that may no longer be empty', o({ a: z.string() }), o({ a: z.string().min(1) }), 'input-length /a'],
  ['a pattern where there was none', o({ a: z.string() }), o({ a: z.string().regex(/^a/) }), 'input-pattern /a'],
  ['a pattern that is gone', o({ a: z.string().regex(/^a/) }), o({ a: z.string() })],
  ['another pattern', o({ a: z.string().regex(/^a/) }), o({ a: z.string().regex(/^[ab]/) }), 'input-pattern /a'],
  ['choices that match the new pattern', o({ a: Colour }), o({ a: z.string().regex(/^(red|green|blue)$/) })],
  ['choices of which one does not match it', o({ a: Colour }), o({ a: z.string().regex(/^re/) }), 'input-enum /a'],
  ['a format where there was none', o({ a: z.string() }), o({ a: z.uuid() }), 'input-pattern /a', 'input-format /a'],
  ['a format that is gone', o({ a: z.uuid() }), o({ a: z.string() })],
  ['another format', o({ a: z.iso.date() }), o({ a: z.iso.datetime() }), 'input-pattern /a', 'input-format /a'],
  ['smaller numbers are allowed', o({ a: z.int().min(1) }), o({ a: z.int().min(0) })],
  ['a higher least number', o({ a: z.int().min(0) }), o({ a: z.int().min(1) }), 'input-range /a'],
  ['a least number that is itself no longer allowed', o({ a: z.number().gte(0) }), o({ a: z.number().gt(0) }), 'input-range /a'],
  ['a least number that is itself allowed now', o({ a: z.number().gt(0) }), o({ a: z.number().gte(0) })],
  ['a lower greatest number', o({ a: z.int().max(100) }), o({ a: z.int().max(50) }), 'input-range /a'],
  ['multiples of 10 instead of 5', o({ a: z.int().multipleOf(5) }), o({ a: z.int().multipleOf(10) }), 'input-multiple /a'],
  ['multiples of 5 instead of 10', o({ a: z.int().multipleOf(10) }), o({ a: z.int().multipleOf(5) })],
  ['more elements', o({ a: z.array(Line).max(10) }), o({ a: z.array(Line).max(100) })],
  ['fewer elements', o({ a: z.array(Line).max(100) }), o({ a: z.array(Line).max(10) }), 'input-length /a'],
  ['a list that may be empty', o({ a: z.array(Line).min(1) }), o({ a: z.array(Line) })],
  ['a list that may no longer be empty', o({ a: z.array(Line) }), o({ a: z.array(Line).min(1) }), 'input-length /a'],
  ['elements with one more optional field', o({ a: z.array(Line) }), o({ a: z.array(Line.extend({ note: z.string().optional() })) })],
  [
    'elements with one more required field',
    o({ a: z.array(Line) }),
    o({ a: z.array(Line.extend({ note: z.string() })) }),
    'input-required /a/*/note',
  ],
  ['a list instead of one', o({ a: z.string() }), o({ a: z.array(z.string()) }), 'input-type /a'],
  ['one or a list instead of one', o({ a: z.string() }), o({ a: z.union([z.string(), z.array(z.string())]) })],
  ['a pair instead of a list', o({ a: z.array(z.int()).length(2) }), o({ a: z.tuple([z.int(), z.int()]) })],
  ['a third place in a tuple', o({ a: z.tuple([z.int(), z.int()]) }), o({ a: z.tuple([z.int(), z.int(), z.int()]) }), 'input-length /a'],
  ['refusing unknown fields', o({ a: z.string() }), z.strictObject({ a: z.string() })],
  ['refusing a field that was known', o({ a: z.string(), b: z.string() }), z.strictObject({ a: z.string() }), 'input-unknown-field /b'],
  ['refusing what was free', z.looseObject({ a: z.string() }), z.strictObject({ a: z.string() }), 'input-unknown-field /*'],
  ['a free field gets a type', z.looseObject({ a: z.string() }), z.looseObject({ a: z.string(), b: z.int().optional() }), 'input-type /b'],
  ['a map of numbers instead of whole ones', o({ a: z.record(z.string(), z.int()) }), o({ a: z.record(z.string(), z.number()) })],
  [
    'a map of whole numbers instead of any',
    o({ a: z.record(z.string(), z.number()) }),
    o({ a: z.record(z.string(), z.int()) }),
    'input-type /a/*',
  ],
  [
    'a map with shorter names',
    o({ a: z.record(z.string(), z.int()) }),
    o({ a: z.record(z.string().max(3), z.int()) }),
    'input-length /a/*',
  ],
  ['one more alternative', o({ a: z.discriminatedUnion('kind', [Circle]) }), o({ a: z.discriminatedUnion('kind', [Circle, Square]) })],
  [
    'one alternative less',
    o({ a: z.discriminatedUnion('kind', [Circle, Square]) }),
    o({ a: z.discriminatedUnion('kind', [Circle]) }),
    'input-union /a',
  ],
  [
    'alternatives in another order',
    o({ a: z.discriminatedUnion('kind', [Circle, Square]) }),
    o({ a: z.discriminatedUnion('kind', [Square, Circle]) }),
  ],
  [
    'an alternative that asks for more',
    o({ a: z.discriminatedUnion('kind', [Circle, Square]) }),
    o({ a: z.discriminatedUnion('kind', [Circle.extend({ x: z.number() }), Square]) }),
    'input-required /a/x',
  ],
  ['what was one object is an alternative', o({ a: Circle }), o({ a: z.discriminatedUnion('kind', [Circle, Square]) })],
  ['parts put together', o({ a: Line.extend({ note: z.string() }) }), o({ a: z.intersection(Line, o({ note: z.string() })) })],
  ['one more part', o({ a: Line }), o({ a: z.intersection(Line, o({ note: z.string() })) }), 'input-required /a/note'],
  ['nothing, of what refers to itself', o({ a: Comment }), o({ a: Comment })],
  [
    'more is asked, of what refers to itself',
    o({ a: Comment }),
    o({ a: LongComment }),
    'input-length /a/text',
    'input-length /a/answers/*/text',
  ],
  ['less is asked, of what refers to itself', o({ a: LongComment }), o({ a: Comment })],
  [
    'a default inside of what may be null',
    o({ a: z.int().default(1).nullable() }),
    o({ a: z.int().default(2).nullable() }),
    'input-default /a',
  ],
  ['a default of the whole', o({ a: z.string() }).default({ a: 'q' }), o({ a: z.string() }).default({ a: 'r' }), 'input-default'],
  ['it may no longer be left out', o({ a: z.string() }).optional(), o({ a: z.string() }), 'input-must-be-there'],
  ['it may no longer be left out, but may be empty', o({ a: z.string().optional() }).optional(), o({ a: z.string().optional() })],
  ['the same bound in other words', o({ a: z.int().positive() }), o({ a: z.int().min(1) })],
  ['multiples of a tenth instead of three', o({ a: z.number().multipleOf(0.3) }), o({ a: z.number().multipleOf(0.1) })],
  ['a whole number in another way, and more of it', o({ a: z.number().multipleOf(1) }), o({ a: z.int().min(5) }), 'input-range /a'],
  ['an annotation of nobody we know', o({ a: z.enum(['x']) }), o({ a: z.enum(['x']).meta({ example: 'x' }) })],
  ['behind a name, in what is not understood', named('string'), named('integer'), 'input-other /a'],
  ['nothing, of what is not understood', named('string'), named('string')],
  [
    'nothing, of alternatives that cannot be told apart',
    o({ a: z.xor([o({ b: z.string() }), o({ c: z.string() })]) }),
    o({ a: z.xor([o({ b: z.string() }), o({ c: z.string() })]) }),
  ],
  ['nothing, of rules within rules', o({ a: Rule }), o({ a: Rule })],
  ['anything instead of text', o({ a: z.string() }), o({ a: z.unknown() })],
  ['text instead of anything', o({ a: z.any() }), o({ a: z.string() }), 'input-type /a'],
  ['nothing that fits', o({ a: z.string() }), o({ a: z.never() }), 'input-type /a'],
  ['another description', o({ a: z.string() }), o({ a: z.string().meta({ description: 'what it is' }) })],
]

/** A field of an answer. Old callers must still be able to read it. */
const SENT: readonly Case<Schema>[] = [
  ['nothing', o({ a: z.string() }), o({ a: z.string() })],
  ['a new field', o({ a: z.string() }), o({ a: z.string(), b: z.string() })],
  ['a new optional field', o({ a: z.string() }), o({ a: z.string(), b: z.string().optional() })],
  ['a field that is gone', o({ a: z.string(), b: z.string() }), o({ a: z.string() }), 'output-required /b'],
  ['an optional field that is gone', o({ a: z.string(), b: z.string().optional() }), o({ a: z.string() })],
  ['a field that becomes optional', o({ a: z.string() }), o({ a: z.string().optional() }), 'output-required /a'],
  ['a field that is always there now', o({ a: z.string().optional() }), o({ a: z.string() })],
  ['a field under another name', o({ a: z.string() }), o({ b: z.string() }), 'output-required /a'],
  ['a field that may be null', o({ a: z.string() }), o({ a: z.string().nullable() }), 'output-type /a'],
  ['a field that is no longer null', o({ a: z.string().nullable() }), o({ a: z.string() })],
  ['a number instead of text', o({ a: z.string() }), o({ a: z.number() }), 'output-type /a'],
  ['text of a number or a number', o({ a: z.number() }), o({ a: z.union([z.number(), z.string()]) }), 'output-type /a'],
  ['a whole number instead of any', o({ a: z.number() }), o({ a: z.int() })],
  ['any number instead of a whole one', o({ a: z.int() }), o({ a: z.number() }), 'output-type /a'],
  ['one more choice', o({ a: Colour }), o({ a: Shades }), 'output-enum /a'],
  ['one choice less', o({ a: Shades }), o({ a: Colour })],
  ['choices instead of any text', o({ a: z.string() }), o({ a: Colour })],
  ['any text instead of choices', o({ a: Colour }), o({ a: z.string() }), 'output-enum /a'],
  ['a constant instead of choices', o({ a: Colour }), o({ a: z.literal('red') })],
  ['longer text', o({ a: z.string().max(10) }), o({ a: z.string().max(20) }), 'output-length /a'],
  ['shorter text', o({ a: z.string().max(20) }), o({ a: z.string().max(10) })],
  ['a pattern that is gone', o({ a: z.string().regex(/^a/) }), o({ a: z.string() }), 'output-pattern /a'],
  ['a pattern where there was none', o({ a: z.string() }), o({ a: z.string().regex(/^a/) })],
  ['a format that is gone', o({ a: z.uuid() }), o({ a: z.string() }), 'output-pattern /a', 'output-format /a'],
  ['a format where there was none', o({ a: z.string() }), o({ a: z.uuid() })],
  ['wider numbers', o({ a: z.int().min(0).max(10) }), o({ a: z.int().min(-1).max(11) }), 'output-range /a'],
  ['narrower numbers', o({ a: z.int().min(0).max(10) }), o({ a: z.int().min(1).max(9) })],
  ['more elements', o({ a: z.array(Line).max(10) }), o({ a: z.array(Line).max(100) }), 'output-length /a'],
  ['a list that may be empty', o({ a: z.array(Line).min(1) }), o({ a: z.array(Line) }), 'output-length /a'],
  ['elements with one more field', o({ a: z.array(Line) }), o({ a: z.array(Line.extend({ note: z.string() })) })],
  [
    'elements with one field less',
    o({ a: z.array(Line) }),
    o({ a: z.array(Line.omit({ quantity: true })) }),
    'output-required /a/*/quantity',
  ],
  [
    'one more alternative',
    o({ a: z.discriminatedUnion('kind', [Circle]) }),
    o({ a: z.discriminatedUnion('kind', [Circle, Square]) }),
    'output-union /a',
  ],
  ['one alternative less', o({ a: z.discriminatedUnion('kind', [Circle, Square]) }), o({ a: z.discriminatedUnion('kind', [Circle]) })],
  [
    'an alternative with one more field',
    o({ a: z.discriminatedUnion('kind', [Circle, Square]) }),
    o({ a: z.discriminatedUnion('kind', [Circle.extend({ x: z.number() }), Square]) }),
  ],
  [
    'an alternative with one field less',
    o({ a: z.discriminatedUnion('kind', [Circle, Square]) }),
    o({ a: z.discriminatedUnion('kind', [Circle.omit({ radius: true }), Square]) }),
    'output-required /a/radius',
  ],
  [
    'a new field that readers refuse',
    z.strictObject({ a: z.string() }),
    z.strictObject({ a: z.string(), b: z.string() }),
    'output-unknown-field /b',
  ],
  ['free fields where readers refuse them', z.strictObject({ a: z.string() }), z.looseObject({ a: z.string() }), 'output-unknown-field /*'],
  ['free fields', o({ a: z.string() }), z.looseObject({ a: z.string() })],
  ['no free fields any more', z.looseObject({ a: z.string() }), o({ a: z.string() })],
  [
    'a map instead of an object',
    o({ a: Line }),
    o({ a: z.record(z.string(), z.string()) }),
    'output-required /a/sku',
    'output-required /a/quantity',
    'output-type /a/quantity',
  ],
  ['an object instead of a map', o({ a: z.record(z.string(), z.string()) }), o({ a: o({ x: z.string() }) })],
  [
    'a default that readers fill in is not sent any more',
    o({ a: z.string().default('x') }),
    o({ a: z.string().optional() }),
    'output-required /a',
  ],
  ['another description', o({ a: z.string() }), o({ a: z.string().meta({ description: 'what it is' }) })],
]

const A = o({ id: z.string() })
const Move = o({ from: z.string(), to: z.string() })
const Thread: z.ZodObject = z.object({
  id: z.string(),
  get answers() {
    return z.array(Thread)
  },
})
const KeyThread: z.ZodObject = z.object({
  key: z.string(),
  get answers() {
    return z.array(KeyThread)
  },
})
const base = { input: A, output: A }
const noThing = problem(404, 'Not found')

/** All else about an operation. */
const OPERATIONS: readonly Case<Record<string, Operation>>[] = [
  ['one more', { x: get('/x/{id}', base) }, { x: get('/x/{id}', base), y: get('/y/{id}', base) }],
  ['one less', { x: get('/x/{id}', base), y: get('/y/{id}', base) }, { x: get('/x/{id}', base) }, 'operation-removed'],
  ['another name', { x: get('/x/{id}', base) }, { z: get('/x/{id}', base) }, 'operation-removed'],
  ['another path', { x: get('/x/{id}', base) }, { x: get('/z/{id}', base) }, 'route-changed'],
  ['another method', { x: put('/x/{id}', base) }, { x: patch('/x/{id}', { ...base, idempotent: true }) }, 'route-changed'],
  ['another name of a parameter', { x: get('/x/{id}', base) }, { x: get('/x/{key}', { input: o({ key: z.string() }), output: A }) }],
  [
    'another name of a parameter, and less of it',
    { x: get('/x/{id}', base) },
    { x: get('/x/{key}', { input: o({ key: z.uuid() }), output: A }) },
    'input-pattern /key',
    'input-format /key',
  ],
  [
    'parameters that change places',
    { x: put('/x/{from}/{to}', { input: Move }) },
    { x: put('/x/{to}/{from}', { input: Move }) },
    'route-changed',
  ],
  [
    'another name of a parameter, in what refers to itself',
    { x: post('/x/{id}', { input: Thread }) },
    { x: post('/x/{key}', { input: KeyThread }) },
    'input-other',
    'input-required /key',
    'input-required /answers/*/key',
  ],
  [
    'text in the URL is read as something else',
    { x: get('/x', { input: o({ q: z.string() }) }) },
    { x: get('/x', { input: o({ q: z.union([z.int().min(1), z.string()]) }) }) },
    'input-read-as /q',
  ],
  [
    'text in a body is not',
    { x: post('/x', { input: o({ q: z.string() }) }) },
    { x: post('/x', { input: o({ q: z.union([z.int().min(1), z.string()]) }) }) },
  ],
  ['a parameter where a field was', { x: post('/x', base) }, { x: post('/x/{id}', base) }, 'route-changed'],
  ['another status', { x: post('/x', base) }, { x: post('/x', { ...base, status: 201 }) }, 'status-changed'],
  ['an answer', { x: post('/x', { input: A }) }, { x: post('/x', base) }, 'status-changed'],
  [
    'an answer that is gone, with the same status',
    { x: post('/x', { ...base, status: 202 }) },
    { x: post('/x', { input: A, status: 202 }) },
    'output-removed',
  ],
  ['an answer, with the same status', { x: post('/x', { input: A, status: 202 }) }, { x: post('/x', { ...base, status: 202 }) }],
  ['it is public', { x: get('/x/{id}', base) }, { x: get('/x/{id}', { ...base, public: true }) }],
  ['it is not public any more', { x: get('/x/{id}', { ...base, public: true }) }, { x: get('/x/{id}', base) }, 'not-public'],
  ['it is idempotent', { x: post('/x', base) }, { x: post('/x', { ...base, idempotent: true }) }],
  ['it is not idempotent any more', { x: del('/x/{id}', base) }, { x: del('/x/{id}', { ...base, idempotent: false }) }, 'not-idempotent'],
  ['a scope', { x: get('/x/{id}', base) }, { x: get('/x/{id}', { ...base, scopes: ['x:read'] }) }, 'scope-required'],
  ['a scope that is gone', { x: get('/x/{id}', { ...base, scopes: ['x:read'] }) }, { x: get('/x/{id}', base) }],
  ['another scope', { x: get('/x/{id}', { ...base, scopes: ['x'] }) }, { x: get('/x/{id}', { ...base, scopes: ['y'] }) }, 'scope-required'],
  [
    'scopes in another order',
    { x: get('/x/{id}', { ...base, scopes: ['x', 'y'] }) },
    { x: get('/x/{id}', { ...base, scopes: ['y', 'x'] }) },
  ],
  ['more time', { x: get('/x/{id}', { ...base, deadline: '1s' }) }, { x: get('/x/{id}', { ...base, deadline: '2s' }) }],
  ['less time', { x: get('/x/{id}', { ...base, deadline: '2s' }) }, { x: get('/x/{id}', { ...base, deadline: '1s' }) }, 'deadline-changed'],
  ['another summary', { x: get('/x/{id}', base) }, { x: get('/x/{id}', { ...base, summary: 'Look it up' }) }],
  ['a problem', { x: get('/x/{id}', base) }, { x: get('/x/{id}', { ...base, errors: { noThing } }) }, 'problem-added'],
  ['a problem less', { x: get('/x/{id}', { ...base, errors: { noThing } }) }, { x: get('/x/{id}', base) }],
  [
    'another name of a problem',
    { x: get('/x/{id}', { ...base, errors: { noThing } }) },
    { x: get('/x/{id}', { ...base, errors: { missing: noThing } }) },
    'problem-added',
  ],
  [
    'another status of a problem',
    { x: get('/x/{id}', { ...base, errors: { gone: problem(404, 'Gone') } }) },
    { x: get('/x/{id}', { ...base, errors: { gone: problem(410, 'Gone') } }) },
    'problem-status-changed',
  ],
  [
    'another title of a problem',
    { x: get('/x/{id}', { ...base, errors: { gone: problem(404, 'Gone') } }) },
    { x: get('/x/{id}', { ...base, errors: { gone: problem(404, 'Not there') } }) },
  ],
  [
    'particulars of a problem',
    { x: get('/x/{id}', { ...base, errors: { noThing } }) },
    { x: get('/x/{id}', { ...base, errors: { noThing: problem(404, 'Not found', A) } }) },
  ],
  [
    'no particulars any more',
    { x: get('/x/{id}', { ...base, errors: { noThing: problem(404, 'Not found', A) } }) },
    { x: get('/x/{id}', { ...base, errors: { noThing } }) },
    'problem-data-removed',
  ],
  [
    'one particular less',
    { x: get('/x/{id}', { ...base, errors: { no: problem(409, 'No', o({ a: z.string(), b: z.string() })) } }) },
    { x: get('/x/{id}', { ...base, errors: { no: problem(409, 'No', o({ a: z.string() })) } }) },
    'problem-data-required /b',
  ],
  [
    'one particular more',
    { x: get('/x/{id}', { ...base, errors: { no: problem(409, 'No', o({ a: z.string() })) } }) },
    { x: get('/x/{id}', { ...base, errors: { no: problem(409, 'No', o({ a: z.string(), b: z.string() })) } }) },
  ],
]

const Placed = o({ id: z.string(), total: z.int() })
const queue = (name: string) => ({ bindings: { amqp: { queue: name, durable: true } } })

/** Events: what is published from now on, and what is still held of before. */
const EVENTS: readonly Case<Record<string, EventDeclaration>>[] = [
  ['one more', {}, { placed: event(Placed, { key: 'id' }) }],
  ['one less', { placed: event(Placed, { key: 'id' }) }, {}, 'event-removed'],
  [
    'another version',
    { placed: event(Placed, { key: 'id' }) },
    { placed: event(Placed, { key: 'id', version: 2 }) },
    'event-version-changed',
  ],
  ['another key', { placed: event(Placed, { key: 'id' }) }, { placed: event(Placed, { key: 'total' }) }, 'event-key-changed'],
  ['a queue', { placed: event(Placed, { key: 'id' }) }, { placed: event(Placed, { key: 'id', ...queue('orders') }) }],
  [
    'another queue',
    { placed: event(Placed, { key: 'id', ...queue('orders') }) },
    { placed: event(Placed, { key: 'id', ...queue('sales') }) },
    'event-binding-changed',
  ],
  [
    'no queue any more',
    { placed: event(Placed, { key: 'id', ...queue('orders') }) },
    { placed: event(Placed, { key: 'id' }) },
    'event-binding-changed',
  ],
  [
    'a new optional field',
    { placed: event(Placed, { key: 'id' }) },
    { placed: event(Placed.extend({ note: z.string().optional() }), { key: 'id' }) },
  ],
  [
    'a new field, which those held do not have',
    { placed: event(Placed, { key: 'id' }) },
    { placed: event(Placed.extend({ note: z.string() }), { key: 'id' }) },
    'held-event-required /note',
  ],
  [
    'a new field with a default for those held',
    { placed: event(Placed, { key: 'id' }) },
    { placed: event(Placed.extend({ note: z.string().default('') }), { key: 'id' }) },
  ],
  [
    'a field that is gone',
    { placed: event(Placed, { key: 'id' }) },
    { placed: event(Placed.omit({ total: true }), { key: 'id' }) },
    'event-required /total',
  ],
  [
    'a field that may be null',
    { placed: event(Placed, { key: 'id' }) },
    { placed: event(Placed.extend({ total: z.int().nullable() }), { key: 'id' }) },
    'event-type /total',
  ],
  [
    'a narrower field, which those held may not fit',
    { placed: event(Placed, { key: 'id' }) },
    { placed: event(Placed.extend({ total: z.int().min(0) }), { key: 'id' }) },
    'held-event-range /total',
  ],
  [
    'one more choice',
    { placed: event(Placed.extend({ by: Colour }), { key: 'id' }) },
    { placed: event(Placed.extend({ by: Shades }), { key: 'id' }) },
    'event-enum /by',
  ],
  [
    'one choice less, which those held may have',
    { placed: event(Placed.extend({ by: Shades }), { key: 'id' }) },
    { placed: event(Placed.extend({ by: Colour }), { key: 'id' }) },
    'held-event-enum /by',
  ],
  ['another summary', { placed: event(Placed, { key: 'id' }) }, { placed: event(Placed, { key: 'id', summary: 'It is there' }) }],
]

const cases = [
  ...TAKEN.map(([change, ...rest]) => [`request: ${change}`, ...rest] as const).map(
    ([change, before, now, ...broken]) => [change, withInput(before), withInput(now), broken] as const,
  ),
  ...SENT.map(([change, before, now, ...broken]) => [`answer: ${change}`, withOutput(before), withOutput(now), broken] as const),
  ...OPERATIONS.map(([change, before, now, ...broken]) => [`operation: ${change}`, of(before, {}), of(now, {}), broken] as const),
  ...EVENTS.map(([change, before, now, ...broken]) => [`event: ${change}`, of({}, before), of({}, now), broken] as const),
]

describe(`the rules, by ${cases.length} examples`, () => {
  it.each(cases)('%s', (_, before, now, broken) => {
    const changes = compareContracts(contractSnapshot(before), contractSnapshot(now))
    const found = changes.filter(({ kind }) => kind === 'breaking').map(({ rule, path }) => (path === '' ? rule : `${rule} ${path}`))
    expect(new Set(found)).toEqual(new Set(broken))
  })

  it('are at least a hundred and twenty', () => {
    expect(cases.length).toBeGreaterThan(120)
  })

  it('find nothing in what is the same', () => {
    for (const [, before] of cases) expect(compareContracts(contractSnapshot(before), contractSnapshot(before))).toEqual([])
  })
})

function of(operations: Record<string, Operation>, events: Record<string, EventDeclaration>): Contract {
  return contract('things', { version: '1.0.0', operations, events })
}

function withInput(input: Schema): Contract {
  return of({ x: post('/x', { input }) }, {})
}

function withOutput(output: Schema): Contract {
  return of({ x: post('/x', { output }) }, {})
}
