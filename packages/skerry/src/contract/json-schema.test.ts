import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { acceptsEmpty, dereference, elementsOf, mapSchema, objectFields, typesOf, withoutFields } from './json-schema.ts'
import type { JsonSchema, Schema } from './schema.ts'
import { jsonSchema } from './schema.ts'

function typesIn(schema: JsonSchema): string[] | undefined {
  const types = typesOf(schema, schema)
  return types === undefined ? undefined : [...types].toSorted()
}

function fieldsIn(schema: JsonSchema): { fields: Record<string, boolean>; additional: unknown } | undefined {
  const found = objectFields(schema, schema)
  return (
    found && { fields: Object.fromEntries([...found.fields].map(([name, { required }]) => [name, required])), additional: found.additional }
  )
}

const ofZod = (schema: Schema): JsonSchema => jsonSchema(schema, 'input')

describe('typesOf', () => {
  it.each<[string, Schema, string[] | undefined]>([
    ['text', z.string().min(1), ['string']],
    ['whole numbers', z.int(), ['number']],
    ['nullable', z.string().nullable(), ['null', 'string']],
    ['nullable enum', z.enum(['a', 'b']).nullable(), ['null', 'string']],
    ['literals of three types', z.literal([null, 'a', 1]), ['null', 'number', 'string']],
    ['a union of unions', z.union([z.string(), z.union([z.boolean(), z.int()])]), ['boolean', 'number', 'string']],
    ['an intersection', z.union([z.string(), z.int()]).and(z.union([z.string(), z.boolean()])), ['string']],
    ['a list', z.array(z.int()), ['array']],
    ['anything', z.any(), undefined],
    ['a union with anything', z.union([z.string(), z.unknown()]), undefined],
    ['nothing at all', z.never(), undefined],
    ['a named schema', z.object({ id: z.int().meta({ id: 'OrderNumber' }) }), ['object']],
  ])('sees %s', (_what, schema, expected) => {
    expect(typesIn(ofZod(schema))).toEqual(expected)
  })

  it.each<[JsonSchema, string[] | undefined]>([
    [{ enum: [1, 'a', null, [], {}] }, ['array', 'null', 'number', 'object', 'string']],
    [{ const: null }, ['null']],
    [{ type: ['integer', 'null'], enum: [1, 'x', null] }, ['null', 'number']],
    [{ $ref: '#/$defs/A', $defs: { A: { $ref: '#/$defs/B' }, B: { type: 'string' } } }, ['string']],
    [{ $ref: '#' }, undefined],
    [{ anyOf: [{ type: 'string' }, { $ref: '#' }] }, undefined],
    [{ allOf: [{ $ref: '#' }, { type: 'string' }] }, ['string']],
  ])('sees %j', (schema, expected) => {
    expect(typesIn(schema)).toEqual(expected)
  })
})

describe('dereference', () => {
  it('follows escaped names', () => {
    expect(dereference('#/$defs/a b~1c~0d', { $defs: { 'a b/c~d': { type: 'string' } } })).toEqual({ type: 'string' })
  })

  it.each(['#/$defs/Missing', 'other.json#/$defs/A', '#/$defs/A/type', '#/constructor'])(
    'refuses %s, which is not in the document',
    (reference) => {
      expect(() => dereference(reference, { $defs: { A: { type: 'string' } } })).toThrow(`refers to ${reference}`)
    },
  )
})

describe('elementsOf', () => {
  it.each<[string, Schema, JsonSchema[]]>([
    ['a list', z.array(z.boolean()), [{ type: 'boolean' }]],
    ['a tuple', z.tuple([z.boolean(), z.string()]), [{ type: 'boolean' }, { type: 'string' }]],
    ['a tuple with a rest', z.tuple([z.boolean()], z.string()), [{ type: 'boolean' }, { type: 'string' }]],
    ['a union of lists', z.union([z.array(z.boolean()), z.array(z.string())]), [{ anyOf: [{ type: 'boolean' }, { type: 'string' }] }]],
    ['text', z.string(), []],
  ])('of %s', (_what, schema, expected) => {
    const root = ofZod(schema)
    expect(elementsOf(root, root)).toEqual(expected)
  })

  it('of a list behind a reference, and of one that contains itself', () => {
    const root: JsonSchema = { $ref: '#/$defs/List', $defs: { List: { type: 'array', items: { type: 'string' } } } }
    expect(elementsOf(root, root)).toEqual([{ type: 'string' }])
    const endless: JsonSchema = { anyOf: [{ $ref: '#' }] }
    expect(elementsOf(endless, endless)).toEqual([])
  })
})

describe('objectFields', () => {
  it.each<[string, Schema, ReturnType<typeof fieldsIn>]>([
    [
      'an object',
      z.object({ a: z.int(), b: z.string().optional(), c: z.string().default('x') }),
      { fields: { a: true, b: false, c: false }, additional: undefined },
    ],
    ['an object that may be left out', z.object({ a: z.int() }).optional(), { fields: { a: true }, additional: undefined }],
    ['a strict object', z.strictObject({ a: z.int() }), { fields: { a: true }, additional: false }],
    ['a loose object', z.looseObject({ a: z.int() }), { fields: { a: true }, additional: {} }],
    ['a record', z.record(z.string(), z.boolean()), { fields: {}, additional: { type: 'boolean' } }],
    [
      'an intersection',
      z.object({ a: z.int().optional() }).and(z.object({ a: z.int(), b: z.string() })),
      { fields: { a: true, b: true }, additional: undefined },
    ],
    [
      'a union',
      z.union([z.object({ kind: z.literal('a'), id: z.int() }), z.object({ kind: z.literal('b'), id: z.int(), more: z.int() })]),
      { fields: { kind: true, id: true, more: false }, additional: undefined },
    ],
    [
      'a union of strict objects',
      z.union([z.strictObject({ a: z.int() }), z.strictObject({ b: z.int() })]),
      { fields: { a: false, b: false }, additional: false },
    ],
    [
      'a union of a strict and a loose object',
      z.union([z.strictObject({ a: z.int() }), z.looseObject({ b: z.int() })]),
      { fields: { a: false, b: false }, additional: {} },
    ],
    ['a named object', z.object({ a: z.int() }).meta({ id: 'Named' }), { fields: { a: true }, additional: undefined }],
    ['a nullable object', z.object({ a: z.int() }).nullable(), undefined],
    ['text', z.string(), undefined],
    ['an object or text', z.union([z.object({}), z.string()]), undefined],
    ['anything', z.unknown(), undefined],
  ])('of %s', (_what, schema, expected) => {
    expect(fieldsIn(ofZod(schema))).toEqual(expected)
  })

  it('of an object that contains itself', () => {
    const Tree = z.object({
      name: z.string(),
      get children() {
        return z.array(Tree)
      },
    })
    expect(fieldsIn(ofZod(Tree))).toEqual({ fields: { name: true, children: true }, additional: undefined })
    const Named = Tree.meta({ id: 'Tree' })
    expect(fieldsIn(ofZod(Named))).toEqual({ fields: { name: true, children: true }, additional: undefined })
  })

  it('joins what the branches of a union say of one field', () => {
    const root = ofZod(z.union([z.object({ kind: z.literal('a'), id: z.boolean() }), z.object({ kind: z.literal('b'), id: z.boolean() })]))
    const { fields } = objectFields(root, root)!
    expect(fields.get('kind')?.schema).toEqual({
      anyOf: [
        { type: 'string', const: 'a' },
        { type: 'string', const: 'b' },
      ],
    })
    expect(fields.get('id')?.schema).toEqual({ type: 'boolean' })
  })

  it('sees through additionalProperties: true and ends at references that go in a circle', () => {
    expect(fieldsIn({ type: 'object', additionalProperties: true })).toEqual({ fields: {}, additional: {} })
    expect(fieldsIn({ type: 'object', properties: { a: {} }, allOf: [{ $ref: '#' }] })).toEqual({
      fields: { a: false },
      additional: undefined,
    })
  })
})

describe('withoutFields', () => {
  const without = (schema: Schema): JsonSchema => {
    const root = ofZod(schema)
    return withoutFields(root, root, ['id'])
  }
  const a = { a: z.boolean() }

  it.each<[string, Schema, JsonSchema]>([
    [
      'an object',
      z.strictObject({ id: z.boolean(), ...a }),
      { type: 'object', properties: { a: { type: 'boolean' } }, required: ['a'], additionalProperties: false },
    ],
    ['the last required field', z.object({ id: z.boolean() }), { type: 'object', properties: {} }],
    [
      'a named object',
      z.object({ id: z.boolean(), ...a }).meta({ id: 'WithId', title: 'T' }),
      { type: 'object', title: 'T', properties: { a: { type: 'boolean' } }, required: ['a'] },
    ],
    [
      'every branch',
      z.union([z.object({ id: z.boolean(), ...a }), z.object({ id: z.boolean() }).meta({ id: 'Branch' })]),
      {
        anyOf: [
          { type: 'object', properties: { a: { type: 'boolean' } }, required: ['a'] },
          { type: 'object', properties: {} },
        ],
      },
    ],
    ['no field deeper inside', z.object({ a: z.object({ id: z.boolean() }) }), ofZod(z.object({ a: z.object({ id: z.boolean() }) }))],
  ])('takes it from %s', (_what, schema, expected) => {
    expect(without(schema)).toEqual(expected)
  })
})

describe('acceptsEmpty', () => {
  const optional = z.object({ a: z.int().optional() })
  const required = z.object({ a: z.int() })
  it.each<[string, Schema, boolean]>([
    ['all optional', optional, true],
    ['one required', required, false],
    ['a default', z.object({ a: z.int().default(1) }), true],
    ['named', required.meta({ id: 'Required' }), false],
    ['a union of which one may be empty', z.union([required, optional]), true],
    ['a union of which none may be empty', z.union([required, z.object({ b: z.int() })]), false],
    ['an intersection', z.looseObject({ a: z.int() }).and(optional), false],
  ])('%s', (_what, schema, expected) => {
    const root = ofZod(schema)
    expect(acceptsEmpty(root, root)).toBe(expected)
  })
})

describe('mapSchema', () => {
  it('changes every schema, and nothing that only looks like one', () => {
    const schema: JsonSchema = {
      properties: { type: { type: 'a' } },
      $defs: { x: { type: 'a' } },
      items: { prefixItems: [{ type: 'a' }, true] },
      additionalProperties: false,
      not: { anyOf: [{ type: 'a' }] },
      default: { type: 'a' },
      enum: [{ type: 'a' }],
      const: { properties: { b: { type: 'a' } } },
    }
    const changed = mapSchema(schema, (each) => (each['type'] === 'a' ? { type: 'b' } : each))
    expect(changed).toEqual({
      ...schema,
      properties: { type: { type: 'b' } },
      $defs: { x: { type: 'b' } },
      items: { prefixItems: [{ type: 'b' }, true] },
      not: { anyOf: [{ type: 'b' }] },
    })
  })
})
