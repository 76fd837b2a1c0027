import { describe, expect, it } from 'vitest'
import { choice, flag, list, nullable, object, optional, text, whole } from './plain-schema.ts'
import { jsonSchema, validate } from './schema.ts'

const Thing = object({
  id: text({ format: 'uuid' }),
  at: optional(text({ format: 'date-time' })),
  name: text({ maxLength: 3 }),
  count: whole({ minimum: 1, maximum: 9 }),
  kind: choice(['a', 'b']),
  loud: flag(),
  parts: list(object({ size: nullable(whole()) })),
})
const ID = '019b76da-a800-7000-8000-000000000000'
const thing = { id: ID, name: 'abc', count: 9, kind: 'b', loud: false, parts: [{ size: null }, { size: 1 }] }

describe('a plain schema', () => {
  it('takes what it describes, and drops fields that it does not', () => {
    expect(validate(Thing, { ...thing, more: 1, parts: [{ size: 2, more: 1 }] })).toEqual({
      ok: true,
      value: { ...thing, parts: [{ size: 2 }] },
    })
    expect(validate(Thing, { ...thing, at: '2026-01-01T00:00:00Z' })).toMatchObject({ ok: true, value: { at: '2026-01-01T00:00:00Z' } })
  })

  it.each([
    ['', null],
    ['', []],
    ['/id', { ...thing, id: '7' }],
    ['/at', { ...thing, at: 'soon' }],
    ['/name', { ...thing, name: 'abcd' }],
    ['/name', { ...thing, name: 7 }],
    ['/name', { ...thing, name: undefined }],
    ['/count', { ...thing, count: 10 }],
    ['/count', { ...thing, count: 1.5 }],
    ['/kind', { ...thing, kind: 'c' }],
    ['/loud', { ...thing, loud: 'no' }],
    ['/parts', { ...thing, parts: {} }],
    ['/parts/1/size', { ...thing, parts: [{ size: 1 }, { size: 'x' }] }],
    ['/parts/0/size', { ...thing, parts: [{}] }],
  ])('says at %j what is wrong', (path, value) => {
    expect(validate(Thing, value)).toMatchObject({ ok: false, issues: [{ path }] })
  })

  it('describes itself', () => {
    expect(jsonSchema(Thing, 'input')).toEqual({
      type: 'object',
      properties: {
        id: { type: 'string', format: 'uuid' },
        at: { type: 'string', format: 'date-time' },
        name: { type: 'string', maxLength: 3 },
        count: { type: 'integer', minimum: 1, maximum: 9 },
        kind: { type: 'string', enum: ['a', 'b'] },
        loud: { type: 'boolean' },
        parts: {
          type: 'array',
          items: { type: 'object', properties: { size: { anyOf: [{ type: 'integer' }, { type: 'null' }] } }, required: ['size'] },
        },
      },
      required: ['id', 'name', 'count', 'kind', 'loud', 'parts'],
    })
  })
})
