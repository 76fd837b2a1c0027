/** The checkout with all who take part in it. What the auditor thinks is asked after each case. */
import { expect, test } from 'vitest'
import { openCheckout } from './fixtures/whole-checkout.ts'

const sku = 'teapot'
const PIECES = 5

test('an order is paid, its pieces leave the warehouse, and the customer is told', async () => {
  const shop = await openCheckout()
  const { order } = await shop.place('tok_ok', 2)
  expect(order.status).toBe('placed')
  expect(await shop.outcome(order.id)).toBe('confirmed')
  expect(shop.charged(order.id)).toEqual(['authorization', 'capture'])
  expect(await shop.sold()).toEqual({ pieces: 2, reserved: 0 })
  const steps = ['stockReserved', 'paymentAuthorized', 'stockCommitted', 'paymentCaptured']
  expect(await shop.history(order.id)).toEqual(['placed', ...steps, 'confirmed'])
  const told = await shop.call.notifications.listNotifications({ order_id: order.id })
  expect(told.map(({ kind }) => kind)).toEqual(['order-placed', 'order-confirmed'])
  expect(await shop.violations()).toEqual([])
})

test.each([
  ['tok_declined', 'cancelled: paymentDeclined', []],
  ['tok_capture_declined', 'cancelled: paymentDeclined', ['authorization']],
] as const)('a card that is declined (%s) cancels the order, and its pieces can be sold again', async (card, outcome, charged) => {
  const shop = await openCheckout()
  const { order } = await shop.place(card, 2)
  expect(await shop.outcome(order.id)).toBe(outcome)
  expect(shop.charged(order.id).filter((kind) => kind !== 'void')).toEqual(charged)
  const undone = charged.length === 0 ? ['stockReleased'] : ['paymentAuthorized', 'stockCommitted', 'paymentVoided', 'stockRestocked']
  expect(await shop.history(order.id)).toEqual(['placed', 'stockReserved', ...undone, 'cancelled'])
  expect(await shop.sold()).toEqual({ pieces: 0, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})

test.each(['tok_webhooks_late', 'tok_webhooks_twice', 'tok_webhooks_reversed', 'tok_unavailable'])(
  'with %s the order is confirmed, and charged once',
  async (card) => {
    const shop = await openCheckout()
    const { order } = await shop.place(card)
    expect(await shop.outcome(order.id)).toBe('confirmed')
    expect(shop.charged(order.id)).toEqual(['authorization', 'capture'])
    expect(await shop.violations()).toEqual([])
  },
)

test.each(['tok_timeout', 'tok_timeout_no_webhooks', 'tok_capture_timeout', 'tok_lost'])(
  'a provider whose answer never comes (%s) has charged once, or not at all',
  async (card) => {
    const shop = await openCheckout()
    const { order } = await shop.place(card)
    const kind = card === 'tok_capture_timeout' ? 'capture' : 'authorization'
    await expect
      .poll(() => Object.entries(shop.sandbox.book().requests).some(([key, count]) => key.includes(kind.slice(0, 7)) && count > 0))
      .toBe(true)
    for (let second = 0; second < 20; second++) await shop.app.clock.advance('1s')
    expect(await shop.outcome(order.id)).toBe('confirmed')
    expect(shop.charged(order.id)).toEqual(['authorization', 'capture'])
    expect(await shop.violations()).toEqual([])
  },
)

test('when one of three lines is out of stock, nothing is reserved and nothing charged', async () => {
  const shop = await openCheckout()
  const { available } = await shop.call.inventory.getStock({ sku: 'lamp' })
  const { order } = await shop.call.orders.placeOrder({
    user_id: 1,
    lines: [
      { sku: 'mug', quantity: 1 },
      { sku: 'lamp', quantity: available + 1 },
      { sku: 'pen', quantity: 1 },
    ],
  })
  expect(await shop.outcome(order.id)).toBe('cancelled: outOfStock')
  expect(shop.charged(order.id)).toEqual([])
  expect(await shop.sold()).toEqual({ pieces: 0, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})

test('of ten orders for the last five pieces, five are confirmed', async () => {
  const shop = await openCheckout()
  const { available } = await shop.call.inventory.getStock({ sku })
  await shop.call.inventory.adjustStock({ sku, quantity: PIECES - available, reason: 'counted' })
  const placed = await Promise.all(Array.from({ length: 10 }, () => shop.place('tok_ok', 1, sku)))
  const outcomes = await Promise.all(placed.map(({ order }) => shop.outcome(order.id)))
  expect(outcomes.toSorted()).toEqual([...Array<string>(5).fill('cancelled: outOfStock'), ...Array<string>(5).fill('confirmed')])
  expect(await shop.call.inventory.getStock({ sku })).toMatchObject({ on_hand: 0, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})

test('called off before it is paid, an order leaves nothing; afterwards its money comes back', async () => {
  const shop = await openCheckout()
  const { order: early } = await shop.place('tok_lost')
  await expect.poll(() => Object.keys(shop.sandbox.book().requests)).not.toEqual([])
  await shop.call.orders.cancelOrder({ id: early.id })
  for (let second = 0; second < 20; second++) await shop.app.clock.advance('1s')
  expect(await shop.outcome(early.id)).toBe('cancelled: customer')
  const { order: late } = await shop.place('tok_ok')
  expect(await shop.outcome(late.id)).toBe('confirmed')
  await shop.call.orders.cancelOrder({ id: late.id })
  expect(await shop.outcome(late.id)).toBe('refunded: customer')
  await shop.call.orders.cancelOrder({ id: late.id })
  expect(await shop.outcome(late.id)).toBe('refunded: customer')
  expect(shop.charged(late.id)).toEqual(['authorization', 'capture', 'refund'])
  expect(await shop.sold()).toEqual({ pieces: 0, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})

test('called off in the very moment in which it is paid, an order is either cancelled or paid, never half of each', async () => {
  const shop = await openCheckout()
  for (let round = 0; round < 8; round++) {
    const { order } = await shop.place('tok_ok')
    for (let turn = 0; turn < round * 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    await shop.answered(shop.call.orders.cancelOrder.try({ id: order.id }))
    const outcome = await shop.outcome(order.id)
    expect(['cancelled: customer', 'confirmed', 'refunded: customer']).toContain(outcome)
    const captured = shop.charged(order.id).filter((kind) => kind === 'capture').length
    expect(captured).toBe(outcome.startsWith('cancelled') ? 0 : 1)
  }
  expect(await shop.violations()).toEqual([])
})

test('called off while the provider charges it, an order is paid first, and its money comes back afterwards', async () => {
  const shop = await openCheckout()
  const answer = shop.provider.hold('done', 'capture')
  const { order } = await shop.place('tok_ok')
  await expect.poll(() => shop.charged(order.id)).toEqual(['authorization', 'capture'])
  expect(await shop.call.orders.cancelOrder.try({ id: order.id })).toMatchObject({ ok: false, error: { code: 'beingPaid', status: 503 } })
  answer()
  expect(await shop.outcome(order.id)).toBe('confirmed')
  await shop.call.orders.cancelOrder({ id: order.id })
  expect(await shop.outcome(order.id)).toBe('refunded: customer')
  expect((await shop.history(order.id)).slice(5)).toEqual(['confirmed', 'calledOff', 'paymentRefunded', 'stockRestocked', 'refunded'])
  expect(await shop.sold()).toEqual({ pieces: 0, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})

test('called off before the provider was asked to charge it, an order is cancelled, and never charged', async () => {
  const shop = await openCheckout()
  const answer = shop.provider.hold('done', 'authorization')
  const { order } = await shop.place('tok_ok')
  await expect.poll(() => shop.charged(order.id)).toEqual(['authorization'])
  await shop.call.orders.cancelOrder({ id: order.id })
  answer()
  expect(await shop.outcome(order.id)).toBe('cancelled: customer')
  expect(await shop.history(order.id)).toContain('calledOff')
  expect(shop.charged(order.id)).toEqual(['authorization', 'void'])
  expect(await shop.sold()).toEqual({ pieces: 0, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})

const RESERVATION_MINUTES = 15

test.each([
  ['the pieces are still there, and are reserved again', false, 'confirmed'],
  ['somebody else has bought the last piece meanwhile, and nothing is charged', true, 'cancelled: outOfStock'],
] as const)('a reservation that expires while the payment is late: %s', async (_, isSold, expected) => {
  const shop = await openCheckout()
  const { call } = shop
  const { available } = await call.inventory.getStock({ sku })
  await call.inventory.adjustStock({ sku, quantity: 1 - available, reason: 'counted' })
  const answer = shop.provider.hold('asked', 'authorization')
  const { order: late } = await shop.place('tok_ok', 1, sku)
  await expect.poll(() => Object.keys(shop.sandbox.book().requests)).toHaveLength(1)
  expect(await call.inventory.getStock({ sku })).toMatchObject({ available: 0 })
  for (let second = 0; second <= RESERVATION_MINUTES * 60; second += 10) await shop.app.clock.advance('10s')
  await expect.poll(() => call.inventory.getStock({ sku })).toMatchObject({ available: 1 })
  const other = isSold ? (await shop.place('tok_ok', 1, sku)).order : undefined
  // The last piece is reserved for the other before either payment is known of.
  if (other !== undefined) await expect.poll(() => shop.history(other.id)).toContain('stockReserved')
  answer()
  expect(await shop.outcome(late.id)).toBe(expected)
  if (other !== undefined) expect(await shop.outcome(other.id)).toBe('confirmed')
  expect(shop.charged(late.id)).toEqual(['authorization', isSold ? 'void' : 'capture'])
  expect(await call.inventory.getStock({ sku })).toMatchObject({ on_hand: 0, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})

test.each(['tok_ok', 'tok_webhooks_twice', 'tok_webhooks_reversed'])(
  'with %s, news of the payment and a browser that asks again and again, before the answer comes: one order, one charge',
  async (card) => {
    const shop = await openCheckout()
    const answer = shop.provider.hold('done', 'capture')
    const request = { user_id: 1, card, lines: [{ sku: 'mug', quantity: 1 }] }
    const ask = () => shop.call.orders.placeOrder(request, { idempotencyKey: 'the button that was clicked twice' })
    const [first, second] = await shop.answered(Promise.all([ask(), ask()]))
    const { id } = first.order
    await expect.poll(async () => (await shop.call.payments.getPayment({ order_id: id })).status).toBe('captured')
    const third = await ask()
    answer()
    const [outcome, fourth] = await Promise.all([shop.outcome(id), ask()])
    expect(outcome).toBe('confirmed')
    for (const again of [second, third, fourth]) expect(again).toEqual(first)
    expect(await shop.call.orders.listOrders({ user_id: 1 })).toHaveLength(1)
    expect(shop.charged(id)).toEqual(['authorization', 'capture'])
    expect(await shop.violations()).toEqual([])
  },
)

test('a price that changes meanwhile is refused to those who were shown the old one, and is nothing to those who have ordered', async () => {
  const shop = await openCheckout()
  const answer = shop.provider.hold('asked', 'capture')
  const shown = { user_id: 1, product: 'mug', amount: 8.9 }
  const { order } = await shop.call.orders.placeOrder(shown)
  await shop.call.catalog.changePrice({ sku: 'mug', price: { minor_units: 990, currency: 'EUR' } })
  expect(await shop.call.orders.placeOrder.try(shown)).toMatchObject({
    ok: false,
    error: { code: 'priceChanged', data: { amount: 9.9, currency: 'EUR' } },
  })
  answer()
  expect(await shop.outcome(order.id)).toBe('confirmed')
  expect(shop.sandbox.book().operations).toMatchObject([{ kind: 'authorization' }, { kind: 'capture', amount: 890 }])
  expect(await shop.call.orders.listOrders({ user_id: 1 })).toHaveLength(1)
  expect(await shop.violations()).toEqual([])
})
