import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Envelope } from './cloud-event.ts'
import { MAX_IDENTIFIER_BYTES, problemOfIdentifier, readCloudEvent, sourceOf, writeCloudEvent } from './cloud-event.ts'

const event: Envelope = {
  id: '0190-1',
  source: '/services/orders',
  type: 'orders.orderPlaced.v1',
  key: '7',
  data: { id: 7 },
  time: '2026-01-01T00:00:00.000Z',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  sequence: 2,
  previousTime: '2025-12-31T23:59:59.000Z',
}

function read(attributes: object): Envelope {
  const result = readCloudEvent(JSON.stringify({ specversion: '1.0', id: 'x', source: '/s', type: 't', ...attributes }))
  if (!result.ok) throw new Error(result.problem)
  return result.envelope
}

function problem(body: string): string | undefined {
  const result = readCloudEvent(body)
  return result.ok ? undefined : result.problem
}

const refused = (attributes: object): string | undefined =>
  problem(JSON.stringify({ specversion: '1.0', id: 'x', source: '/s', type: 't', ...attributes }))

describe('writeCloudEvent', () => {
  it('writes a CloudEvent in structured form, its data as it is given', () => {
    expect(writeCloudEvent(event, '{"id": 7}')).toBe(
      '{"specversion":"1.0","id":"0190-1","source":"/services/orders","type":"orders.orderPlaced.v1","subject":"7","time":"2026-01-01T00:00:00.000Z",' +
        '"datacontenttype":"application/json","partitionkey":"7","sequence":"2","previoustime":"2025-12-31T23:59:59.000Z",' +
        '"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","data":{"id": 7}}',
    )
  })

  it('writes what readCloudEvent reads back', () => {
    const identifier = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
      .filter((text) => problemOfIdentifier(text) === undefined)
    const time = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') }).map((date) => date.toISOString())
    const numbered = fc.oneof(
      fc.record({ sequence: fc.integer({ min: 1, max: 1e15 - 1 }), previousTime: time }),
      fc.constant({ sequence: 1, previousTime: undefined }),
    )
    fc.assert(
      fc.property(
        identifier,
        identifier,
        identifier,
        time,
        numbered,
        fc.jsonValue({ noUnicodeString: false }),
        (id, type, key, at, number, data) => {
          const envelope = { id, source: sourceOf('orders'), type, key, time: at, traceparent: event.traceparent, ...number }
          // JSON has no negative zero.
          expect(readCloudEvent(writeCloudEvent(envelope, JSON.stringify(data)))).toEqual({
            ok: true,
            envelope: { ...envelope, data: JSON.parse(JSON.stringify(data)) as unknown },
          })
        },
      ),
    )
  })
})

describe('readCloudEvent', () => {
  it.each([
    ['no JSON', 'garbage', /^the body is not JSON: /],
    ['an empty body', '', /^the body is not JSON: /],
    ['a list', '[]', /not a JSON object/],
    ['null', 'null', /not a JSON object/],
    ['a text', '"x"', /not a JSON object/],
    ['another version', '{"specversion":"0.3"}', /specversion is "0.3"/],
    ['no version', '{}', /specversion is undefined/],
    ['nesting without end', '['.repeat(1_000_000), /./],
  ])('refuses %s', (_what, body, expected) => {
    expect(problem(body)).toMatch(expected)
  })

  it.each(['id', 'source', 'type'])('refuses an event without a usable %s', (name) => {
    expect(refused({ [name]: undefined })).toBe(`the attribute "${name}" is missing`)
    expect(refused({ [name]: '' })).toBe(`the attribute "${name}" is missing`)
    expect(refused({ [name]: 7 })).toBe(`the attribute "${name}" is missing`)
    expect(refused({ [name]: 'a\u0000b' })).toBe(`the attribute "${name}" holds control characters or broken Unicode`)
    expect(refused({ [name]: 'x'.repeat(MAX_IDENTIFIER_BYTES + 1) })).toBe(
      `the attribute "${name}" is longer than ${MAX_IDENTIFIER_BYTES} bytes`,
    )
  })

  it('refuses a key that cannot be remembered', () => {
    expect(refused({ subject: 'a\nb' })).toMatch(/"subject" holds control characters/)
    expect(refused({ partitionkey: '\ud800' })).toMatch(/"subject" holds .* broken Unicode/)
    expect(refused({ subject: 'é'.repeat(MAX_IDENTIFIER_BYTES / 2) })).toBeUndefined()
    expect(refused({ subject: `${'é'.repeat(MAX_IDENTIFIER_BYTES / 2)}x` })).toMatch(/longer than/)
  })

  it('takes the subject as key, else the partition key, else the id: then every event is a key of its own', () => {
    expect(read({ subject: 'a', partitionkey: 'b' }).key).toBe('a')
    expect(read({ partitionkey: 'b' }).key).toBe('b')
    expect(read({}).key).toBe('x')
  })

  it.each([
    ['the first of a key', { sequence: '1' }, 1],
    ['one that follows another', { sequence: '42', previoustime: event.time }, 42],
    ['one that does not say what it follows', { sequence: '42' }, undefined],
    ['one that follows nothing that can be read', { sequence: '42', previoustime: 'yesterday' }, undefined],
    ['padded, as others write it', { sequence: '000001', previoustime: event.time }, undefined],
    ['no number', { sequence: 'abc', previoustime: event.time }, undefined],
    ['zero', { sequence: '0', previoustime: event.time }, undefined],
    ['too large to count with', { sequence: '9'.repeat(16), previoustime: event.time }, undefined],
    ['not a text', { sequence: 2, previoustime: event.time }, undefined],
  ])('takes for a number of ours: %s', (_what, attributes, expected) => {
    expect(read(attributes).sequence).toBe(expected)
  })

  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.json(),
          fc
            .jsonValue()
            .map((value) => JSON.stringify({ specversion: '1.0', id: value, source: value, type: value, subject: value, sequence: value })),
        ),
        (body) => {
          expect(typeof readCloudEvent(body).ok).toBe('boolean')
        },
      ),
    )
  })
})
