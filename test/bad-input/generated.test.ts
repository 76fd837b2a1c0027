/**
 * Whatever is sent to whatever is public: an answer, or a problem that agrees with its status and tells nothing of the
 * inside, and never a failure. Operations come from the contracts, so a new one is covered as soon as it exists.
 */
import fc from 'fast-check'
import type { Contract } from 'skerry'
import type { Schema } from 'skerry/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ecommerce } from '../../examples/ecommerce/system.ts'
import { shop } from '../../shop/system.ts'
import { send } from '../gateway/http-request.ts'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'
import { flawIn } from './problem.ts'

const REQUESTS_PER_OPERATION = 300

// Fields that exist, with values that nearly fit, get past the first check; arbitrary ones do not.
const FIELDS = [
  'id',
  'name',
  'email',
  'user_id',
  'order_id',
  'product',
  'amount',
  'sku',
  'quantity',
  'items',
  'lines',
  'price',
  'category',
  'after',
  'limit',
  'currency',
  'skus',
  'password',
  '__proto__',
  'constructor',
  'toString',
  'length',
  '',
]
const HOSTILE = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\u{1F6A2}',
  '\uD800',
  '\u202E',
  '..',
  '../../etc/passwd',
  '%00',
  '%',
  '__proto__',
  'constructor',
  "' or 1=1 --",
  '$1',
  '{{7*7}}',
  '\r\nX: y',
  'ann@example.com',
  'lighthouse',
  '0190b6a4-7c6e-7000-8000-000000000000',
  '-0',
  '1e309',
  'NaN',
  'null',
  'true',
  'x'.repeat(5_000),
]

const text = fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'binary' }), fc.string())
const number = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(2 ** 31, 2 ** 53, 2 ** 63, 1e308, -0, 5e-324),
)
const scalar = fc.oneof(text, number, fc.boolean(), fc.constant(null))
const value = fc.oneof({ depthSize: 'small' }, scalar, fc.array(scalar, { maxLength: 4 }), fc.jsonValue({ maxDepth: 4 }))
/** Objects of fields that exist somewhere, mostly in this operation. */
const nearTo = (own: readonly string[]) => {
  const name = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...own) }, { weight: 3, arbitrary: fc.constantFrom(...FIELDS) }, text)
  return fc.dictionary(name, value, { maxKeys: 8 })
}
/** A well-formed body for people, users and orders with one or two fields spoilt. */
const spoilt = (own: readonly string[]) =>
  fc
    .tuple(
      fc.constantFrom(
        { id: 1, name: 'Ann', email: 'ann@example.com' },
        { name: 'Ann', email: 'ann@example.com' },
        { id: 7, user_id: 1, product: 'kettle', amount: 20 },
        { user_id: 1, items: [{ sku: 'lighthouse', quantity: 1 }] },
      ),
      nearTo(own),
    )
    .map(([whole, wrong]) => ({ ...whole, ...wrong }))
const jsonText = (own: readonly string[]) =>
  fc.oneof(
    { weight: 5, arbitrary: fc.oneof(spoilt(own), nearTo(own), value).map((body) => JSON.stringify(body)) },
    fc.string({ unit: 'binary' }),
  )
const encoded = (piece: string): string => encodeURIComponent(piece.toWellFormed())
const segment = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(text, number.map(String)).map(encoded) },
  // As it is, as far as a request line can carry it.
  fc.string({ unit: fc.constantFrom(...Array.from(`abc019%/?#[]@!$&'()*+,;=:.~_-"<>\\^{|}\``)) }),
)
const queryOf = (own: readonly string[]) => {
  const name = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...own) }, fc.constantFrom(...FIELDS), text)
  const pair = fc.tuple(name, fc.oneof(text, number.map(String)))
  return fc.oneof(
    fc.array(pair, { maxLength: 3 }).map((pairs) => pairs.map(([field, given]) => `${encoded(field)}=${encoded(given)}`).join('&')),
    fc.string({ unit: fc.constantFrom(...Array.from('ab1=&%[]+;.,/?')) }),
  )
}
const headers = fc.record(
  {
    'content-type': fc.constantFrom(
      'application/json',
      'application/json',
      'application/json',
      'text/plain',
      'application/json; charset=utf-16',
    ),
    'idempotency-key': fc.stringMatching(/^[\x21-\x7e]{0,300}$/),
    traceparent: fc.constantFrom('00-', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'x'.repeat(200)),
  },
  { requiredKeys: ['content-type'] },
)

describe.each([
  { file: 'examples/ecommerce/system.ts', name: 'ecommerce', contracts: ecommerce.services.map(({ contract }): Contract => contract) },
  { file: 'shop/system.ts', name: 'shop', contracts: shop.services.map(({ contract }): Contract => contract) },
])('$name', ({ file, contracts }) => {
  let host: RunningHost
  beforeAll(async () => {
    host = await startHost({ system: file, env: { LOG_LEVEL: 'error' } })
  })
  afterAll(() => host?.[Symbol.asyncDispose]())

  const refusedOrAnswered = async (method: string, target: string, more: { headers?: Record<string, string>; body?: string } = {}) => {
    const answer = await send(host.gatewayUrl, method, target, more)
    if (answer.status >= 500) expect.fail(`${method} ${target} was answered ${answer.status}: ${answer.text}\n${await host.output()}`)
    if (answer.status >= 400) expect(flawIn(answer, `${target}${more.body ?? ''}`)).toBeUndefined()
  }

  const operations = contracts.flatMap((contract) =>
    Object.entries(contract.operations)
      .filter(([, operation]) => operation.public)
      .map(([name, { method, path, input }]) => ({ name: `${contract.name}.${name}`, method, path, own: fieldsOf(input) })),
  )

  test.each(operations)('$name: $method $path', async ({ method, path, own }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(segment, { minLength: 3, maxLength: 3 }),
        queryOf(own),
        jsonText(own),
        headers,
        async (segments, search, body, sent) => {
          const filled = segments.reduce((rest, next) => rest.replace(/\{[^}]*\}/, () => next), path)
          const target = search === '' ? filled : `${filled}?${search}`
          await refusedOrAnswered(method, target, method === 'GET' ? { headers: sent } : { headers: sent, body })
        },
      ),
      { numRuns: REQUESTS_PER_OPERATION },
    )
    for (const field of own)
      for (const hostile of HOSTILE) {
        const query = `${encoded(field)}=${encoded(hostile)}`
        if (method === 'GET') await refusedOrAnswered(method, `${path.replaceAll(/\{[^}]*\}/g, '1')}?${query}`)
        else
          await refusedOrAnswered(method, path, {
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ [field]: hostile }),
          })
      }
    expect((await send(host.gatewayUrl, 'GET', '/health/ready')).json).toMatchObject({ status: 'ready' })
  })
})

/** The names in the input, also of objects below. */
function fieldsOf(input: Schema): readonly string[] {
  const found = new Set<string>()
  const visit = (schema: unknown): void => {
    if (typeof schema !== 'object' || schema === null) return
    for (const [key, inner] of Object.entries(schema)) {
      if (key === 'properties') for (const name of Object.keys(inner as object)) found.add(name)
      visit(inner)
    }
  }
  visit(input['~standard'].jsonSchema.input({ target: 'draft-2020-12' }))
  if (found.size === 0) throw new Error('An input without fields: say so here when there is one')
  return [...found]
}
