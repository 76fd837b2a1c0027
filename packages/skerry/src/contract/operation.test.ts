import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { del, get, patch, post, put } from './operation.ts'
import { problem } from './problem.ts'
import { nothing, validate } from './schema.ts'

describe('get, post, put, patch, del', () => {
  it.each([
    [get, 'GET', true],
    [post, 'POST', false],
    [put, 'PUT', true],
    [patch, 'PATCH', false],
    [del, 'DELETE', true],
  ] as const)('have the method and idempotence of HTTP', (declare, method, idempotent) => {
    expect(declare('/x')).toEqual({
      kind: 'operation',
      method,
      path: '/x',
      input: nothing,
      output: undefined,
      errors: Object.create(null),
      status: 204,
      summary: undefined,
      idempotent,
      deadlineMs: 3_000,
      priority: 'normal',
      scopes: [],
      public: false,
      deprecated: undefined,
    })
    expect(declare('/x', { idempotent: !idempotent }).idempotent).toBe(!idempotent)
  })

  it('answer 200 with output, and whatever was said', () => {
    const output = z.string()
    expect(get('/x', { output }).status).toBe(200)
    expect(post('/x', { output, status: 201 }).status).toBe(201)
    expect(post('/x', { status: 202 }).status).toBe(202)
  })

  it('read deadlines as people write them', () => {
    expect(get('/x', { deadline: '1.5s' }).deadlineMs).toBe(1_500)
    expect(() => get('/x', { deadline: 'soon' as '1s' })).toThrow('"soon" is not a duration')
  })

  it('have problems under their own codes only, because peers choose the codes we look up', () => {
    const { errors } = get('/x', { errors: { gone: problem(410, 'Gone') } })
    const byCode: Readonly<Record<string, unknown>> = errors
    expect(byCode['gone']).toEqual(problem(410, 'Gone'))
    expect(byCode['constructor']).toBeUndefined()
    expect(byCode['__proto__']).toBeUndefined()
  })
})

describe('the input of an operation that takes nothing', () => {
  it.each([undefined, {}, { extra: 1 }])('accepts %j and gives an empty object', (value) => {
    expect(validate(nothing, value)).toEqual({ ok: true, value: {} })
  })

  it.each([null, [], 'text', 5, true])('refuses %j', (value) => {
    expect(validate(nothing, value)).toEqual({ ok: false, issues: [{ path: '', message: 'expected no input, or an empty object' }] })
  })
})
