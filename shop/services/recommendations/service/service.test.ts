import type { Order } from '@shop/orders-contract'
import { orders } from '@shop/orders-contract'
import { recommendations } from '@shop/recommendations-contract'
import { fake, testSystem } from 'skerry/testing'
import { expect, test } from 'vitest'
import service from './service.ts'

const price = { minor_units: 100, currency: 'EUR' as const }
const orderOf = (id: number, skus: string[], placed_at = '2026-01-01T00:00:00.000Z'): Order => ({
  id,
  user_id: 1,
  product: '',
  amount: 1,
  lines: skus.map((sku) => ({ sku, quantity: 1, name: sku, unit_price: price })),
  total: price,
  status: 'placed',
  reason: null,
  placed_at,
})
const start = async () => {
  const app = await testSystem({ services: [service], fakes: [fake(orders, {})] })
  return {
    app,
    ask: app.call.recommendations.getRecommendations,
    rebuild: app.call.recommendations.rebuild,
    place: (id: number, skus: string[], placedAt?: string) => app.publish(orders.events.orderConfirmed, orderOf(id, skus, placedAt)),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}

test('what was bought together comes first, then what is bought most, then nothing', async () => {
  await using shop = await start()
  const { app, ask, place } = shop
  expect(await ask({})).toStrictEqual({ because: 'nothing', products: [], as_of: null })
  await place(1, ['tea', 'mug', 'tea'])
  await place(2, ['tea', 'mug', 'honey'])
  await place(3, ['lamp'], '2026-01-01T10:00:00.000Z')
  await place(3, ['lamp'])
  await app.settled()
  expect(await ask({ sku: 'tea' })).toStrictEqual({
    because: 'bought-together',
    products: [
      { sku: 'mug', orders: 2 },
      { sku: 'honey', orders: 1 },
    ],
    as_of: '2026-01-01T10:00:00.000Z',
  })
  const trending = [
    { sku: 'mug', orders: 2 },
    { sku: 'tea', orders: 2 },
    { sku: 'honey', orders: 1 },
  ]
  expect(await ask({ sku: 'lamp', limit: 3 })).toMatchObject({ because: 'trending', products: trending })
  expect(await ask({ limit: 1 })).toMatchObject({ products: [{ sku: 'mug', orders: 2 }] })
  await app.clock.advance('7d')
  expect(await ask({ sku: 'lamp' })).toMatchObject({ because: 'nothing', products: [] })
})

test('a rebuild shows the same, also with orders that come meanwhile', async () => {
  await using shop = await start()
  const { app, ask, place, rebuild } = shop
  for (let id = 1; id <= 10; id++) await place(id, ['tea', id % 2 === 0 ? 'mug' : 'honey'])
  await app.settled()
  const before = await ask({ sku: 'tea' })
  const rebuilt = rebuild()
  for (let id = 11; id <= 20; id++) await place(id, ['tea', id % 2 === 0 ? 'mug' : 'honey'])
  await app.settled()
  expect(await rebuilt).toMatchObject({ generation: 2 })
  const after = await ask({ sku: 'tea' })
  expect(before.products).toEqual([
    { sku: 'honey', orders: 5 },
    { sku: 'mug', orders: 5 },
  ])
  expect(after.products).toEqual([
    { sku: 'honey', orders: 10 },
    { sku: 'mug', orders: 10 },
  ])
  expect(await rebuild()).toEqual({ generation: 3, orders: 20 })
  expect(await ask({ sku: 'tea' })).toEqual(after)
  await app.settled()
  expect(app.published(recommendations.events.recommendationsRebuilt).map(({ generation }) => generation)).toEqual([2, 3])
})

test('a rebuild mends what is wrong, and one that was left unfinished is finished', async () => {
  await using shop = await start()
  const { app, ask, place, rebuild } = shop
  await place(1, ['tea', 'mug'])
  await app.settled()
  const database = app.host.instances.get('recommendations')!.database!
  await database.query('update pairs set orders = 99')
  await database.query('update projection set building = 2')
  await place(2, ['tea', 'mug'])
  await app.settled()
  expect(await ask({ sku: 'tea' })).toMatchObject({ products: [{ sku: 'mug', orders: 100 }] })
  expect(await rebuild()).toEqual({ generation: 2, orders: 2 })
  expect(await ask({ sku: 'tea' })).toMatchObject({ products: [{ sku: 'mug', orders: 2 }] })
})
