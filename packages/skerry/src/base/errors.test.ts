import { describe, expect, it } from 'vitest'
import type { ErrorCode } from './errors.ts'
import { ERRORS, SkerryError } from './errors.ts'

const codes = Object.keys(ERRORS) as ErrorCode[]

describe('the catalogue', () => {
  it.each(codes)('%s says in sentences what it is and what to do', (code) => {
    const { status, title, help } = ERRORS[code]
    expect(code).toMatch(/^[a-z][A-Za-z]+$/)
    expect(Number.isInteger(status) && status >= 400 && status <= 599).toBe(true)
    expect(title).toMatch(/^[A-Z][^.]*$/)
    expect(help).toMatch(/^[A-Z].*\.$/)
  })

  it.each(codes)("%s may help to try again only when the fault is not the sender's", (code) => {
    // A conflict is nobody's fault: what was true when the sender looked is not true any more.
    if (ERRORS[code].retryable && ERRORS[code].status !== 409) expect(ERRORS[code].status).toBeGreaterThanOrEqual(503)
  })
})

describe('SkerryError', () => {
  it('carries its code, what the catalogue says of it, and what happened this time', () => {
    const cause = new Error('ECONNREFUSED')
    const error = new SkerryError('unavailable', 'inventory did not answer', { data: { service: 'inventory' }, cause })
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'SkerryError',
      message: 'inventory did not answer',
      code: 'unavailable',
      status: 503,
      retryable: true,
      help: ERRORS.unavailable.help,
    })
    expect(error.data).toEqual({ service: 'inventory' })
    expect(error.cause).toBe(cause)
    expect(error.stack).toContain('errors.test.ts')
  })

  it('has neither data nor cause when it was given none', () => {
    const error = new SkerryError('notFound', 'Nothing is offered at this path')
    expect(error.data).toBeUndefined()
    expect('cause' in error).toBe(false)
  })
})
