import fc from 'fast-check'
import { expect, it } from 'vitest'
import { REDACTED, redacted, SensitiveValues } from './redaction.ts'

const NAMES = new Set(['email'])

function keeping(...texts: readonly string[]): SensitiveValues {
  const values = new SensitiveValues()
  for (const text of texts) values.add(text)
  return values
}

it('replaces a value wherever it is, as it was, in lower case and in a URL', () => {
  const values = keeping('Ann.Marker@Example.com')
  expect(values.redact('to Ann.Marker@Example.com, twice: Ann.Marker@Example.com')).toBe(`to ${REDACTED}, twice: ${REDACTED}`)
  expect(values.redact('key (email)=(ann.marker@example.com) exists')).toBe(`key (email)=(${REDACTED}) exists`)
  expect(values.redact('GET /users?email=Ann.Marker%40Example.com')).toBe(`GET /users?email=${REDACTED}`)
})

it('leaves texts alone that turn up everywhere by chance', () => {
  expect(keeping('a', 'ok', 'yes').redact('ok, yes, a log line')).toBe('ok, yes, a log line')
})

it('shows no text at all when there are more values than it can look for', () => {
  const values = keeping(...Array.from({ length: 5_000 }, (_, index) => `marker-${index}`))
  expect(values.redact('harmless')).toBe(REDACTED)
})

it('copies what is logged without fields of the marked names, however deep, and without the values', () => {
  const values = keeping('Planted Lane 12')
  const error = new Error('cannot reach Planted Lane 12', { cause: new TypeError('Planted Lane 12 is closed') })
  const logged = redacted(
    {
      id: 7,
      when: new Date(0),
      user: { email: 'x@y.example', tags: ['at Planted Lane 12'] },
      map: new Map([['email', 'x']]),
      cause: error,
    },
    NAMES,
    values,
  )
  expect(logged).toMatchObject({ id: 7, when: '1970-01-01T00:00:00.000Z', user: { email: REDACTED, tags: [`at ${REDACTED}`] } })
  expect(JSON.stringify(logged)).not.toContain('Planted Lane 12')
  expect(JSON.stringify(logged)).toContain(`cannot reach ${REDACTED}`)
})

it('ends for what contains itself, and for what is deep', () => {
  const round: Record<string, unknown> = { email: 'a@b.example' }
  round['self'] = round
  expect(() => redacted(round, NAMES, undefined)).not.toThrow()
  expect(JSON.stringify(redacted(round, NAMES, undefined))).not.toContain('a@b.example')
})

it('touches nothing where nothing is marked', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(redacted(value, new Set(), undefined)).toBe(value)
    }),
  )
})

it('takes any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (value, text) => {
      expect(() => keeping(value).redact(text + value)).not.toThrow()
      if (value.length >= 4) expect(keeping(value).redact(`<${value}>`)).not.toContain(value)
    }),
  )
})
