import { describe, expect, test } from 'vitest'
import { ERRORS } from '../packages/skerry/src/base/errors.ts'
import { withoutComments } from '../test/repo/code.ts'
import { isTest, read, sources } from '../test/repo/files.ts'
import { ERRORS_PAGE, errorsPage } from './errors-reference.ts'

const codes = Object.keys(ERRORS)

describe('the reference of errors', () => {
  test('is what the catalogue says (node scripts/errors-reference.ts)', () => {
    expect(read(ERRORS_PAGE)).toBe(errorsPage())
  })

  test('has one section for each code and for nothing else', () => {
    expect([...read(ERRORS_PAGE).matchAll(/^### (.*)$/gm)].map(([, code]) => code)).toEqual(codes)
  })
})

describe('the catalogue of errors', () => {
  const platform = sources.filter((file) => /^packages\/[^/]+\/src\//.test(file) && !isTest(file) && !file.endsWith('/base/errors.ts'))
  const text = platform.map((file) => withoutComments(read(file))).join('\n')

  test.each(codes)('%s is reported by some code', (code) => {
    expect(text).toMatch(new RegExp(`['"]${code}['"]`))
  })
})
