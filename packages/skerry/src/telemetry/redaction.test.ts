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

it('leaves nothing of a value that contains another', () => {
  expect(keeping('anna', 'anna.karenina@example.org').redact('to anna.karenina@example.org')).toBe(`to ${REDACTED}`)
})

it('redacts names of fields too, for a value may be one', () => {
  expect(redacted({ byMail: { 'anna@example.org': 1 } }, NAMES, keeping('anna@example.org'))).toEqual({ byMail: { [REDACTED]: 1 } })
})

it('copies so much and no more, however often things refer to each other', () => {
  const all: Record<string, unknown>[] = Array.from({ length: 30 }, (_, id) => ({ id }))
  for (const one of all) for (const [index, other] of all.entries()) one[`to${index}`] = other
  expect(JSON.stringify(redacted(all, NAMES, undefined)).length).toBeLessThan(200_000)
})

it.each([
  ['toJSON that gives nothing', { toJSON: () => undefined }],
  ['toJSON that gives what JSON does not know', { toJSON: () => 5n }],
  [
    'a getter that throws',
    {
      get broken(): string {
        throw new Error('no')
      },
    },
  ],
  ['a number that JSON does not know', { big: 5n }],
  ['an error that refers to itself', Object.assign(new Error('x'), { self: undefined })],
])('never throws: %s', (_what, value) => {
  if (value instanceof Error) (value as { self?: unknown }).self = value
  expect(() => JSON.stringify(redacted({ value }, NAMES, keeping('marker')))).not.toThrow()
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
