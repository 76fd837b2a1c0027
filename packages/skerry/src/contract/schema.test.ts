import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Schema } from './schema.ts'
import { jsonSchema, validate } from './schema.ts'

const Input = z.object({ id: z.int(), tags: z.array(z.string()).default([]) })

describe('validate', () => {
  it('gives what the schema makes of the value', () => {
    expect(validate(Input, { id: 1, unknown: true })).toEqual({ ok: true, value: { id: 1, tags: [] } })
  })

  it('points at every field that is wrong, as RFC 6901 writes it', () => {
    const Odd = z.object({ 'a/b': z.object({ 'm~n': z.int() }), list: z.array(z.object({ '': z.int() })) })
    const result = validate(Odd, { 'a/b': { 'm~n': 'x' }, list: [{ '': 1 }, { '': 'x' }] })
    expect(result).toMatchObject({ ok: false, issues: [{ path: '/a~1b/m~0n' }, { path: '/list/1/' }] })
    expect(validate(Odd, 5)).toMatchObject({ ok: false, issues: [{ path: '' }] })
  })

  it('waits for a schema that is asynchronous, and only for that', async () => {
    const slow = Input.refine(async ({ id }) => id > 0, { path: ['id'], message: 'must be taken' })
    const result = validate(slow, { id: 1 })
    expect(result).toBeInstanceOf(Promise)
    await expect(result).resolves.toEqual({ ok: true, value: { id: 1, tags: [] } })
    await expect(validate(slow, { id: 0 })).resolves.toEqual({ ok: false, issues: [{ path: '/id', message: 'must be taken' }] })
    expect(validate(Input, { id: 1 })).not.toBeInstanceOf(Promise)
  })

  it('understands the other form of path that Standard Schema allows', () => {
    const schema: Schema = {
      '~standard': {
        ...Input['~standard'],
        validate: () => ({ issues: [{ message: 'no', path: [{ key: 'a' }, 0, { key: Symbol('s') }] }] }),
      },
    }
    expect(validate(schema, {})).toEqual({ ok: false, issues: [{ path: '/a/0/Symbol(s)', message: 'no' }] })
  })
})

describe('jsonSchema', () => {
  it('describes what is sent and what is received, without naming the dialect each time', () => {
    expect(jsonSchema(Input, 'input')).toMatchObject({ type: 'object', required: ['id'] })
    expect(jsonSchema(Input, 'output')).toMatchObject({ type: 'object', required: ['id', 'tags'] })
    expect(jsonSchema(Input, 'input')).not.toHaveProperty('$schema')
  })

  it('asks a schema once for each side', () => {
    expect(jsonSchema(Input, 'input')).toBe(jsonSchema(Input, 'input'))
    expect(jsonSchema(Input, 'input')).not.toEqual(jsonSchema(Input, 'output'))
  })

  it('throws for what JSON cannot carry', () => {
    expect(() => jsonSchema(z.date(), 'input')).toThrow('Date cannot be represented')
  })
})
