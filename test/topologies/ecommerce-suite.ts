/**
 * The golden record: what the seed's own services answer, asked of ours over HTTP, through the gateway and of the
 * services themselves. It knows addresses and nothing else, so it runs unchanged wherever the system does.
 */
import { describe, expect, test } from 'vitest'
import { waitUntil } from '../services/wait-until.ts'
import type { Answer } from './request.ts'
import { request } from './request.ts'
import type { Addresses, SystemUnderTest } from './topology.ts'

export const ecommerce: SystemUnderTest = {
  file: 'examples/ecommerce/system.ts',
  services: ['user-service', 'order-service', 'notification-service'],
}

const ann = { id: 1, name: 'Ann', email: 'ann@example.com' }
const order = { id: 7, user_id: 1, product: 'kettle', amount: 20 }
const deliveryTimeoutMs = 60_000

export function ecommerceSuite(at: () => Addresses): void {
  const doors = {
    'through the gateway': () => ({ users: at().gatewayUrl, orders: at().gatewayUrl, notifications: at().gatewayUrl }),
    'of the services themselves': () => ({
      users: at().serviceUrls['user-service']!,
      orders: at().serviceUrls['order-service']!,
      notifications: at().serviceUrls['notification-service']!,
    }),
  }
  describe.each(Object.entries(doors))('asked %s', (_, door) => {
    const users = (method: string, path: string, body?: unknown) => request(method, door().users + path, body)
    const orders = (method: string, path: string, body?: unknown) => request(method, door().orders + path, body)

    test('G1 a user is created: 200 and the body as sent', async () => {
      expect(await users('POST', '/users/', ann)).toMatchObject({ status: 200, body: ann })
    })

    test('G2 a trailing slash is neither required nor refused, and nothing is redirected', async () => {
      for (const path of ['/users', '/users/']) expect(await users('POST', path, ann)).toMatchObject({ status: 200, body: ann })
      for (const path of ['/users/1', '/users/1/']) expect(await users('GET', path)).toMatchObject({ status: 200, body: ann })
    })

    test('G3 a user is found', async () => {
      const answer = await users('GET', '/users/1')
      expect(answer).toMatchObject({ status: 200 })
      expect(answer.body).toStrictEqual(ann)
    })

    test('G4 an unknown user is 404 with the detail "User not found"', async () => {
      expectProblem(await users('GET', '/users/4711'), 404, 'User not found')
    })

    test('G5 an id that cannot be one is 422', async () => {
      expectInvalid(await users('GET', '/users/abc'), '/id')
    })

    test('G6 an order is placed: 200, the order and its status', async () => {
      await users('POST', '/users/', ann)
      const answer = await orders('POST', '/orders/', order)
      expect(answer).toMatchObject({ status: 200 })
      expect(answer.body).toStrictEqual({ order, status: 'created' })
    })

    test('G7 an order of an unknown user is 400 with the detail "User not found", and is not stored', async () => {
      expectProblem(await orders('POST', '/orders/', { ...order, id: 8, user_id: 4711 }), 400, 'User not found')
      expect(await orders('GET', '/orders/8')).toMatchObject({ status: 404 })
    })

    test('G8 an order is found, bare', async () => {
      await users('POST', '/users/', ann)
      await orders('POST', '/orders/', order)
      for (const path of ['/orders/7', '/orders/7/']) {
        const answer = await orders('GET', path)
        expect(answer).toMatchObject({ status: 200 })
        expect(answer.body).toStrictEqual(order)
      }
    })

    test('G9 an unknown order is 404 with the detail "Order not found"', async () => {
      expectProblem(await orders('GET', '/orders/4711'), 404, 'Order not found')
    })

    test('G10 a malformed or incomplete body is 422, with a detail and the fields that are wrong', async () => {
      expectInvalid(await users('POST', '/users/', { id: 2, name: 'Bob' }), '/email')
      expectInvalid(await users('POST', '/users/', { ...ann, id: 'two' }), '/id')
      expectInvalid(await orders('POST', '/orders/', { id: 9, product: 'kettle', amount: 1 }), '/user_id')
      for (const body of ['{"id": 1,', '[]', '"text"', 'null', ''])
        expect(await orders('POST', '/orders/', body)).toMatchObject({ status: 422 })
    })

    test('G11 health', async () => {
      expect(await users('GET', '/health')).toMatchObject({ status: 200, body: { status: 'healthy' } })
      expect(await orders('GET', '/health/ready')).toMatchObject({ status: 200, body: { status: 'ready' } })
    })

    test('what begins like a path is not that path', async () => {
      for (const path of ['/usersfoo', '/users1', '/users/1/2', '/user'])
        expectProblem(await users('GET', path), 404, 'Nothing is offered at this path')
    })

    test('ids may be UUIDs, and amounts may have cents', async () => {
      const user = { ...ann, id: '0190f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506' }
      const dear = { id: '0190f3a4-5b6c-7d8e-9fa0-b1c2d3e4f507', user_id: user.id, product: 'teapot, 1 l – “blue”', amount: 19.99 }
      expect((await users('POST', '/users/', user)).body).toStrictEqual(user)
      expect((await users('GET', `/users/${user.id}`)).body).toStrictEqual(user)
      expect((await orders('POST', '/orders/', dear)).body).toStrictEqual({ order: dear, status: 'created' })
      expect((await orders('GET', `/orders/${dear.id}`)).body).toStrictEqual(dear)
    })

    test('a repeated order is answered as before; another one under its id is 409', async () => {
      await users('POST', '/users/', ann)
      await orders('POST', '/orders/', order)
      expect((await orders('POST', '/orders/', order)).body).toStrictEqual({ order, status: 'created' })
      expect(await orders('POST', '/orders/', { ...order, amount: 21 })).toMatchObject({ status: 409 })
      expect((await orders('GET', '/orders/7')).body).toStrictEqual(order)
    })

    test('of many requests at once for one order, all are answered alike, and of different ones only one is accepted', async () => {
      await users('POST', '/users/', ann)
      const id = door().orders === at().gatewayUrl ? 50 : 51
      const same = await Promise.all(Array.from({ length: 10 }, () => orders('POST', '/orders/', { ...order, id })))
      for (const answer of same) expect(answer).toMatchObject({ status: 200, body: { order: { ...order, id }, status: 'created' } })
      const different = await Promise.all(
        Array.from({ length: 10 }, (_, amount) => orders('POST', '/orders/', { ...order, id: id + 10, amount })),
      )
      const placed = different.filter(({ status }) => status === 200)
      expect(placed).toHaveLength(1)
      expect(different.filter(({ status }) => status === 409)).toHaveLength(9)
      expect(placed[0]!.body).toMatchObject({ order: (await orders('GET', `/orders/${id + 10}`)).body })
    })

    test('every placed order leads to one notification, which is sent', async () => {
      await users('POST', '/users/', ann)
      const ids = Array.from({ length: 20 }, (_, index) => 100 + index)
      await Promise.all(ids.map((id) => orders('POST', '/orders/', { ...order, id })))
      for (const id of ids)
        expect(await notificationSent({ serviceUrls: { 'notification-service': door().notifications } }, id)).toMatchObject({
          order_id: id,
          user_id: 1,
          message: `Your order ${id} has been placed: kettle, 20.00.`,
        })
    })
  })
}

/** Waits until the notification of an order is sent; fails when there is more than one. */
export async function notificationSent(at: Pick<Addresses, 'serviceUrls'>, orderId: number | string): Promise<{ readonly id: string }> {
  return waitUntil(`the notification of order ${orderId} is sent`, deliveryTimeoutMs, async () => {
    const { body } = await request('GET', `${at.serviceUrls['notification-service']!}/notifications?order_id=${orderId}`)
    const list = body as { id: string; status: string }[]
    expect(list.length).toBeLessThanOrEqual(1)
    return list.find(({ status }) => status === 'sent')
  })
}

function expectProblem({ status, headers, body }: Answer, expectedStatus: number, detail: string): void {
  expect({ status, type: headers.get('content-type') }).toEqual({ status: expectedStatus, type: 'application/problem+json' })
  expect(body).toMatchObject({ status: expectedStatus, detail })
}

function expectInvalid({ status, body }: Answer, path: string): void {
  expect(status).toBe(422)
  expect(body).toMatchObject({
    detail: expect.any(String) as string,
    errors: expect.arrayContaining([expect.objectContaining({ path })]) as unknown[],
  })
}
