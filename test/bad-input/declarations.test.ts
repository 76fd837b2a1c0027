/** Mistakes in a service and in a system: one error that names every one of them, when it is declared. */
import { contract, event, gateway, get, service, system } from 'skerry'
import { publicOperations } from 'skerry/gateway'
import { SkerryError } from 'skerry/runtime'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

const Nothing = z.object({})

function mistakes(declare: () => unknown): string {
  try {
    declare()
  } catch (error) {
    if (error instanceof SkerryError) return `${error.code}: ${error.message}`
    throw error
  }
  throw new Error('This was accepted')
}

test('a contract, with two operations on one route', () => {
  const found = mistakes(() =>
    contract('Orders', {
      version: 'one',
      operations: {
        first: get('/orders', { input: Nothing }),
        second: get('/orders', { input: Nothing }),
        constructor: get('/constructor', { input: Nothing }),
      },
    }),
  )
  for (const mistake of ['lower-case words', 'version "one"', 'second and first have the same route, GET /orders', '"constructor"'])
    expect(found).toContain(mistake)
})

test('a service: handlers that are missing or too many, events of strangers, events handled twice', () => {
  const strangers = contract('strangers', {
    version: '1.0.0',
    operations: {},
    events: { heard: event(z.object({ id: z.int() }), { key: 'id' }) },
  })
  const orders = contract('orders', {
    version: '1.0.0',
    operations: { place: get('/orders', { input: Nothing }), list: get('/list', { input: Nothing }) },
  })
  const declared = service(orders, { migrations: new URL('./migrations/', import.meta.url) })
  const handler = declared.on(strangers.events.heard, async () => {})
  const found = mistakes(() => declared.implement({ plaec: async () => {} } as never, { on: [handler, handler] }))
  expect(found).toMatch(/^systemInvalid: /)
  for (const name of ['place', 'list', 'plaec', 'has two handlers', 'without naming the contract "strangers"'])
    expect(found).toContain(name)
})

describe('a system', () => {
  const named = (name: string, paths: readonly [string, string]) => {
    const [one, two] = paths
    return contract(name, {
      version: '1.0.0',
      operations: { one: get(one, { input: Nothing, public: true }), two: get(two, { input: Nothing, public: true }) },
    })
  }
  const implemented = (name: string) => service(named(name, ['/one', '/two']), {}).implement({ one: async () => {}, two: async () => {} })

  test('two services of one contract, one with the name of the gateway', () => {
    const found = mistakes(() =>
      system('shop', { services: [implemented('users'), implemented('users'), implemented('gateway')], gateway: gateway() }),
    )
    for (const mistake of ['two services implement the contract "users"', 'a service is named "gateway"']) expect(found).toContain(mistake)
  })

  test('every public route that two services claim', () => {
    const found = mistakes(() => publicOperations([named('users', ['/one', '/two']), named('people', ['/one', '/two'])]))
    expect(found).toContain('users.one and people.one are both public at GET /one')
    expect(found).toContain('users.two and people.two are both public at GET /two')
  })
})
