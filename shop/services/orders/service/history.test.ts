import { checkGoldenEvents, testSystem } from 'skerry/testing'
import { expect, test } from 'vitest'
import { checkoutPeers, people, products } from './fixtures/peers.ts'
import { order } from './order-stream.ts'
import service from './service.ts'

const open = (cents = 890) => testSystem({ services: [service], fakes: [people, products({ mug: cents }), ...checkoutPeers()] })
const mug = { id: 7, user_id: 1, product: 'mug' }

test('the history of an order says what happened and when, and what it was at any moment', async () => {
  await using app = await open()
  const { getOrder, getOrderHistory, cancelOrder, placeOrder } = app.call.orders
  const placedAt = app.clock.now().toISOString()
  await placeOrder(mug)
  expect((await getOrderHistory({ id: 7 })).happened[0]).toEqual({ version: 1, what: 'placed', at: placedAt })
  await app.settled()
  await app.clock.advance('1h')
  const anHourLater = app.clock.now().toISOString()
  await app.clock.advance('1h')
  const calledOffAt = app.clock.now().toISOString()
  await cancelOrder({ id: 7 })
  const again = cancelOrder({ id: 7 })
  await app.settled()
  expect(await again).toMatchObject({ id: 7 })

  const then = await getOrderHistory({ id: 7, at: anHourLater })
  expect(then.order).toMatchObject({ id: 7, status: 'confirmed', reason: null, placed_at: placedAt })
  expect(then.happened.map(({ version, what }) => `${version} ${what}`)).toEqual([
    '1 placed',
    '2 stockReserved',
    '3 paymentAuthorized',
    '4 stockCommitted',
    '5 paymentCaptured',
    '6 confirmed',
  ])
  const now = await getOrderHistory({ id: 7 })
  expect(now.order).toEqual(await getOrder({ id: 7 }))
  expect(now.order).toMatchObject({ status: 'refunded', reason: 'customer' })
  expect(now.happened.slice(0, 6)).toEqual(then.happened)
  expect(now.happened.slice(6).map(({ version, what }) => `${version} ${what}`)).toEqual([
    '7 calledOff',
    '8 paymentRefunded',
    '9 stockRestocked',
    '10 refunded',
  ])
  expect(now.happened[6]!.at).toBe(calledOffAt)
  const before = new Date(Date.parse(placedAt) - 1).toISOString()
  const notYet = { ok: false, error: { code: 'orderNotFound', status: 404 } }
  expect(await getOrderHistory.try({ id: 7, at: before })).toMatchObject(notYet)
  expect(await getOrderHistory.try({ id: 8 })).toMatchObject(notYet)
})

test('of an order that costs nothing no payment is told', async () => {
  await using app = await open(0)
  await app.call.orders.placeOrder(mug)
  await app.settled()
  const { happened } = await app.call.orders.getOrderHistory({ id: 7 })
  expect(happened.map(({ what }) => what)).toEqual(['placed', 'stockReserved', 'stockCommitted', 'confirmed'])
})

test('what was ever stored of an order is read as it must be', () => checkGoldenEvents(order, new URL('./golden/order/', import.meta.url)))
