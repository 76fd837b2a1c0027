import { orderService } from '@ecommerce/order-service-contract'
import { userService } from '@ecommerce/user-service-contract'
import { gateway } from 'skerry'
import { fake, testSystem } from 'skerry/testing'
import { describe, expect, test } from 'vitest'
import service from './service.ts'

const order = { id: 7, user_id: 1, product: 'kettle', amount: 19.99 }

/** Knows user 1. */
const users = fake(userService, {
  async getUser({ id }, { fail }) {
    if (id !== 1) throw fail.userNotFound()
    return { id, name: 'Ann', email: 'ann@example.com' }
  },
})

test('an order is placed, found and published', async () => {
  await using app = await testSystem({ services: [service], fakes: [users] })
  expect(await app.call.orderService.placeOrder(order)).toStrictEqual({ order, status: 'created' })
  expect(await app.call.orderService.getOrder({ id: 7 })).toStrictEqual(order)
  await app.settled()
  expect(app.published(orderService.events.orderPlaced)).toStrictEqual([order])
})

test('an order of an unknown user is refused, and leaves nothing', async () => {
  await using app = await testSystem({ services: [service], fakes: [users] })
  const answer = await app.call.orderService.placeOrder.try({ ...order, user_id: 2 })
  expect(answer).toMatchObject({ ok: false, error: { code: 'userNotFound', status: 400, detail: 'User not found' } })
  expect(await app.call.orderService.getOrder.try({ id: 7 })).toMatchObject({ ok: false, error: { code: 'orderNotFound', status: 404 } })
  await app.settled()
  expect(app.published(orderService.events.orderPlaced)).toEqual([])
})

describe('defect gone: a second POST with the same id overwrites silently', () => {
  test('the same order is answered as before, and published once', async () => {
    await using app = await testSystem({ services: [service], fakes: [users] })
    const answers = Promise.all(Array.from({ length: 5 }, () => app.call.orderService.placeOrder(order)))
    await app.settled()
    for (const answer of [...(await answers), await app.call.orderService.placeOrder(order)])
      expect(answer).toStrictEqual({ order, status: 'created' })
    await app.settled()
    expect(app.published(orderService.events.orderPlaced)).toStrictEqual([order])
  })

  test('another order is refused, and the first one stays', async () => {
    await using app = await testSystem({ services: [service], fakes: [users] })
    await app.call.orderService.placeOrder(order)
    for (const other of [
      { ...order, amount: 20 },
      { ...order, product: 'teapot' },
      { ...order, user_id: 2 },
    ])
      expect(await app.call.orderService.placeOrder.try(other)).toMatchObject({ ok: false, error: { code: 'orderExists', status: 409 } })
    expect(await app.call.orderService.getOrder({ id: 7 })).toStrictEqual(order)
  })

  test('of different orders at once with one id, one is placed', async () => {
    await using app = await testSystem({ services: [service], fakes: [users] })
    const amounts = Array.from({ length: 5 }, (_, index) => index)
    const results = Promise.all(amounts.map((amount) => app.call.orderService.placeOrder.try({ ...order, amount })))
    await app.settled()
    const placed = (await results).flatMap((result) => (result.ok ? [result.value.order] : []))
    expect(app.published(orderService.events.orderPlaced)).toStrictEqual(placed)
    expect(placed).toStrictEqual([await app.call.orderService.getOrder({ id: 7 })])
  })
})

describe('while users cannot be verified', () => {
  const post = (url: string) =>
    fetch(`${url}/orders/`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(order) })

  test('defect gone: a 500 of the user service reported as 400 or as a bare 500', async () => {
    const broken = fake(userService, { getUser: () => Promise.reject(new Error('its database is gone')) })
    await using app = await testSystem({ services: [service], fakes: [broken], gateway: gateway() })
    const answer = await post(app.gatewayUrl)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'usersUnavailable', detail: 'The user cannot be verified at the moment' })
    await app.settled()
    expect(app.published(orderService.events.orderPlaced)).toEqual([])
  })

  test('defect gone: no timeouts', async () => {
    const asked = Promise.withResolvers<void>()
    const silent = fake(userService, {
      getUser: () => {
        asked.resolve()
        return new Promise(() => {})
      },
    })
    await using app = await testSystem({ services: [service], fakes: [silent] })
    const answer = app.call.orderService.placeOrder.try(order)
    await asked.promise
    await app.clock.advance('1s')
    expect(await answer).toMatchObject({ ok: false, error: { code: 'usersUnavailable', status: 503 } })
  })

  test('defect gone: a breaker that never counts 5xx answers', async () => {
    let calls = 0
    const broken = fake(userService, {
      getUser: () => {
        calls++
        return Promise.reject(new Error('its database is gone'))
      },
    })
    await using app = await testSystem({ services: [service], fakes: [broken], gateway: gateway() })
    for (let attempt = 0; attempt < 5; attempt++) await app.call.orderService.placeOrder.try(order)
    await app.clock.advance('10s')
    const answer = await post(app.gatewayUrl)
    expect(calls).toBe(5)
    // The breaker knows better than a default when trying again makes sense.
    expect({ status: answer.status, retryAfter: answer.headers.get('retry-after') }).toEqual({ status: 503, retryAfter: '20' })
    await app.clock.advance('20s')
    await app.call.orderService.placeOrder.try(order)
    expect(calls).toBe(6)
  })

  test('an order placed before is still answered', async () => {
    let isUp = true
    const failing = fake(userService, {
      getUser: ({ id }) => (isUp ? Promise.resolve({ id, name: 'Ann', email: 'ann@example.com' }) : Promise.reject(new Error('down'))),
    })
    await using app = await testSystem({ services: [service], fakes: [failing] })
    await app.call.orderService.placeOrder(order)
    isUp = false
    expect(await app.call.orderService.placeOrder(order)).toStrictEqual({ order, status: 'created' })
    expect(await app.call.orderService.placeOrder.try({ ...order, id: 8 })).toMatchObject({
      ok: false,
      error: { code: 'usersUnavailable' },
    })
  })
})
