import { notifications } from '@shop/notifications-contract'
import type { Order } from '@shop/orders-contract'
import { orders } from '@shop/orders-contract'
import { users } from '@shop/users-contract'
import { fake, testSystem } from 'skerry/testing'
import { expect, test } from 'vitest'
import service from './service.ts'

const order: Order = {
  id: 7,
  user_id: 1,
  product: '2 mug, 1 tea',
  amount: 25,
  lines: [],
  total: { minor_units: 2_500, currency: 'EUR' },
  status: 'placed',
  reason: null,
  placed_at: '2026-01-01T00:00:00.000Z',
}
const fakes = [fake(users, { getUser: async () => ({ id: 1, name: 'Ann', email: 'ann@example.com' }) }), fake(orders, {})]

test('a placed order leads to one notification, which is sent', async () => {
  await using app = await testSystem({ services: [service], fakes })
  await app.publish(orders.events.orderPlaced, order)
  await app.publish(orders.events.orderPlaced, order)
  await app.settled()
  expect(await app.call.notifications.listNotifications({ order_id: 7 })).toMatchObject([
    {
      order_id: 7,
      user_id: 1,
      kind: 'order-placed',
      message: 'Your order 7 has been placed: 2 mug, 1 tea, 25.00 EUR.',
      status: 'sent',
      withheld: false,
    },
  ])
  expect(app.published(notifications.events.notificationCreated)).toHaveLength(1)
  expect(await app.call.notifications.listNotifications({ order_id: 8 })).toEqual([])
})

test('what waits to be sent while its user is erased is withheld, and is no failure', async () => {
  const answers = ['down', 'down', 'erased']
  const asked = fake(users, {
    async getUser(_, { fail }) {
      if (answers.shift() === 'down') throw new Error('down')
      throw fail.userNotFound()
    },
  })
  await using app = await testSystem({ services: [service], fakes: [asked, fake(orders, {})] })
  await app.publish(orders.events.orderPlaced, order)
  await app.settled()
  expect(answers).toEqual([])
  expect(await app.call.notifications.listNotifications({ order_id: 7 })).toMatchObject([
    { kind: 'order-placed', status: 'pending', withheld: true },
  ])
  expect(await app.deadLetters()).toEqual([])
})
