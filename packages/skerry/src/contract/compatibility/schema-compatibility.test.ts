/** What the comparison promises, held against values: when it finds nothing, all that is sent is taken. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
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
