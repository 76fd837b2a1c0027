import { orders } from '@shop/orders-contract'
import { users } from '@shop/users-contract'
import { fake, testSystem } from 'skerry/testing'
import { expect, test } from 'vitest'
import { checkoutPeers, people, products } from './fixtures/peers.ts'
import service from './service.ts'

const order = { id: 7, user_id: 1, product: 'mug' }
const gone = fake(users, {
  async getUser(_, { fail }) {
    throw fail.userNotFound()
  },
})
const down = fake(users, { getUser: () => Promise.reject(new Error('down')) })

test.each([
  ['says that there is no such user', gone],
  ['cannot be asked', down],
  // Asked before the erasure, or a replica that is behind.
  ['has not heard of it where it was asked', people],
])('nothing is ordered for an erased user when users %s', async (_, asked) => {
  await using app = await testSystem({ services: [service], fakes: [asked, products(), ...checkoutPeers()] })
  // Told again and again, as after a replay.
  for (let repetition = 0; repetition < 3; repetition++) await app.publish(users.events.userErased, { user_id: 1 })
  await app.settled()
  expect(await app.call.orders.placeOrder.try(order)).toMatchObject({
    ok: false,
    error: { code: 'userNotFound', status: 400, detail: 'User not found' },
  })
  await app.settled()
  expect(await app.call.orders.getOrder.try({ id: 7 })).toMatchObject({ ok: false, error: { code: 'orderNotFound' } })
  expect(app.published(orders.events.orderPlaced)).toEqual([])
  expect(await app.deadLetters()).toEqual([])
})

test('what an erased user has ordered stays, and is answered again', async () => {
  await using app = await testSystem({ services: [service], fakes: [people, products(), ...checkoutPeers()] })
  const placed = await app.call.orders.placeOrder(order)
  await app.publish(users.events.userErased, { user_id: 1 })
  await app.settled()
  expect(await app.call.orders.placeOrder(order)).toStrictEqual(placed)
  expect(await app.call.orders.listOrders({ user_id: 1 })).toMatchObject([{ id: 7, status: 'confirmed', amount: 8.9 }])
  // Somebody else is not concerned.
  expect(await app.call.orders.placeOrder({ ...order, id: 8, user_id: 2 })).toMatchObject({ status: 'created' })
})
