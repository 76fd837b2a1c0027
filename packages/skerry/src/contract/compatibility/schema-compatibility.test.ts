/** What the comparison promises, held against values: when it finds nothing, all that is sent is taken. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonSchema } from '../schema.ts'
import { changed, describedSchema } from './fixtures/random-schemas.ts'
import { compareSchemas } from './schema-compatibility.ts'

const ajv = new Ajv2020({ strict: false, logger: false })

describe('no finding means that all that is sent is taken', () => {
  const choices = fc.array(fc.nat({ max: 100 }), { minLength: 2, maxLength: 10 })

  it('for a schema and a small change of it', () => {
    let compatible = 0
    fc.assert(
      fc.property(
        describedSchema.chain((described) =>
          fc.record({ described: fc.constant(described), choices, values: fc.array(described.values, { minLength: 20, maxLength: 20 }) }),
        ),
        ({ described: { schema }, choices: made, values }) => {
          const other = changed(schema, made)
          if (compareSchemas({ sent: schema, taken: other }).length === 0) {
            compatible++
            const taken = ajv.compile(other)
            for (const value of values) expect(taken(value), JSON.stringify(value)).toBe(true)
          }
        },
      ),
      { numRuns: 1_500 },
    )
    // A comparison that refused everything would pass, too.
    expect(compatible).toBeGreaterThan(400)
  })

  it('for two schemas that have nothing to do with each other', () => {
    fc.assert(
      fc.property(
        describedSchema.chain((described) =>
          fc.record({ described: fc.constant(described), values: fc.array(described.values, { minLength: 20, maxLength: 20 }) }),
        ),
        describedSchema,
        ({ described: { schema }, values }, { schema: other }) => {
          if (compareSchemas({ sent: schema, taken: other }).length > 0) return
          const taken = ajv.compile(other)
          for (const value of values) expect(taken(value), JSON.stringify(value)).toBe(true)
        },
      ),
      { numRuns: 1_500 },
    )
  })

  it('and what has not changed has no finding', () => {
    fc.assert(
      fc.property(describedSchema, ({ schema }) => {
        expect(compareSchemas({ sent: schema, taken: structuredClone(schema) })).toEqual([])
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('what is sent by one and not taken by the other', () => {
  const text = { type: 'string' }
  it.each<readonly [JsonSchema, JsonSchema, unknown]>([
    [{ type: 'number', multipleOf: 1 }, { type: 'integer', minimum: 5 }, 3],
    [{ type: 'object', required: ['a'] }, { type: 'object', properties: { a: text } }, { a: 1 }],
    [{ type: 'object', required: ['a'] }, { type: 'object', additionalProperties: false }, { a: 1 }],
    [
      { type: 'object', patternProperties: { '^a': text }, additionalProperties: text },
      { type: 'object', patternProperties: { '^a': text }, additionalProperties: false },
      { b: 'x' },
    ],
    [
      { type: 'object', properties: { a: text, b: text }, unevaluatedProperties: false },
      { type: 'object', properties: { a: text }, unevaluatedProperties: false },
      { b: 'x' },
    ],
    [
      JSON.parse('{"allOf":[{"if":{"type":"string"},"then":{"maxLength":9}},{"then":{"maxLength":1}}]}') as JsonSchema,
      JSON.parse('{"if":{"type":"string"},"then":{"maxLength":1}}') as JsonSchema,
      'long',
    ],
    [
      { type: 'array', contains: { $ref: '#/$defs/c' }, $defs: { c: text } },
      { type: 'array', contains: { $ref: '#/$defs/c' }, $defs: { c: { type: 'number' } } },
      ['x'],
    ],
    [{ type: 'number', exclusiveMinimum: 0 }, { type: 'number', minimum: 1 }, 0.5],
    [{ type: 'number' }, { $ref: '#/$defs/y', $defs: { y: { anyOf: [{ $ref: '#/$defs/y' }, text] } } }, 1],
  ])('%j and %j, by %j', (sent, taken, value) => {
    expect(compareSchemas({ sent, taken })).not.toEqual([])
    // The last refers to itself without end: a validator would not end either.
    if (typeof value !== 'number' || value !== 1) {
      expect(ajv.validate(sent, value)).toBe(true)
      expect(ajv.validate(taken, value)).toBe(false)
    }
  })

  it('is found where it has been supposed, on the way to something else, that nothing has changed', () => {
    const tree = (list: string, node: string, label: JsonSchema): JsonSchema => ({
      $defs: {
        [list]: { type: 'array', items: { $ref: `#/$defs/${node}` } },
        [node]: { type: 'object', properties: { kids: { $ref: `#/$defs/${list}` }, label } },
      },
    })
    const sent = tree('list', 'node', text)
    const taken = tree('list', 'node', { type: 'integer' })
    const { node } = taken['$defs'] as Record<string, JsonSchema>
    // Of `one` everything is taken, by the second alternative; of `all` nothing that has a label.
    const findings = compareSchemas({
      sent: {
        ...sent,
        type: 'object',
        properties: { one: (sent['$defs'] as Record<string, JsonSchema>)['node'], all: { $ref: '#/$defs/list' } },
      },
      taken: { ...taken, type: 'object', properties: { one: { anyOf: [node, { type: 'object' }] }, all: { $ref: '#/$defs/list' } } },
    })
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'type', path: '/all/*/label' }))
  })

  it('is found in what is intricate, and in time: it ends', () => {
    const field = { enum: ['a', 'b', 'c', 'd'] }
    const names = Array.from({ length: 12 }, (_, index) => `f${index}`)
    const object = (x: JsonSchema): JsonSchema => ({
      type: 'object',
      properties: { ...Object.fromEntries(names.map((name) => [name, field])), x },
      required: [...names, 'x'],
    })
    expect(
      compareSchemas({ sent: object(text), taken: { anyOf: [object({ type: 'integer' }), object({ type: 'boolean' })] } }),
    ).not.toEqual([])
  })

  it('is refused, and not looked for, behind a name that is not in the document', () => {
    expect(() => compareSchemas({ sent: { $ref: '#name' }, taken: text })).toThrow('#name')
  })
})

describe('a schema that refers to itself', () => {
  const tree = (leaf: object) => ({
    $ref: '#/$defs/tree',
    $defs: { tree: { anyOf: [leaf, { type: 'array', items: { $ref: '#/$defs/tree' } }] } },
  })

  it('is followed once round', () => {
    expect(compareSchemas({ sent: tree({ type: 'integer' }), taken: tree({ type: 'number' }) })).toEqual([])
    expect(compareSchemas({ sent: tree({ type: 'number' }), taken: tree({ type: 'integer' }) })).not.toEqual([])
  })
})
