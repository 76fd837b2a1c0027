/** What a customer does in the shop, over HTTP, through the gateway and of the services themselves; unchanged wherever the shop runs. */
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../services/wait-until.ts'
import { request } from './request.ts'
import type { Addresses, SystemUnderTest } from './topology.ts'

export const shop: SystemUnderTest = {
  file: 'shop/system.ts',
  services: ['users', 'catalog', 'inventory', 'payments', 'orders', 'cart', 'recommendations', 'notifications'],
}

const deliveryTimeoutMs = 60_000

export function shopSuite(at: () => Addresses): void {
  const doors = {
    'through the gateway': () => at().gatewayUrl,
    'of the services themselves': (service: string) => at().serviceUrls[service]!,
  }
  describe.each(Object.entries(doors))('asked %s', (_, door: (service: string) => string) => {
    const users = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
      request(method, door('users') + path, body, headers)
    const orders = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
      request(method, door('orders') + path, body, headers)
    /** Orders a kettle. */
    const place = async (): Promise<string> => {
      const { body } = await orders('POST', '/orders/', { user_id: 1, product: 'kettle' })
      return (body as { order: { id: string } }).order.id
    }
    /** Asks for what is only for other services: not through the gateway. */
    const inside = (service: string, path: string, body: unknown = {}) => request('POST', at().serviceUrls[service]! + path, body)
    const catalog = (path: string) => request('GET', door('catalog') + path)
    const register = async (): Promise<{ readonly id: string }> =>
      (await users('POST', '/users/', { name: 'Eve', email: 'eve@example.com' })).body as { id: string }

    /** Waits for what becomes of an order. */
    const becomes = (id: number | string, status: string): Promise<unknown> =>
      waitUntil(`order ${id} is ${status}`, deliveryTimeoutMs, async () => {
        const { body } = await orders('GET', `/orders/${id}`)
        return (body as { status: string }).status === status ? body : undefined
      })
    /** What its user has been told of an order, once all of it is sent. */
    const told = (id: number | string, count: number): Promise<unknown> =>
      waitUntil(`${count} notifications of order ${id} are sent`, deliveryTimeoutMs, async () => {
        const { body } = await request('GET', `${door('notifications')}/notifications?order_id=${id}`)
        const list = body as { status: string }[]
        expect(list.length).toBeLessThanOrEqual(count)
        return list.filter(({ status }) => status === 'sent').length === count ? list : undefined
      })

    test('an order is cancelled when its card is declined, and refunded when it is called off after it was paid', async () => {
      const declined = await orders('POST', '/orders/', { user_id: 1, product: 'pen', card: 'tok_declined' })
      const { order: first } = declined.body as { order: { id: string } }
      expect(await becomes(first.id, 'cancelled')).toMatchObject({ reason: 'paymentDeclined' })
      expect(await told(first.id, 2)).toMatchObject([{ kind: 'order-placed' }, { kind: 'order-cancelled' }])
      const second = await place()
      await becomes(second, 'confirmed')
      expect(await orders('POST', `/orders/${second}/cancel`, {})).toMatchObject({ status: 200 })
      expect(await becomes(second, 'refunded')).toMatchObject({ reason: 'customer' })
      expect((await request('GET', `${door('payments')}/payments/${second}`)).body).toMatchObject({ captured: 3_499, refunded: 3_499 })
      expect(await told(second, 3)).toMatchObject([{}, { kind: 'order-confirmed' }, { kind: 'order-refunded' }])
    })

    test('products can be looked through and looked up', async () => {
      const all = await catalog('/products')
      expect(all.status).toBe(200)
      expect((all.body as unknown[]).length).toBeGreaterThanOrEqual(12)
      expect((await catalog('/products/?category=kitchen&limit=2')).body).toMatchObject([{ sku: 'kettle' }, { sku: 'mug' }])
      expect((await catalog('/products/mug')).body).toMatchObject({ name: 'Mug', price: { minor_units: 890, currency: 'EUR' } })
      expect(await catalog('/products/unicorn')).toMatchObject({ status: 404, body: { detail: 'Product not found' } })
    })

    test('there are users to order as, and others register', async () => {
      expect((await users('GET', '/users/1')).body).toEqual({ id: 1, name: 'Ann Archer', email: 'ann@example.com' })
      const { id } = await register()
      expect((await users('GET', `/users/${id}`)).body).toEqual({ id, name: 'Eve', email: 'eve@example.com' })
      expect(await users('GET', '/users/4711')).toMatchObject({ status: 404, body: { detail: 'User not found' } })
      expect(await users('POST', '/users/', { name: 'Eve' })).toMatchObject({ status: 422 })
    })

    test('a user who is erased is nobody, his order goes on to its end, and he cannot order any more', async () => {
      const { id } = await register()
      const { body } = await orders('POST', '/orders/', { user_id: id, product: 'pen' })
      const { order } = body as { order: { id: string } }
      for (let repetition = 0; repetition < 2; repetition++) expect(await users('DELETE', `/users/${id}`)).toMatchObject({ status: 204 })
      expect(await users('GET', `/users/${id}`)).toMatchObject({ status: 404, body: { detail: 'User not found' } })
      expect(await users('POST', '/users/', { id, name: 'Eve', email: 'eve@example.com' })).toMatchObject({ status: 409 })
      expect(await orders('POST', '/orders/', { user_id: id, product: 'pen' })).toMatchObject({
        status: 400,
        body: { detail: 'User not found' },
      })
      await becomes(order.id, 'confirmed')
      await waitUntil('the last news of the order is withheld', deliveryTimeoutMs, async () => {
        const list = (await request('GET', `${door('notifications')}/notifications?order_id=${order.id}`)).body
        const last = (list as { kind: string; status: string; withheld: boolean }[]).find(({ kind }) => kind === 'order-confirmed')
        return last?.status === 'sent' || last?.withheld === true ? last : undefined
      })
      expect(await users('DELETE', '/users/4711')).toMatchObject({ status: 404, body: { detail: 'User not found' } })
    })

    test('an order is placed at the prices of the catalog, found and listed, and its user is told once', async () => {
      const { id: userId } = await register()
      const lines = [
        { sku: 'mug', quantity: 3 },
        { sku: 'teapot', quantity: 1 },
      ]
      const placed = await orders('POST', '/orders/', { user_id: userId, lines })
      expect(placed).toMatchObject({
        status: 200,
        body: {
          status: 'created',
          order: { user_id: userId, product: '3 mug, 1 teapot', amount: 56.2, total: { minor_units: 5_620, currency: 'EUR' } },
        },
      })
      const { order } = placed.body as { order: { id: string } }
      await becomes(order.id, 'confirmed')
      const confirmed = { ...order, status: 'confirmed' }
      expect((await orders('GET', `/orders/${order.id}`)).body).toEqual(confirmed)
      expect((await orders('GET', `/orders?user_id=${userId}`)).body).toEqual([confirmed])
      expect(await told(order.id, 2)).toMatchObject([
        { kind: 'order-placed', message: `Your order ${order.id} has been placed: 3 mug, 1 teapot, 56.20 EUR.` },
        { kind: 'order-confirmed', message: `Your order ${order.id} is paid, and will be sent: 3 mug, 1 teapot.` },
      ])
    })

    test('an order written as the first clients write it is one piece of a product, and costs what the catalog says', async () => {
      const order = { id: randomUUID(), user_id: 1, product: 'kettle', amount: 34.99 }
      expect((await orders('POST', '/orders/', order)).body).toMatchObject({ order, status: 'created' })
      expect((await orders('GET', `/orders/${order.id}`)).body).toMatchObject(order)
      const cheap = { ...order, id: randomUUID(), amount: 1 }
      expect(await orders('POST', '/orders/', cheap)).toMatchObject({
        status: 409,
        body: { code: 'priceChanged', data: { amount: 34.99, currency: 'EUR' } },
      })
      expect(await orders('GET', `/orders/${cheap.id}`)).toMatchObject({ status: 404, body: { detail: 'Order not found' } })
    })

    test('an order of nobody or of nothing is refused', async () => {
      expect(await orders('POST', '/orders/', { user_id: 4711, product: 'mug' })).toMatchObject({
        status: 400,
        body: { detail: 'User not found' },
      })
      expect(await orders('POST', '/orders/', { user_id: 1, product: 'unicorn' })).toMatchObject({
        status: 422,
        body: { detail: 'Product not found', data: { skus: ['unicorn'] } },
      })
      expect(await orders('POST', '/orders/', { user_id: 1 })).toMatchObject({ status: 422, body: { errors: [{ path: '/lines' }] } })
    })

    test('a repeated order is answered as before, under its id or under an Idempotency-Key; another one is 409', async () => {
      const { id: user_id } = await register()
      const key = { 'idempotency-key': randomUUID() }
      const withKey = (quantity: number) => orders('POST', '/orders', { user_id, lines: [{ sku: 'pen', quantity }] }, key)
      const first = await withKey(1)
      const many = await Promise.all(Array.from({ length: 10 }, () => withKey(1)))
      for (const answer of many) expect(answer).toMatchObject({ status: 200, body: first.body })
      expect(await withKey(2)).toMatchObject({ status: 409 })
      const withId = (quantity: number) => orders('POST', '/orders', { id: user_id, user_id, lines: [{ sku: 'ink', quantity }] })
      const different = await Promise.all(Array.from({ length: 10 }, (_, index) => withId(index + 1)))
      expect(different.filter(({ status }) => status === 200)).toHaveLength(1)
      expect(different.filter(({ status }) => status === 409)).toHaveLength(9)
      expect((await orders('GET', `/orders?user_id=${user_id}`)).body).toHaveLength(2)
    })

    test('pieces are reserved, all or none, and given back once', async () => {
      const sku = `globe-${randomUUID().slice(0, 8)}`
      const stock = async () => (await request('GET', `${door('inventory')}/stock/${sku}`)).body
      expect(await request('GET', `${door('inventory')}/stock/${sku}`)).toMatchObject({ status: 404, body: { detail: 'Stock not found' } })
      await inside('inventory', `/stock/${sku}/adjustments`, { quantity: 3, reason: 'delivery' })
      const order = { order_id: randomUUID(), lines: [{ sku, quantity: 2 }] }
      for (let repetition = 0; repetition < 2; repetition++)
        expect(await inside('inventory', '/reservations', order)).toMatchObject({ status: 200, body: { ...order, status: 'reserved' } })
      expect(await inside('inventory', '/reservations', { ...order, order_id: randomUUID() })).toMatchObject({
        status: 409,
        body: { code: 'outOfStock', data: { shortages: [{ sku, requested: 2, available: 1 }] } },
      })
      expect(await stock()).toEqual({ sku, on_hand: 3, reserved: 2, available: 1 })
      for (let repetition = 0; repetition < 2; repetition++)
        expect(await inside('inventory', `/reservations/${order.order_id}/release`)).toMatchObject({ status: 200 })
      expect(await stock()).toEqual({ sku, on_hand: 3, reserved: 0, available: 3 })
    })

    test('an order is paid once, however often it is asked for', async () => {
      const order_id = await place()
      await becomes(order_id, 'confirmed')
      for (let repetition = 0; repetition < 2; repetition++)
        expect(await inside('payments', `/payments/${order_id}/capture`)).toMatchObject({ status: 200, body: { captured: 3_499 } })
      expect(await inside('payments', `/payments/${order_id}/void`)).toMatchObject({ status: 409, body: { code: 'paymentCaptured' } })
      expect((await request('GET', `${door('payments')}/payments/${order_id}`)).body).toEqual({
        order_id,
        status: 'captured',
        amount: { minor_units: 3_499, currency: 'EUR' },
        captured: 3_499,
        refunded: 0,
        reason: null,
      })
      const forged = { protected: 'e30', payload: 'e30', signature: 'e30' }
      expect(await request('POST', `${door('payments')}/webhooks/provider`, forged)).toMatchObject({ status: 401 })
    })

    test('a guest fills a cart, logs in, and orders it once; others then hear what he has bought', async () => {
      const { id: user_id } = await register()
      const cart = `${door('cart')}/carts/${randomUUID()}`
      await request('PUT', `${cart}/items/blanket`, { quantity: 1 })
      expect(await request('PUT', `${cart}/items/lamp`, { quantity: 2 })).toMatchObject({
        status: 200,
        body: { user_id: null, total: { minor_units: 20_700, currency: 'EUR' } },
      })
      expect(await request('POST', `${cart}/checkout`, {})).toMatchObject({ status: 409, body: { code: 'loginNeeded' } })
      expect(await request('POST', `${cart}/merge`, { user_id })).toMatchObject({ status: 200, body: { user_id } })
      const first = await request('POST', `${cart}/checkout`, {})
      expect(first).toMatchObject({ status: 200, body: { cart: { status: 'checked-out' } } })
      expect(await request('POST', `${cart}/checkout`, {})).toMatchObject({ status: 200, body: first.body })
      const { order_id } = first.body as { order_id: string }
      expect((await orders('GET', `/orders?user_id=${user_id}`)).body).toMatchObject([{ id: order_id, amount: 207 }])
      await waitUntil('the lamp is recommended with the blanket', deliveryTimeoutMs, async () => {
        const { body } = await request('GET', `${door('recommendations')}/recommendations?sku=blanket`)
        const { because, products } = body as { because: string; products: { sku: string }[] }
        return because === 'bought-together' && products.some(({ sku }) => sku === 'lamp') ? true : undefined
      })
    })
  })

  test.each([
    '/reservations',
    '/reservations/7/commit',
    '/stock/mug/adjustments',
    '/payments',
    '/payments/7/capture',
    '/payments/7/refunds',
  ])('POST %s is not offered to the outside', async (path) => {
    expect([404, 405]).toContain((await request('POST', at().gatewayUrl + path, {})).status)
  })

  test('prices for other services are not offered to the outside', async () => {
    expect(await request('GET', `${at().gatewayUrl}/prices?skus=mug`)).toMatchObject({ status: 404 })
    expect((await request('GET', `${at().serviceUrls['catalog']!}/prices?skus=mug`)).body).toMatchObject([{ sku: 'mug' }])
  })
}
