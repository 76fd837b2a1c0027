import { cart } from '@shop/cart-contract'
import type { Offer } from '@shop/catalog-contract'
import { catalog } from '@shop/catalog-contract'
import { orders } from '@shop/orders-contract'
import { users } from '@shop/users-contract'
import { fake, testSystem } from 'skerry/testing'
import { describe, expect, test } from 'vitest'
import service from './service.ts'

const guest = '01a1fd9a-dc16-75c1-9953-204c0ac61b1d'
const other = '01a1fd9a-dc16-75c1-9953-204c0ac61b1e'
const euros = (minor_units: number) => ({ minor_units, currency: 'EUR' as const })
const mug: Offer = { sku: 'mug', name: 'Mug', price: euros(890), version: 1, discontinued: false }
const pen: Offer = { sku: 'pen', name: 'Pen', price: euros(4_200), version: 1, discontinued: false }
const gin: Offer = { sku: 'gin', name: 'Gin', price: { minor_units: 3_000, currency: 'GBP' }, version: 1, discontinued: false }

/** A catalog and orders whose answers a test can change. */
async function start() {
  const offers = new Map([mug, pen, gin].map((offer) => [offer.sku, offer]))
  const placed: { id: unknown; amount: unknown }[] = []
  const answers: ('userNotFound' | 'priceChanged' | 'notVerifiable' | 'lost')[] = []
  const app = await testSystem({
    services: [service],
    fakes: [
      fake(users, {}),
      fake(catalog, { getOffers: async ({ skus }) => skus.flatMap((sku) => offers.get(sku) ?? []) }),
      fake(orders, {
        async placeOrder({ id, user_id, amount, lines }, { fail }) {
          const answer = answers.shift()
          if (answer === 'userNotFound') throw fail.userNotFound()
          if (answer === 'priceChanged') throw fail.priceChanged({ amount: 1, currency: 'EUR' })
          if (answer === 'notVerifiable') throw fail.notVerifiable({ retryAfterMs: 5_000 })
          placed.push({ id, amount })
          if (answer === 'lost') throw new Error('the answer is lost')
          const total = { minor_units: Math.round((amount ?? 0) * 100), currency: 'EUR' as const }
          const order = {
            id: id!,
            user_id,
            product: '',
            amount: amount ?? 0,
            lines: [],
            total,
            status: 'placed' as const,
            reason: null,
            placed_at: '2026-01-01T00:00:00Z',
          }
          return { order: { ...order, product: String(lines?.length) }, status: 'created' as const }
        },
      }),
    ],
  })
  const call = app.call.cart
  return {
    app,
    call,
    placed,
    answers,
    offers,
    put: (sku: string, quantity: number, id = guest) => call.putItem({ id, sku, quantity }),
    /** The catalog changes an offer, and says so. */
    async change(offer: Offer, price: number) {
      const changed = { ...offers.get(offer.sku)!, price: euros(price), version: offers.get(offer.sku)!.version + 1 }
      offers.set(offer.sku, changed)
      await app.publish(catalog.events.productPriceChanged, changed)
      await app.settled()
    },
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}
const closed = (status: string) => ({ ok: false, error: { code: 'cartClosed', status: 409, data: { status } } })

test('things are put in, changed and taken out', async () => {
  await using shop = await start()
  const { call, put } = shop
  expect(await call.getCart.try({ id: guest })).toMatchObject({ ok: false, error: { code: 'cartNotFound', status: 404 } })
  await put('mug', 1)
  await put('pen', 1)
  expect(await put('mug', 3)).toStrictEqual({
    id: guest,
    user_id: null,
    status: 'open',
    items: [
      { sku: 'mug', name: 'Mug', quantity: 3, unit_price: euros(890), current_price: euros(890), discontinued: false },
      { sku: 'pen', name: 'Pen', quantity: 1, unit_price: euros(4_200), current_price: euros(4_200), discontinued: false },
    ],
    total: euros(6_870),
    order_id: null,
  })
  expect(await call.removeItem({ id: guest, sku: 'mug' })).toMatchObject({ items: [{ sku: 'pen' }], total: euros(4_200) })
  expect(await call.removeItem({ id: guest, sku: 'mug' })).toMatchObject({ items: [{ sku: 'pen' }] })
  expect(await call.emptyCart({ id: guest })).toMatchObject({ items: [], total: null })
  expect(await call.getCart({ id: guest })).toMatchObject({ items: [] })
  for (const missing of [
    call.removeItem.try({ id: other, sku: 'mug' }),
    call.emptyCart.try({ id: other }),
    call.checkout.try({ id: other }),
  ])
    expect(await missing).toMatchObject({ ok: false, error: { code: 'cartNotFound' } })
})

test('what is not sold, or in another currency, cannot be put in', async () => {
  await using shop = await start()
  const { call, put, app } = shop
  await put('mug', 1)
  expect(await call.putItem.try({ id: guest, sku: 'unicorn', quantity: 1 })).toMatchObject({
    ok: false,
    error: { code: 'productNotFound' },
  })
  expect(await call.putItem.try({ id: guest, sku: 'gin', quantity: 1 })).toMatchObject({ ok: false, error: { code: 'currenciesDiffer' } })
  await app.publish(catalog.events.productDiscontinued, { ...pen, discontinued: true })
  await app.settled()
  expect(await call.putItem.try({ id: guest, sku: 'pen', quantity: 1 })).toMatchObject({ ok: false, error: { code: 'productNotFound' } })
  expect(await call.getCart({ id: guest })).toMatchObject({ items: [{ sku: 'mug' }] })
})

describe('a price that changes', () => {
  test('is shown beside the old one, and refused until it has been seen', async () => {
    await using shop = await start()
    const { call, put, change, placed } = shop
    await put('mug', 2)
    await call.mergeCart({ id: guest, user_id: 1 })
    await change(mug, 990)
    expect(await call.getCart({ id: guest })).toMatchObject({
      items: [{ unit_price: euros(890), current_price: euros(990) }],
      total: euros(1_780),
    })
    const changes = [{ sku: 'mug', shown: euros(890), now: euros(990) }]
    expect(await call.checkout.try({ id: guest })).toMatchObject({
      ok: false,
      error: { code: 'pricesChanged', status: 409, data: { changes } },
    })
    expect(await put('mug', 2)).toMatchObject({ status: 'open', total: euros(1_980) })
    expect(await call.checkout({ id: guest })).toMatchObject({ cart: { status: 'checked-out' } })
    expect(placed).toMatchObject([{ amount: 19.8 }])
  })

  test('never goes back in time, whichever comes first, the news or the answer', async () => {
    await using shop = await start()
    const { call, put, change, app, offers } = shop
    await put('mug', 1)
    await change(mug, 990)
    offers.set('mug', mug)
    await put('mug', 1)
    expect(await call.getCart({ id: guest })).toMatchObject({ items: [{ unit_price: euros(990), current_price: euros(990) }] })
    await app.publish(catalog.events.productPriceChanged, { ...mug, price: euros(1) })
    await app.settled()
    expect(await call.getCart({ id: guest })).toMatchObject({ items: [{ current_price: euros(990) }] })
  })

  test('of which no news has come yet is found by orders, and then shown', async () => {
    await using shop = await start()
    const { call, put, offers, answers, placed } = shop
    await put('mug', 1)
    await call.mergeCart({ id: guest, user_id: 1 })
    offers.set('mug', { ...mug, price: euros(990), version: 2 })
    answers.push('priceChanged')
    const changes = [{ sku: 'mug', shown: euros(890), now: euros(990) }]
    expect(await call.checkout.try({ id: guest })).toMatchObject({ ok: false, error: { code: 'pricesChanged', data: { changes } } })
    expect(await put('mug', 1)).toMatchObject({ status: 'open', total: euros(990) })
    expect(placed).toEqual([])
  })
})

describe('at login', () => {
  test('the cart of a guest becomes the user’s, or comes into the one he has', async () => {
    await using shop = await start()
    const { call, put, change } = shop
    await put('mug', 600, other)
    expect(await call.mergeCart({ id: other, user_id: 1 })).toMatchObject({ id: other, user_id: 1, items: [{ sku: 'mug', quantity: 600 }] })
    await change(mug, 990)
    await put('mug', 500)
    await put('pen', 1)
    const merged = {
      id: other,
      user_id: 1,
      items: [
        { sku: 'mug', quantity: 1_000, unit_price: euros(990) },
        { sku: 'pen', quantity: 1 },
      ],
    }
    for (let repetition = 0; repetition < 3; repetition++) expect(await call.mergeCart({ id: guest, user_id: 1 })).toMatchObject(merged)
    expect(await call.getCart({ id: other })).toMatchObject(merged)
    expect(await call.putItem.try({ id: guest, sku: 'pen', quantity: 1 })).toMatchObject(closed('merged'))
    expect(await call.checkout.try({ id: guest })).toMatchObject(closed('merged'))
  })

  test('nobody gets the cart of somebody else', async () => {
    await using shop = await start()
    const { call, put } = shop
    await put('mug', 1)
    await call.mergeCart({ id: guest, user_id: 1 })
    expect(await call.mergeCart.try({ id: guest, user_id: 2 })).toMatchObject({ ok: false, error: { code: 'cartNotFound', status: 404 } })
  })
})

describe('a checkout', () => {
  test('orders once, however often it is asked for, and closes the cart', async () => {
    await using shop = await start()
    const { app, call, put, placed } = shop
    await put('mug', 2)
    await call.mergeCart({ id: guest, user_id: 1 })
    const first = await call.checkout({ id: guest })
    expect(first).toMatchObject({ cart: { status: 'checked-out', order_id: first.order_id } })
    expect(await call.checkout({ id: guest })).toStrictEqual(first)
    expect(await call.checkout({ id: guest }, { idempotencyKey: 'pay' })).toStrictEqual(first)
    expect(placed).toEqual([{ id: first.order_id, amount: 17.8 }])
    expect(await call.putItem.try({ id: guest, sku: 'pen', quantity: 1 })).toMatchObject(closed('checked-out'))
    expect(await call.emptyCart.try({ id: guest })).toMatchObject(closed('checked-out'))
    await app.settled()
    expect(app.published(cart.events.cartCheckedOut)).toStrictEqual([
      { cart_id: guest, user_id: 1, order_id: first.order_id, lines: [{ sku: 'mug', quantity: 2 }], total: euros(1_780) },
    ])
    await put('pen', 1, other)
    expect(await call.mergeCart({ id: other, user_id: 1 })).toMatchObject({ id: other, status: 'open' })
  })

  test('whose answer is lost is repeated under the same order id; nothing may change meanwhile', async () => {
    await using shop = await start()
    const { app, call, put, placed, answers } = shop
    await put('mug', 2)
    await call.mergeCart({ id: guest, user_id: 1 })
    answers.push('lost')
    expect(await call.checkout.try({ id: guest })).toMatchObject({ ok: false, error: { status: 503 } })
    expect(await call.putItem.try({ id: guest, sku: 'pen', quantity: 1 })).toMatchObject(closed('checking-out'))
    const { order_id } = await call.checkout({ id: guest })
    expect(placed.map(({ id }) => id)).toEqual([order_id, order_id])
    await app.settled()
    expect(app.published(cart.events.cartCheckedOut)).toHaveLength(1)
  })

  test.each([
    ['userNotFound', { code: 'userNotFound', status: 400 }],
    ['notVerifiable', { status: 503 }],
  ] as const)('that orders refuses (%s) leaves the cart as it was', async (answer, error) => {
    await using shop = await start()
    const { app, call, put, answers } = shop
    await put('mug', 2)
    await call.mergeCart({ id: guest, user_id: 1 })
    answers.push(answer)
    expect(await call.checkout.try({ id: guest })).toMatchObject({ ok: false, error })
    expect(await put('pen', 1)).toMatchObject({ status: 'open', items: [{ sku: 'mug' }, { sku: 'pen' }], order_id: null })
    await app.settled()
    expect(app.published(cart.events.cartCheckedOut)).toEqual([])
  })

  test('needs somebody, something, and that it is still sold', async () => {
    await using shop = await start()
    const { app, call, put } = shop
    await put('mug', 1)
    expect(await call.checkout.try({ id: guest })).toMatchObject({ ok: false, error: { code: 'loginNeeded', status: 409 } })
    await call.mergeCart({ id: guest, user_id: 1 })
    await app.publish(catalog.events.productDiscontinued, { ...mug, discontinued: true })
    await app.settled()
    expect(await call.checkout.try({ id: guest })).toMatchObject({ ok: false, error: { code: 'productGone', data: { skus: ['mug'] } } })
    await call.emptyCart({ id: guest })
    expect(await call.checkout.try({ id: guest })).toMatchObject({ ok: false, error: { code: 'cartEmpty', status: 409 } })
  })
})
