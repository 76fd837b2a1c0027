import { catalog } from '@shop/catalog-contract'
import { orders } from '@shop/orders-contract'
import { users } from '@shop/users-contract'
import { fake, testSystem } from 'skerry/testing'
import { describe, expect, test } from 'vitest'
import { checkoutPeers, people, products } from './fixtures/peers.ts'
import service from './service.ts'

const order = {
  id: 7,
  user_id: 1,
  lines: [
    { sku: 'mug', quantity: 2 },
    { sku: 'tea', quantity: 1 },
  ],
}
const conflict = { ok: false, error: { code: 'orderExists', status: 409 } }

test('an order is placed at the prices of the moment, found, listed and published', async () => {
  const prices = { mug: 890, tea: 720 }
  await using app = await testSystem({ services: [service], fakes: [people, products(prices), ...checkoutPeers()] })
  const placed = {
    id: 7,
    user_id: 1,
    product: '2 mug, 1 tea',
    amount: 25,
    lines: [
      { sku: 'mug', quantity: 2, name: 'mug', unit_price: { minor_units: 890, currency: 'EUR' } },
      { sku: 'tea', quantity: 1, name: 'tea', unit_price: { minor_units: 720, currency: 'EUR' } },
    ],
    total: { minor_units: 2_500, currency: 'EUR' },
    status: 'placed',
    reason: null,
    placed_at: app.clock.now().toISOString(),
  }
  expect(await app.call.orders.placeOrder(order)).toStrictEqual({ order: placed, status: 'created' })
  prices.mug = 990
  expect(await app.call.orders.getOrder({ id: 7 })).toMatchObject({
    ...placed,
    status: expect.stringMatching(/placed|confirmed/) as string,
  })
  await app.clock.advance('1s')
  const { order: later } = await app.call.orders.placeOrder({ user_id: 1, product: 'mug' })
  expect(later).toMatchObject({ product: 'mug', amount: 9.9, total: { minor_units: 990 } })
  expect(await app.call.orders.listOrders({ user_id: 2 })).toEqual([])
  await app.settled()
  const confirmed = (one: typeof placed | typeof later) => ({ ...one, status: 'confirmed' })
  expect(await app.call.orders.listOrders({ user_id: 1 })).toStrictEqual([confirmed(later), confirmed(placed)])
  expect(app.published(orders.events.orderPlaced)).toStrictEqual([placed, later])
})

describe('an order that cannot be placed leaves nothing:', () => {
  test.each([
    ['of an unknown user', { user_id: 3 }, { code: 'userNotFound', status: 400, detail: 'User not found' }],
    [
      'of unknown products',
      {
        lines: [
          { sku: 'mug', quantity: 1 },
          { sku: 'unicorn', quantity: 1 },
        ],
      },
      { code: 'productNotFound', status: 422, data: { skus: ['unicorn'] } },
    ],
    [
      'that costs something else than the client was shown',
      { amount: 24.99 },
      { code: 'priceChanged', status: 409, data: { amount: 25, currency: 'EUR' } },
    ],
  ])('one %s', async (_, change, error) => {
    await using app = await testSystem({ services: [service], fakes: [people, products(), ...checkoutPeers()] })
    expect(await app.call.orders.placeOrder.try({ ...order, ...change })).toMatchObject({ ok: false, error })
    expect(await app.call.orders.getOrder.try({ id: 7 })).toMatchObject({ ok: false, error: { code: 'orderNotFound' } })
    await app.settled()
    expect(app.published(orders.events.orderPlaced)).toEqual([])
  })

  test.each([
    { lines: [] },
    { lines: [{ sku: 'mug', quantity: 0 }] },
    { lines: [{ sku: 'mug', quantity: 1.5 }] },
    { product: 'mug' },
    { lines: undefined },
  ])('one that is not complete or not clear (%j)', async (change) => {
    await using app = await testSystem({ services: [service], fakes: [people, products(), ...checkoutPeers()] })
    const unclear = JSON.parse(JSON.stringify({ ...order, ...change })) as typeof order
    await expect(app.call.orders.placeOrder(unclear)).rejects.toMatchObject({ status: 422, code: 'invalidInput' })
  })

  const broken = () => Promise.reject(new Error('down'))
  test.each([
    ['users', [fake(users, { getUser: broken }), products()]],
    ['the catalog', [people, fake(catalog, { getPrices: broken })]],
  ])('one that cannot be verified while %s is down', async (_, fakes) => {
    await using app = await testSystem({ services: [service], fakes: [...fakes, ...checkoutPeers()] })
    expect(await app.call.orders.placeOrder.try(order)).toMatchObject({ ok: false, error: { code: 'notVerifiable', status: 503 } })
    expect(await app.call.orders.listOrders({ user_id: 1 })).toEqual([])
  })
})

describe('a repeated order', () => {
  const once = { idempotencyKey: 'checkout 1' }
  const nameless = { user_id: order.user_id, lines: order.lines }

  test.each([
    ['its id', order, undefined],
    ['its Idempotency-Key', nameless, once],
    ['both', order, once],
  ])('named by %s is answered as before, though prices have changed, and published once', async (_, request, options) => {
    const prices = { mug: 890, tea: 720 }
    await using app = await testSystem({ services: [service], fakes: [people, products(prices), ...checkoutPeers()] })
    const first = await app.call.orders.placeOrder(request, options)
    prices.mug = 1
    for (let repetition = 0; repetition < 3; repetition++) expect(await app.call.orders.placeOrder(request, options)).toStrictEqual(first)
    await app.settled()
    expect(app.published(orders.events.orderPlaced)).toStrictEqual([first.order])
  })

  test('that asks for something else is refused', async () => {
    await using app = await testSystem({ services: [service], fakes: [people, products(), ...checkoutPeers()] })
    await app.call.orders.placeOrder(order, once)
    const { placeOrder } = app.call.orders
    const fewer = [{ sku: 'mug', quantity: 2 }]
    expect(await placeOrder.try({ ...order, lines: fewer })).toMatchObject(conflict)
    expect(
      await placeOrder.try({
        ...order,
        lines: [
          { sku: 'mug', quantity: 1 },
          { sku: 'tea', quantity: 1 },
        ],
      }),
    ).toMatchObject(conflict)
    expect(await placeOrder.try({ ...order, user_id: 2 })).toMatchObject(conflict)
    expect(await placeOrder.try({ ...order, amount: 1 })).toMatchObject(conflict)
    expect(await placeOrder.try({ ...nameless, lines: fewer }, once)).toMatchObject(conflict)
    expect(await placeOrder.try({ ...order, id: 8 }, once)).toMatchObject(conflict)
    expect(await app.call.orders.listOrders({ user_id: 1 })).toHaveLength(1)
  })

  test('is not one when another user has the same Idempotency-Key, or when there is no name', async () => {
    await using app = await testSystem({ services: [service], fakes: [people, products(), ...checkoutPeers()] })
    const answers = [
      await app.call.orders.placeOrder(nameless, once),
      await app.call.orders.placeOrder({ ...nameless, user_id: 2 }, once),
      await app.call.orders.placeOrder(nameless),
      await app.call.orders.placeOrder(nameless),
    ]
    expect(new Set(answers.map((answer) => answer.order.id)).size).toBe(4)
  })

  test('of many at once under one name, one is placed', async () => {
    await using app = await testSystem({ services: [service], fakes: [people, products(), ...checkoutPeers()] })
    const same = Promise.all(Array.from({ length: 10 }, () => app.call.orders.placeOrder(nameless, once)))
    await app.settled()
    expect(new Set((await same).map((answer) => answer.order.id)).size).toBe(1)
    const quantities = Array.from({ length: 10 }, (_, index) => index + 1)
    const different = Promise.all(
      quantities.map((quantity) => app.call.orders.placeOrder.try({ id: 9, user_id: 1, lines: [{ sku: 'mug', quantity }] })),
    )
    await app.settled()
    expect((await different).filter(({ ok }) => ok)).toHaveLength(1)
    expect(app.published(orders.events.orderPlaced)).toHaveLength(2)
  })
})
