/** What a customer does in the shop, over HTTP, through the gateway and of the services themselves; unchanged wherever the shop runs. */
import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../services/wait-until.ts'
import { request } from './request.ts'
import type { Addresses, SystemUnderTest } from './topology.ts'

export const shop: SystemUnderTest = { file: 'shop/system.ts', services: ['users', 'catalog', 'orders', 'notifications'] }

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
    const catalog = (path: string) => request('GET', door('catalog') + path)
    const register = async (): Promise<{ readonly id: string }> =>
      (await users('POST', '/users/', { name: 'Eve', email: 'eve@example.com' })).body as { id: string }

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
      expect((await orders('GET', `/orders/${order.id}`)).body).toEqual(order)
      expect((await orders('GET', `/orders?user_id=${userId}`)).body).toEqual([order])
      const notification = await waitUntil(`the notification of order ${order.id} is sent`, deliveryTimeoutMs, async () => {
        const { body } = await request('GET', `${door('notifications')}/notifications?order_id=${order.id}`)
        const list = body as { status: string }[]
        expect(list.length).toBeLessThanOrEqual(1)
        return list.find(({ status }) => status === 'sent')
      })
      expect(notification).toMatchObject({
        kind: 'order-placed',
        message: `Your order ${order.id} has been placed: 3 mug, 1 teapot, 56.20 EUR.`,
      })
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
  })

  test('prices for other services are not offered to the outside', async () => {
    expect(await request('GET', `${at().gatewayUrl}/prices?skus=mug`)).toMatchObject({ status: 404 })
    expect((await request('GET', `${at().serviceUrls['catalog']!}/prices?skus=mug`)).body).toMatchObject([{ sku: 'mug' }])
  })
}
