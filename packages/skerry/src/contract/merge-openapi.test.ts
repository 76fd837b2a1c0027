import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SkerryError } from '../base/errors.ts'
import { contract } from './contract.ts'
import type { Json } from './fixtures/openapi-document.ts'
import { at, componentNames, expectValid, named, operationOf, orders, renamed, schemaOfAnswer, shop } from './fixtures/openapi-document.ts'
import { mergeOpenApi, openApi } from './openapi.ts'
import { get, post, put } from './operation.ts'
import { problem } from './problem.ts'
import type { Schema } from './schema.ts'

describe('mergeOpenApi', () => {
  const users = contract('users', {
    version: '1.0.0',
    owner: 'people team',
    operations: {
      getUser: get('/users/{id}', {
        input: z.object({ id: z.int() }),
        output: z.object({ id: z.int(), name: z.string() }).meta({ id: 'User' }),
        public: true,
      }),
      auditUser: get('/users/{id}/audit', { input: z.object({ id: z.int() }), output: z.string() }),
    },
  })

  it('holds every contract under one title, with a tag and an owner for each', async () => {
    const document = mergeOpenApi('shop', [users, orders])
    await expectValid(document)
    expect(document).toMatchObject({
      info: { title: 'shop', version: '1.0.0' },
      tags: [
        { name: 'orders', 'x-owner': 'checkout team' },
        { name: 'users', 'x-owner': 'people team' },
      ],
    })
    expect(operationOf(document, '/users/{id}/audit', 'get')).toMatchObject({ operationId: 'users.auditUser', tags: ['users'] })
    expect(Object.keys(document['paths'] as Json)).toHaveLength(12)
    expect(JSON.stringify(mergeOpenApi('shop', [orders, users]))).toBe(JSON.stringify(document))
    expect(mergeOpenApi('shop', [users], { version: '3.0.0', servers: ['https://shop.example'] })).toMatchObject({
      info: { version: '3.0.0' },
      servers: [{ url: 'https://shop.example' }],
    })
    await expectValid(mergeOpenApi('nothing', []))
  })

  it('holds for the gateway only what is public, and nothing that only the rest needs', async () => {
    const document = mergeOpenApi(
      'shop',
      [users, orders, shop('internals', { secret: get('/secret', { output: named('Secret', z.object({})) }) })],
      { publicOnly: true },
    )
    await expectValid(document)
    expect(Object.keys(document['paths'] as Json)).toEqual(['/orders', '/orders/{orderId}', '/shops/{shopId}/orders', '/users/{id}'])
    expect(Object.keys(at(document, 'paths', '/orders/{orderId}'))).toEqual(['get'])
    expect(document['tags']).toMatchObject([{ name: 'orders' }, { name: 'users' }])
    expect(JSON.stringify(document)).not.toMatch(/secret|Category|internals/i)
  })

  describe('components of one name', () => {
    it('are one when they say the same', () => {
      const money = (): z.ZodType => z.object({ cents: z.int() }).meta({ id: 'MoneyHere' })
      // Two copies of one schema, as two packages would have them.
      const jsonOf = (title: string): Schema => renamed(z.object({ price: money() }).meta({ id: title }), 'MoneyHere', 'Money')
      const document = mergeOpenApi('shop', [
        shop('a', { one: get('/one', { output: jsonOf('One') }) }),
        shop('b', { two: get('/two', { output: jsonOf('Two') }) }),
      ])
      expect(componentNames(document)).toEqual(['Money', 'One', 'Two'])
    })

    it('get the name of their contract when they differ, also in what they refer to', async () => {
      const item = (inner: z.ZodType): Schema =>
        renamed(z.object({ inner: inner.meta({ id: 'InnerHere' }) }).meta({ id: 'ItemHere' }), 'Here', '')
      const document = mergeOpenApi('shop', [
        shop('order-items', { one: get('/one', { output: item(z.object({ a: z.int() })) }) }),
        shop('stock', { two: get('/two', { output: item(z.object({ b: z.int() })) }) }),
      ])
      await expectValid(document)
      expect(componentNames(document)).toEqual(['OrderItemsInner', 'OrderItemsItem', 'StockInner', 'StockItem'])
      expect(schemaOfAnswer(document, '/one', 'get', 200)).toEqual({ $ref: '#/components/schemas/OrderItemsItem' })
      expect(at(document, 'components', 'schemas', 'OrderItemsItem', 'properties', 'inner')).toEqual({
        $ref: '#/components/schemas/OrderItemsInner',
      })
      expect(at(document, 'components', 'schemas', 'StockInner', 'properties')).toHaveProperty('b')
    })

    it('get the name of their operation when one contract has both', async () => {
      const gone = (data: z.ZodType) => ({ gone: problem(410, 'Gone', data) })
      const document = openApi(
        shop('shop', {
          getUser: get('/users', { errors: gone(z.object({ user: z.int() })) }),
          getOrder: get('/orders', { errors: gone(z.object({ order: z.int() })) }),
        }),
      )
      await expectValid(document)
      const names = Object.keys(at(document, 'components', 'schemas')).filter((name) => name.includes('Gone'))
      expect(names).toEqual(['GetOrderGoneData', 'GetOrderGoneProblem', 'GetUserGoneData', 'GetUserGoneProblem'])
      expect(schemaOfAnswer(document, '/users', 'get', 410, 'application/problem+json')).toEqual({
        $ref: '#/components/schemas/GetUserGoneProblem',
      })
    })

    it("never take the names of the platform, nor each other's", async () => {
      const document = openApi(
        shop('shop', {
          one: get('/one', { output: named('ProblemDetails', z.object({ mine: z.string() })) }),
          two: get('/two', { output: renamed(z.object({ a: z.int() }).meta({ id: 'Odd name Here' }), ' Here', '') }),
          three: get('/three', { output: renamed(z.object({ b: z.int() }).meta({ id: 'Odd/nameHere' }), 'Here', '') }),
        }),
      )
      await expectValid(document)
      expect(at(document, 'components', 'schemas', 'ProblemDetails')['required']).toContain('detail')
      const own = schemaOfAnswer(document, '/one', 'get', 200)['$ref'] as string
      expect(own).not.toBe('#/components/schemas/ProblemDetails')
      expect(at(document, ...own.split('/').slice(1), 'properties')).toHaveProperty('mine')
      const [two, three] = [schemaOfAnswer(document, '/two', 'get', 200)['$ref'], schemaOfAnswer(document, '/three', 'get', 200)['$ref']]
      expect(two).not.toBe(three)
    })
  })

  it('gives one path one spelling when contracts name its parameters differently', async () => {
    const byKey = z.object({ key: z.string(), id: z.string() })
    const document = mergeOpenApi('shop', [
      shop('alpha', { read: get('/things/{id}/parts/{part}', { input: z.object({ id: z.string(), part: z.string() }) }) }),
      shop('beta', { write: put('/things/{key}/parts/{id}', { input: byKey }) }),
    ])
    await expectValid(document)
    expect(Object.keys(document['paths'] as Json)).toEqual(['/things/{id}/parts/{part}'])
    const parameters = operationOf(document, '/things/{id}/parts/{part}', 'put')['parameters'] as Json[]
    expect(parameters.slice(0, 2)).toMatchObject([
      { name: 'id', in: 'path' },
      { name: 'part', in: 'path' },
    ])
  })

  it('refuses a route that two contracts claim, and names both', () => {
    const input = z.object({ id: z.string() })
    const one = shop('alpha', { read: get('/things/{id}', { input, public: true }), list: get('/things', { public: true }) })
    const two = shop('beta', {
      find: get('/things/{name}', { input: z.object({ name: z.string() }), public: true }),
      list: get('/things'),
      add: post('/things', { public: true }),
    })
    expect(() => mergeOpenApi('shop', [two, one], { publicOnly: true })).toThrow(
      new SkerryError(
        'contractInvalid',
        'alpha.read and beta.find both claim GET /things/{id}\nChange a path, or make an operation not public.',
      ),
    )
    expect(() => mergeOpenApi('shop', [two, one])).toThrow('alpha.list and beta.list both claim GET /things')
    expect(() => mergeOpenApi('shop', [one, shop('gamma', { list: get('/things') })], { publicOnly: true })).not.toThrow()
  })
})
