import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Operations } from './contract.ts'
import { contract } from './contract.ts'
import type { Json } from './fixtures/openapi-document.ts'
import {
  at,
  componentNames,
  expectValid,
  named,
  operationOf,
  orders,
  reader,
  schemaOfAnswer,
  schemaOfBody,
  shop,
} from './fixtures/openapi-document.ts'
import { openApi } from './openapi.ts'
import { get, put } from './operation.ts'
import { declaredProblem, platformProblem } from './problem.ts'

const order = { id: '0190a000-0000-7000-8000-000000000000', lines: [{ sku: 'a', quantity: 1 }], status: 'new', note: null }

describe('openApi', () => {
  const document = openApi(orders, { servers: ['https://orders.example/v2', '/'] })

  it('is accepted by an independent validator, and every reference leads somewhere', async () => {
    await expectValid(document)
    await expectValid(openApi(contract('empty', { version: '0.1.0', operations: {} })))
  })

  it('says what the contract is, whose, and where it is served', () => {
    expect(document).toMatchObject({
      openapi: '3.1.1',
      info: { title: 'orders', version: '2.1.0', description: 'Takes orders', contact: { name: 'checkout team' } },
      servers: [{ url: 'https://orders.example/v2' }, { url: '/' }],
      tags: [{ name: 'orders', description: 'Takes orders', 'x-owner': 'checkout team' }],
    })
    expect(openApi(orders)).not.toHaveProperty('servers')
    expect(openApi(contract('bare', { version: '1.0.0', operations: {} }))).toMatchObject({
      info: { title: 'bare', version: '1.0.0' },
      paths: {},
    })
  })

  it('has each operation under its path, method and full name', () => {
    const paths = document['paths'] as Record<string, Record<string, { operationId: string; tags: string[] }>>
    const found = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => `${method} ${path} ${operation.operationId}`),
    )
    expect(found).toEqual([
      'get /categories orders.getCategories',
      'put /categories orders.setCategories',
      'post /import orders.import',
      'post /options orders.options',
      'get /orders orders.listOrders',
      'get /orders/{orderId} orders.getOrder',
      'delete /orders/{orderId} orders.cancelOrder',
      'patch /orders/{orderId} orders.changeOrder',
      'post /orders/{orderId}/payment orders.payOrder',
      'get /ping orders.ping',
      'post /reset orders.reset',
      'post /shops/{shopId}/orders orders.placeOrder',
      'post /walk orders.walk',
    ])
    expect(operationOf(document, '/shops/{shopId}/orders', 'post')).toMatchObject({ summary: 'Place an order', tags: ['orders'] })
  })

  it('describes path and query parameters, their schemas and which are required', () => {
    expect(operationOf(document, '/orders', 'get')['parameters']).toEqual([
      { name: 'status', in: 'query', required: true, schema: { type: 'array', items: { type: 'string', enum: ['new', 'paid'] } } },
      { name: 'page', in: 'query', schema: expect.objectContaining({ type: 'integer', default: 1 }) as unknown },
      { name: 'text', in: 'query', schema: { type: 'string' } },
      { name: 'mine', in: 'query', required: true, schema: { type: 'boolean' } },
    ])
    expect(operationOf(document, '/orders/{orderId}', 'get')['parameters']).toEqual([
      { name: 'orderId', in: 'path', required: true, schema: { $ref: '#/components/schemas/OrderId' } },
    ])
    expect(operationOf(document, '/orders/{orderId}', 'delete')['parameters']).toContainEqual({
      name: 'reason',
      in: 'query',
      description: 'For the log',
      schema: { type: 'string', description: 'For the log' },
    })
    expect(operationOf(document, '/ping', 'get')).not.toHaveProperty('parameters')
  })

  it('offers the Idempotency-Key where a repetition is harmless but not for reading', () => {
    const key = { $ref: '#/components/parameters/IdempotencyKey' }
    const takesKey = (path: string, method: string): boolean =>
      (operationOf(document, path, method)['parameters'] as unknown[] | undefined)?.some(
        (parameter) => JSON.stringify(parameter) === JSON.stringify(key),
      ) === true
    expect(takesKey('/shops/{shopId}/orders', 'post')).toBe(true)
    expect(takesKey('/orders/{orderId}', 'delete')).toBe(true)
    expect(takesKey('/categories', 'put')).toBe(true)
    expect(takesKey('/categories', 'get')).toBe(false)
    expect(takesKey('/reset', 'post')).toBe(false)
    expect(at(document, 'components', 'parameters', 'IdempotencyKey')).toMatchObject({
      name: 'Idempotency-Key',
      in: 'header',
      schema: { type: 'string' },
    })
    expect(at(document, 'components', 'parameters', 'IdempotencyKey')).not.toHaveProperty('required')
    expect(at(openApi(contract('reads', { version: '1.0.0', operations: { ping: get('/ping') } })), 'components')).not.toHaveProperty(
      'parameters',
    )
  })

  describe('bodies', () => {
    it('hold the fields that are not in the path', () => {
      const schema = schemaOfBody(document, '/shops/{shopId}/orders', 'post')!
      expect(Object.keys(schema['properties'] as Json)).toEqual(['lines', 'payment', 'coupon'])
      expect(schema['required']).toEqual(['lines', 'payment'])
      const body = reader(document, schema)
      expect(body.safeParse({ lines: [{ sku: 'a' }], payment: { kind: 'invoice', due: null } }).success).toBe(true)
      expect(body.safeParse({ lines: [{ sku: '' }], payment: { kind: 'invoice', due: null } }).success).toBe(false)
      expect(body.safeParse({ lines: [{ sku: 'a' }], payment: { kind: 'cash' } }).success).toBe(false)
      expect(body.safeParse({ lines: [{ sku: 'a' }] }).success).toBe(false)
    })

    it('hold them also when the input is an intersection', () => {
      const body = reader(document, schemaOfBody(document, '/orders/{orderId}', 'patch')!)
      expect(JSON.stringify(schemaOfBody(document, '/orders/{orderId}', 'patch'))).not.toContain('orderId')
      expect(body.safeParse({}).success).toBe(true)
      expect(body.safeParse({ note: null, status: 'paid' }).success).toBe(true)
      expect(body.safeParse({ status: 'lost' }).success).toBe(false)
    })

    it('hold them also when the input is a union, or has a name of its own', async () => {
      const id = z.string()
      const document = openApi(
        shop('shop', {
          either: put('/either/{id}', {
            input: z.union([z.object({ id, a: z.int() }), z.object({ id, b: z.int() }).meta({ id: 'WithB' })]),
          }),
          change: put('/named/{id}', { input: z.object({ id, a: z.int() }).meta({ id: 'NamedInput' }) }),
          leave: put('/leave/{id}', { input: z.union([z.object({ id, a: z.int() }), z.object({ id })]) }),
        }),
      )
      await expectValid(document)
      const either = reader(document, schemaOfBody(document, '/either/{id}', 'put')!)
      expect([{ a: 1 }, { b: 1 }, {}, { a: 'x' }].map((body) => either.safeParse(body).success)).toEqual([true, true, false, false])
      expect(schemaOfBody(document, '/named/{id}', 'put')).toMatchObject({ properties: { a: { type: 'integer' } }, required: ['a'] })
      expect(componentNames(document)).toEqual([])
      expect(operationOf(document, '/either/{id}', 'put')['requestBody']).toHaveProperty('required', true)
      expect(operationOf(document, '/leave/{id}', 'put')['requestBody']).not.toHaveProperty('required')
    })

    it('are required where something in them is', () => {
      const required = (path: string, method: string): unknown => (operationOf(document, path, method)['requestBody'] as Json)['required']
      expect(required('/shops/{shopId}/orders', 'post')).toBe(true)
      expect(required('/import', 'post')).toBe(true)
      expect(required('/orders/{orderId}', 'patch')).toBeUndefined()
      expect(required('/options', 'post')).toBeUndefined()
    })

    it('are not described where there is nothing to send', () => {
      expect(operationOf(document, '/orders/{orderId}/payment', 'post')).not.toHaveProperty('requestBody')
      expect(operationOf(document, '/reset', 'post')).not.toHaveProperty('requestBody')
      expect(operationOf(document, '/orders', 'get')).not.toHaveProperty('requestBody')
    })
  })

  describe('answers', () => {
    it('have the declared status and output', () => {
      const { responses } = operationOf(document, '/shops/{shopId}/orders', 'post') as { responses: Record<string, Json> }
      expect(responses['201']).toEqual({
        description: 'Created',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } },
      })
      expect(Object.keys(responses)).toEqual(['201', '409', '422', '503', '5XX'])
      expect(at(document, 'paths', '/reset', 'post', 'responses', '204')).toEqual({ description: 'No Content' })
      expect(at(document, 'paths', '/options', 'post', 'responses', '202')).toEqual({ description: 'Accepted' })
      expect(reader(document, schemaOfAnswer(document, '/orders', 'get', 200)).safeParse([order]).success).toBe(true)
      expect(reader(document, schemaOfAnswer(document, '/orders', 'get', 200)).safeParse([{ ...order, status: 'lost' }]).success).toBe(
        false,
      )
    })

    it('may have fields of a later version', () => {
      expect(
        reader(document, schemaOfAnswer(document, '/orders', 'get', 200)).safeParse([
          { ...order, added: 1, lines: [{ sku: 'a', quantity: 1, added: 1 }] },
        ]).success,
      ).toBe(true)
      expect(JSON.stringify(document)).not.toContain('"additionalProperties":false')
    })

    it('group the declared problems by status, and accept exactly what the service sends', () => {
      const conflict = schemaOfAnswer(document, '/shops/{shopId}/orders', 'post', 409, 'application/problem+json')
      expect(conflict).toEqual({
        oneOf: [{ $ref: '#/components/schemas/OutOfStockProblem' }, { $ref: '#/components/schemas/ShopClosedProblem' }],
      })
      const { outOfStock, shopClosed } = orders.operations.placeOrder.errors
      const sent = declaredProblem('orders', 'outOfStock', outOfStock, 'There are 2 left', { sku: 'a', left: 2 })
      const accepts = (body: unknown): boolean => reader(document, conflict).safeParse(body).success
      expect(accepts(sent)).toBe(true)
      expect(accepts(declaredProblem('orders', 'shopClosed', shopClosed, 'Closed', undefined))).toBe(true)
      expect(accepts({ ...sent, code: 'soldOut' })).toBe(false)
      expect(accepts({ ...sent, data: { sku: 'a' } })).toBe(false)
      expect(accepts({ ...sent, data: undefined })).toBe(false)
      expect(accepts({ ...sent, detail: 5 })).toBe(false)
      expect(accepts({ ...sent, type: 'urn:problem:other:outOfStock' })).toBe(false)
      expect(at(document, 'paths', '/shops/{shopId}/orders', 'post', 'responses', '409')['description']).toBe(
        'Not enough stock, or: The shop is closed',
      )
    })

    it('share a problem that several operations declare', () => {
      for (const method of ['get', 'patch'])
        expect(schemaOfAnswer(document, '/orders/{orderId}', method, 404, 'application/problem+json')).toEqual({
          $ref: '#/components/schemas/OrderNotFoundProblem',
        })
    })

    it('include those of the platform, by reference', () => {
      const { responses } = operationOf(document, '/orders', 'get') as { responses: Json }
      expect(responses['422']).toEqual({ $ref: '#/components/responses/InvalidInput' })
      expect(responses['5XX']).toEqual({ $ref: '#/components/responses/Failure' })
      expect(operationOf(document, '/ping', 'get')['responses']).not.toHaveProperty('422')
      const schemaOf = (name: string): z.ZodType =>
        reader(document, at(document, 'components', 'responses', name, 'content', 'application/problem+json', 'schema'))
      expect(
        schemaOf('InvalidInput').safeParse(platformProblem('invalidInput', 'a: no', { errors: [{ path: '/a', message: 'no' }] })).success,
      ).toBe(true)
      expect(schemaOf('InvalidInput').safeParse(platformProblem('notFound')).success).toBe(false)
      for (const code of ['internal', 'unavailable', 'overloaded', 'outcomeUnknown', 'deadlineExceeded'] as const)
        expect(schemaOf('Failure').safeParse(platformProblem(code, undefined, { traceId: 'a' })).success).toBe(true)
    })

    it('let the contract and the platform use one status', () => {
      expect(schemaOfAnswer(document, '/shops/{shopId}/orders', 'post', 422, 'application/problem+json')).toEqual({
        oneOf: [{ $ref: '#/components/schemas/TooManyLinesProblem' }, { $ref: '#/components/schemas/InvalidInputProblem' }],
      })
      const unavailable = schemaOfAnswer(document, '/shops/{shopId}/orders', 'post', 503, 'application/problem+json')
      expect(unavailable).toEqual({
        oneOf: [{ $ref: '#/components/schemas/PaymentDownProblem' }, { $ref: '#/components/schemas/FailureProblem' }],
      })
      expect(at(document, 'paths', '/shops/{shopId}/orders', 'post', 'responses', '503', 'headers')).toHaveProperty('Retry-After')
    })
  })

  it('asks for scopes through OAuth 2.0, and only where there are any', () => {
    expect(operationOf(document, '/shops/{shopId}/orders', 'post')['security']).toEqual([{ oauth2: ['orders:write', 'payments:write'] }])
    expect(operationOf(document, '/ping', 'get')).not.toHaveProperty('security')
    expect(Object.keys(at(document, 'components', 'securitySchemes', 'oauth2', 'flows', 'clientCredentials', 'scopes'))).toEqual([
      'orders:read',
      'orders:write',
      'payments:write',
    ])
    expect(at(openApi(contract('open', { version: '1.0.0', operations: { ping: get('/ping') } })), 'components')).not.toHaveProperty(
      'securitySchemes',
    )
  })

  describe('components', () => {
    it('have the names that schemas were given, and names from the operation for the rest', () => {
      expect(Object.keys(at(document, 'components', 'schemas'))).toEqual([
        'Category',
        'FailureProblem',
        'InvalidInputProblem',
        'Line',
        'LineInput',
        'Order',
        'OrderId',
        'OrderNotFoundProblem',
        'OutOfStockData',
        'OutOfStockProblem',
        'PaymentDownData',
        'PaymentDownProblem',
        'ProblemDetails',
        'ShopClosedProblem',
        'Sku',
        'TooManyLinesProblem',
        'WalkInput',
        'WalkOutput',
      ])
    })

    it('tell what is sent from what is received, where defaults make them differ', () => {
      expect(at(document, 'components', 'schemas', 'Line')['required']).toEqual(['sku', 'quantity'])
      expect(at(document, 'components', 'schemas', 'LineInput')['required']).toEqual(['sku'])
    })

    it('keep recursive schemas recursive', () => {
      const category = reader(document, { $ref: '#/components/schemas/Category' })
      expect(category.safeParse({ name: 'a', children: [{ name: 'b', children: [] }] }).success).toBe(true)
      expect(category.safeParse({ name: 'a', children: [{ name: 'b', children: [{}] }] }).success).toBe(false)
      expect(schemaOfBody(document, '/walk', 'post')).toMatchObject({
        properties: { next: { anyOf: [{ $ref: '#/components/schemas/WalkInput' }, { type: 'null' }] } },
      })
      expect(reader(document, schemaOfBody(document, '/walk', 'post')!).safeParse({ id: 'a', next: { id: 'b', next: {} } }).success).toBe(
        false,
      )
    })

    it('leave a field alone that is called $ref, and a default that looks like a reference', () => {
      // The validator above does not, so this document is not shown to it.
      const output = named('Odd', z.object({ $ref: z.string(), data: z.unknown().default({ $ref: '#/$defs/Lost' }) }))
      const odd = openApi(shop('odd', { read: get('/odd', { output }) }))
      expect(at(odd, 'components', 'schemas', 'Odd', 'properties')).toEqual({
        $ref: { type: 'string' },
        data: { default: { $ref: '#/$defs/Lost' } },
      })
    })
  })

  it('is the same however the contract was written down', () => {
    const reversed = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).toReversed()) as T
    const operations = Object.fromEntries(
      Object.entries(reversed(orders.operations as Operations)).map(([name, operation]) => [
        name,
        { ...operation, errors: reversed(operation.errors) },
      ]),
    )
    const again = contract('orders', { description: 'Takes orders', owner: 'checkout team', operations, version: '2.1.0' })
    expect(JSON.stringify(openApi(again, { servers: ['https://orders.example/v2', '/'] }))).toBe(JSON.stringify(document))
  })

  it('refuses what cannot be carried, as binding does', () => {
    const dates = contract('dates', { version: '1.0.0', operations: { now: get('/now', { output: z.date() }) } })
    expect(() => openApi(dates)).toThrow('dates.now: its output cannot be described as JSON Schema')
  })
})
