import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ERRORS, SkerryError } from '../base/errors.ts'
import type { Contract, ContractOptions, EventDeclarations, Operations } from './contract.ts'
import { contract } from './contract.ts'
import { event } from './event.ts'
import type { Operation } from './operation.ts'
import { del, get, patch, post, put } from './operation.ts'
import { problem } from './problem.ts'

const Placed = z.object({ orderId: z.string(), cents: z.int() })
const orders = contract('orders', {
  version: '1.2.0',
  owner: 'checkout team',
  description: 'Takes orders',
  operations: {
    placeOrder: post('/orders', {
      input: z.object({ sku: z.string() }),
      output: z.object({ id: z.string() }),
      errors: { outOfStock: problem(409, 'Not enough stock') },
    }),
    getOrder: get('/orders/{orderId}', { input: z.object({ orderId: z.string() }) }),
  },
  events: {
    orderPlaced: event(Placed, { key: 'orderId' }),
    orderShipped: event(Placed, { key: 'orderId', version: 2, bindings: { amqp: { queue: 'shipped', durable: true } } }),
  },
})

/** The mistakes that `contract()` finds, one string each. */
function mistakes(name: string, options: Partial<ContractOptions<Operations, EventDeclarations>>): string[] {
  try {
    contract(name, { version: '1.0.0', operations: {}, ...options })
    return []
  } catch (error) {
    if (!(error instanceof SkerryError)) throw error
    expect(error.code).toBe('contractInvalid')
    const [title, ...lines] = error.message.split('\n')
    expect(title).toBe(`The contract "${name}" is not valid:`)
    return lines.map((line) => line.replace(/^ {2}- /, ''))
  }
}

const inOperations = (operations: Record<string, unknown>): string[] => mistakes('shop', { operations: operations as Operations })
const anyPath = (path: string): Operation => ({ ...get('/x'), path })

describe('contract', () => {
  it('keeps what was declared, with its operations', () => {
    expect(orders).toMatchObject({
      kind: 'contract',
      name: 'orders',
      version: '1.2.0',
      owner: 'checkout team',
      description: 'Takes orders',
    })
    expect(orders.operations.getOrder).toMatchObject({ kind: 'operation', method: 'GET', path: '/orders/{orderId}' })
    const bare: Contract = contract('bare', { version: '1.0.0', operations: {} })
    expect(bare).toMatchObject({ owner: undefined, description: undefined, operations: {}, events: {} })
  })

  it('tells each event who publishes it and under which type', () => {
    expect(orders.events.orderPlaced).toMatchObject({
      contract: 'orders',
      name: 'orderPlaced',
      type: 'orders.orderPlaced.v1',
      version: 1,
      key: 'orderId',
      data: Placed,
      bindings: {},
    })
    expect(orders.events.orderShipped).toMatchObject({
      type: 'orders.orderShipped.v2',
      bindings: { amqp: { queue: 'shipped', durable: true } },
    })
  })

  it('cannot be changed afterwards', () => {
    for (const value of [
      orders,
      orders.operations,
      orders.events,
      orders.operations.placeOrder,
      orders.operations.placeOrder.errors,
      orders.operations.placeOrder.scopes,
      orders.events.orderPlaced,
    ])
      expect(Object.isFrozen(value)).toBe(true)
  })

  it('does not freeze or keep the lists it is given', () => {
    const scopes = ['a']
    const operation = get('/x', { scopes })
    scopes.push('b')
    expect(operation.scopes).toEqual(['a'])
  })
})

describe('contract refuses', () => {
  it.each(['', 'Orders', 'orders_2', '-orders', 'orders-', 'a--b', '2orders', 'order s', 'ördérs', 'a'.repeat(49), '__proto__'])(
    'the name %j',
    (name) => {
      expect(mistakes(name, {})).toEqual(['its name must be lower-case words joined by "-", at most 48 characters'])
    },
  )

  it.each(['public', 'none'])('the name %s, which PostgreSQL keeps for itself', (name) => {
    expect(mistakes(name, {})).toEqual(['its name is one that databases keep for themselves: choose another'])
  })

  it.each(['', '1', '1.0', '1.0.0.0', 'v1.0.0', '01.0.0', '1.0.0-', '1.0.0-a..b', '1.0.0+', ' 1.0.0'])('the version %j', (version) => {
    expect(mistakes('shop', { version })).toEqual([`version "${version}" is not a semantic version such as 1.0.0`])
  })

  it.each(['PlaceOrder', 'place-order', 'place_order', '1st', '', 'place order'])('the member %j', (name) => {
    expect(inOperations({ [name]: get('/x') })).toEqual([`the operation "${name}" must have a camelCase name`])
    expect(mistakes('shop', { events: { [name]: event(Placed, { key: 'orderId' }) } })).toEqual([
      `the event "${name}" must have a camelCase name`,
    ])
    expect(inOperations({ read: get('/x', { errors: { [name]: problem(404, 'No') } }) })).toEqual([
      `the problem "${name}" of read must have a camelCase name`,
    ])
  })

  it.each(['then', 'constructor', 'toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf', 'toLocaleString', 'propertyIsEnumerable'])(
    'the member %s, which means something to JavaScript',
    (name) => {
      const why = 'has a name that JavaScript gives a meaning of its own: choose another'
      expect(inOperations({ [name]: get('/x') })).toEqual([`the operation "${name}" ${why}`])
      expect(mistakes('shop', { events: { [name]: event(Placed, { key: 'orderId' }) } })).toEqual([`the event "${name}" ${why}`])
      expect(inOperations({ read: get('/x', { errors: { [name]: problem(404, 'No') } }) })).toEqual([
        `the problem "${name}" of read ${why}`,
      ])
    },
  )

  it.each(Object.keys(ERRORS))('a problem called %s, as the platform has one', (code) => {
    expect(inOperations({ read: get('/x', { errors: { [code]: problem(404, 'No') } }) })).toEqual([
      `the problem "${code}" of read has the name of one of the platform's own`,
    ])
  })

  it.each([
    '',
    'x',
    '//',
    '/x/',
    '/x//y',
    '/x?y',
    '/x#y',
    '/ü',
    '/a b',
    '/%41',
    '/{}',
    '/{a-b}',
    '/{1}',
    '/{__proto__}',
    '/{a',
    '/a}',
    '/x{a}',
    '/{a}.json',
    '/{a}{b}',
    '/{{a}}',
    '/:id',
    '/*',
    '/a/**',
    '/(a)',
    '/a+',
    '/a$',
    'https://host/x',
    '/x\t',
  ])('the path %j', (path) => {
    expect(inOperations({ read: anyPath(path) })).toEqual([
      `read: "${path}" is not a path such as /orders or /orders/{orderId}: segments of letters, digits and ._~- or one {parameter}, without a trailing slash`,
    ])
  })

  it.each(['/.', '/..', '/a/../b', '/a/.', '/./a'])('the path %s, which URL parsers shorten', (path) => {
    expect(inOperations({ read: anyPath(path) })).toEqual([`read: URL parsers would fold away the dots in "${path}"`])
  })

  it.each(['/health', '/health/ready', '/health/{part}', '/metrics', '/openapi.json', '/asyncapi.json'])(
    'the path %s, which the platform serves',
    (path) => {
      expect(inOperations({ read: anyPath(path) })).toEqual([`read: ${path} is served by the platform itself`])
    },
  )

  it('a parameter that stands twice in one path', () => {
    expect(inOperations({ read: anyPath('/a/{id}/b/{id}') })).toEqual(['read: "/a/{id}/b/{id}" names one parameter twice'])
  })

  it('two operations on one route', () => {
    const input = z.object({ id: z.string() })
    expect(inOperations({ read: get('/x'), list: get('/x') })).toEqual(['list and read have the same route, GET /x'])
    expect(inOperations({ read: get('/x/{id}', { input }), find: get('/x/{name}', { input: z.object({ name: z.string() }) }) })).toEqual([
      'find and read have the same route, GET /x/{name}',
    ])
  })

  it('one path with parameters of two names', () => {
    const operations = { read: anyPath('/x/{id}/y'), remove: { ...anyPath('/x/{xId}/y'), method: 'DELETE' } }
    expect(inOperations(operations)).toEqual(['remove and read name the parameters of one path differently, /x/{xId}/y and /x/{id}/y'])
  })

  it.each([0, 100, 199, 300, 404, 200.5, Number.NaN])('a good answer with status %s', (status) => {
    expect(inOperations({ read: get('/x', { status }) })).toEqual([
      `read: the status of the good answer must be from 200 to 299, not ${status}`,
    ])
  })

  it.each([204, 205])('an output with status %s, which has no body', (status) => {
    expect(inOperations({ read: get('/x', { status, output: z.string() }) })).toEqual([
      `read: an answer with status ${status} has no body, but an output is declared`,
    ])
  })

  it('a deadline of nothing', () => {
    expect(inOperations({ read: get('/x', { deadline: '0s' }) })).toEqual(['read: with a deadline of 0 ms every call would be too late'])
  })

  it('everything at once, so that one run shows all there is to correct', () => {
    const found = mistakes('Shop', {
      version: '1',
      operations: { Read: anyPath('x'), list: get('/y', { status: 404, errors: { internal: problem(500, 'No') } }), again: get('/y') },
      events: { Placed: event(Placed, { key: 'orderId' }) },
    })
    expect(found).toHaveLength(8)
  })
})

describe('contract accepts', () => {
  it.each(['a', 'orders', 'order-items', 'orders2', 'a1-b2', 'a'.repeat(48), 'skerry'])('the name %s', (name) => {
    expect(mistakes(name, {})).toEqual([])
  })

  it.each(['0.0.0', '1.2.3', '10.20.30', '1.0.0-rc.1', '1.0.0-alpha-1+build.5', '1.0.0+20260101'])('the version %s', (version) => {
    expect(mistakes('shop', { version })).toEqual([])
  })

  it.each([
    '/',
    '/x',
    '/users',
    '/a/b/c',
    '/{id}',
    '/a/{id}/b/{b_2}',
    '/v1.0',
    '/.well-known/x',
    '/...',
    '/a~b',
    '/healthcare',
    '/health-insurance',
    '/openapi.json2',
    '/x/openapi.json',
  ])('the path %s', (path) => {
    expect(inOperations({ read: anyPath(path) })).toEqual([])
  })

  it('one path with several methods, and paths that only routers can tell apart', () => {
    const input = z.object({ id: z.string() })
    const operations = {
      read: get('/x/{id}', { input }),
      write: put('/x/{id}', { input }),
      change: patch('/x/{id}', { input }),
      remove: del('/x/{id}', { input }),
      special: get('/x/special'),
    }
    expect(inOperations(operations)).toEqual([])
  })

  it('one name for an operation, an event and a problem', () => {
    expect(
      mistakes('shop', {
        operations: { sold: get('/x', { errors: { sold: problem(409, 'Sold') } }) },
        events: { sold: event(Placed, { key: 'orderId' }) },
      }),
    ).toEqual([])
  })
})
