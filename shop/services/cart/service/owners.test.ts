import { catalog } from '@shop/catalog-contract'
import { orders } from '@shop/orders-contract'
import { users } from '@shop/users-contract'
import { fake, testSystem } from 'skerry/testing'
import { expect, test } from 'vitest'
import service from './service.ts'

const guest = '01a1fd9a-dc16-75c1-9953-204c0ac61b1d'
const other = '01a1fd9a-dc16-75c1-9953-204c0ac61b1e'
const price = { minor_units: 890, currency: 'EUR' as const }
const missing = { ok: false, error: { code: 'cartNotFound', status: 404 } }

/** Orders answers as the test says, and what it does not say is placed. */
async function start() {
  const answers: ('lost' | 'userNotFound')[] = []
  const asked: unknown[] = []
  const app = await testSystem({
    services: [service],
    fakes: [
      fake(users, {}),
      fake(catalog, { getOffers: async ({ skus }) => skus.map((sku) => ({ sku, name: sku, price, version: 1, discontinued: false })) }),
      fake(orders, {
        async placeOrder({ id, user_id, amount = 0 }, { fail }) {
          const answer = answers.shift()
          asked.push(id)
          if (answer === 'lost') throw new Error('the answer is lost')
          if (answer === 'userNotFound') throw fail.userNotFound()
          const kept = { lines: [], status: 'placed' as const, reason: null, placed_at: '2026-01-01T00:00:00Z' }
          return { order: { id: id!, user_id, product: '', amount, total: price, ...kept }, status: 'created' as const }
        },
      }),
    ],
  })
  const { call } = app
  return {
    app,
    asked,
    answers,
    cart: call.cart,
    async fill(id: string, user_id?: number) {
      await call.cart.putItem({ id, sku: 'mug', quantity: 1 })
      if (user_id !== undefined) await call.cart.mergeCart({ id, user_id })
    },
    async erase(user_id: number) {
      await app.publish(users.events.userErased, { user_id })
      await app.settled()
    },
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}

test('what an erased user has not ordered is deleted, and nobody else’s', async () => {
  await using shop = await start()
  const { app, cart, fill, erase } = shop
  await fill(other, 1)
  await fill(guest, 1)
  const strangers = '01a1fd9a-dc16-75c1-9953-204c0ac61b1f'
  await fill(strangers, 2)
  for (let repetition = 0; repetition < 2; repetition++) await erase(1)
  for (const id of [guest, other]) expect(await cart.getCart.try({ id })).toMatchObject(missing)
  expect(await cart.getCart({ id: strangers })).toMatchObject({ user_id: 2, items: [{ sku: 'mug' }] })
  const { rows } = await app.host.instances.get('cart')!.database!.query('select distinct cart_id from items')
  expect(rows).toEqual([{ cart_id: strangers }])
  expect(await app.deadLetters()).toEqual([])
})

test('what he has ordered stays with its order', async () => {
  await using shop = await start()
  const { cart, fill, erase } = shop
  await fill(guest, 1)
  const ordered = await cart.checkout({ id: guest })
  await erase(1)
  expect(await cart.checkout({ id: guest })).toStrictEqual(ordered)
})

test('nobody who was erased gets a cart, also when he had none', async () => {
  await using shop = await start()
  const { cart, fill, erase } = shop
  await erase(1)
  await fill(guest)
  expect(await cart.mergeCart.try({ id: guest, user_id: 1 })).toMatchObject(missing)
  expect(await cart.getCart({ id: guest })).toMatchObject({ user_id: null, items: [{ sku: 'mug' }] })
})

test('erased while his order is under way, he has the order or nothing', async () => {
  await using shop = await start()
  const { app, cart, fill, erase, answers, asked } = shop
  answers.push('lost', 'lost', 'userNotFound')
  await fill(guest, 1)
  await fill(other, 2)
  for (const id of [guest, other]) expect(await cart.checkout.try({ id })).toMatchObject({ ok: false, error: { status: 503 } })
  await erase(1)
  await erase(2)
  expect(await cart.checkout.try({ id: guest })).toMatchObject({ ok: false, error: { code: 'userNotFound', status: 400 } })
  expect(await cart.getCart.try({ id: guest })).toMatchObject(missing)
  const { order_id } = await cart.checkout({ id: other })
  expect(asked[1]).toBe(order_id)
  expect(await cart.getCart({ id: other })).toMatchObject({ status: 'checked-out', order_id })
  expect(await app.deadLetters()).toEqual([])
})
