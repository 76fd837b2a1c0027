import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { ErrorCode } from '../base/errors.ts'
import { ERRORS } from '../base/errors.ts'
import { declaredProblem, platformProblem, problem } from './problem.ts'

describe('problem', () => {
  it('declares status, title and the schema of its particulars', () => {
    const data = z.object({ sku: z.string() })
    expect(problem(409, 'Not enough stock', data)).toEqual({ kind: 'problem', status: 409, title: 'Not enough stock', data })
    expect(problem(404, 'Order not found')).toEqual({ kind: 'problem', status: 404, title: 'Order not found', data: undefined })
    expect(Object.isFrozen(problem(404, 'Order not found'))).toBe(true)
  })

  it.each([200, 399, 600, 404.5, Number.NaN])('refuses status %s', (status) => {
    expect(() => problem(status, 'No')).toThrow(
      new TypeError(`problem(${status}, "No"): the status must be a whole number from 400 to 599`),
    )
  })

  it.each(['', '  '])('refuses the title %j', (title) => {
    expect(() => problem(404, title)).toThrow(TypeError)
  })
})

describe('Problem Details (RFC 9457)', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('of the platform: %s', (code) => {
    const { status, title } = ERRORS[code]
    expect(platformProblem(code)).toEqual({ type: `urn:problem:skerry:${code}`, title, status, detail: title, code })
  })

  it('of the platform say more when there is more to say', () => {
    const errors = [{ path: '/a', message: 'too long' }]
    expect(platformProblem('invalidInput', 'a: too long', { errors, traceId: 'abc' })).toEqual({
      type: 'urn:problem:skerry:invalidInput',
      title: 'Invalid input',
      status: 422,
      detail: 'a: too long',
      code: 'invalidInput',
      errors,
      traceId: 'abc',
    })
  })

  it('of a contract carry data where it is declared', () => {
    const withData = problem(409, 'Not enough stock', z.object({ sku: z.string() }))
    expect(declaredProblem('orders', 'outOfStock', withData, 'There are 2 left', { sku: 'a' })).toEqual({
      type: 'urn:problem:orders:outOfStock',
      title: 'Not enough stock',
      status: 409,
      detail: 'There are 2 left',
      code: 'outOfStock',
      data: { sku: 'a' },
    })
    expect(declaredProblem('orders', 'orderNotFound', problem(404, 'Order not found'), 'No order 7', { sku: 'a' })).not.toHaveProperty(
      'data',
    )
  })
})
