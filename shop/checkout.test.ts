/** The checkout with all who take part in it, and a provider that behaves as providers do. What the auditor thinks is asked after each case. */
import { audit } from '@shop/auditor'
import catalog from '@shop/catalog'
import inventory from '@shop/inventory'
import notifications from '@shop/notifications'
import orders from '@shop/orders'
import payments from '@shop/payments'
import { startProviderSandbox } from '@shop/provider-sandbox'
import users from '@shop/users'
import { gateway } from 'skerry'
import type { Clock } from 'skerry/engine'
import { systemClock } from 'skerry/engine'
import { testSystem } from 'skerry/testing'
import { expect, onTestFinished, test } from 'vitest'

const webhookSecret = 'a secret of this test'
const sku = 'teapot'
const PIECES = 5

async function open() {
  let now = (): Date => systemClock.now()
  // It signs at the time of the test; its own pauses are real, as those of the outside world are.
  const clock: Clock = {
    now: () => now(),
    nowMs: () => now().getTime(),
    setTimer: (delayMs, action) => systemClock.setTimer(delayMs, action),
  }
  const sandbox = await startProviderSandbox({ webhookSecret, clock })
  onTestFinished(async () => sandbox[Symbol.asyncDispose]())
  const app = await testSystem({
    services: [users, catalog, inventory, payments, orders, notifications],
    gateway: gateway(),
    environment: { PAYMENT_PROVIDER_URL: sandbox.url, PAYMENT_WEBHOOK_SECRET: webhookSecret },
  })
  onTestFinished(async () => app[Symbol.asyncDispose]())
  now = () => app.clock.now()
  sandbox.sendWebhooksTo(`${app.gatewayUrl}/webhooks/provider`)
  const { call } = app
  const stock = async () => call.inventory.getStock({ sku: 'mug' })
  const before = await stock()
  return {
    app,
    call,
    sandbox,
    place: (card: string, quantity = 1, product = 'mug') =>
      call.orders.placeOrder({ user_id: 1, card, lines: [{ sku: product, quantity }] }),
    /** What the order has become, once nothing is left to do. */
    async outcome(id: number | string) {
      await app.settled()
      const { status, reason } = await call.orders.getOrder({ id })
      return reason === null ? status : `${status}: ${reason}`
    },
    charged: (id: number | string) =>
      sandbox
        .book()
        .operations.filter((operation) => operation.status === 'succeeded' && operation.key.startsWith(`${id}:`))
        .map(({ kind }) => kind),
    async sold() {
      const after = await stock()
      return { pieces: before.on_hand - after.on_hand, reserved: after.reserved - before.reserved }
    },
    async violations() {
      const databases = Object.fromEntries([...app.host.instances].map(([name, { database }]) => [name, database!]))
      return audit(databases, sandbox.book(), { now: app.clock.now() })
    },
  }
}

test('an order is paid, its pieces leave the warehouse, and the customer is told', async () => {
  const shop = await open()
  const { order } = await shop.place('tok_ok', 2)
  expect(order.status).toBe('placed')
  expect(await shop.outcome(order.id)).toBe('confirmed')
  expect(shop.charged(order.id)).toEqual(['authorization', 'capture'])
  expect(await shop.sold()).toEqual({ pieces: 2, reserved: 0 })
  const told = await shop.call.notifications.listNotifications({ order_id: order.id })
  expect(told.map(({ kind }) => kind)).toEqual(['order-placed', 'order-confirmed'])
  expect(await shop.violations()).toEqual([])
})

test.each([
  ['tok_declined', 'cancelled: paymentDeclined', []],
  ['tok_capture_declined', 'cancelled: paymentDeclined', ['authorization']],
] as const)('a card that is declined (%s) cancels the order, and its pieces can be sold again', async (card, outcome, charged) => {
  const shop = await open()
  const { order } = await shop.place(card, 2)
  expect(await shop.outcome(order.id)).toBe(outcome)
  expect(shop.charged(order.id).filter((kind) => kind !== 'void')).toEqual(charged)
  expect(await shop.sold()).toEqual({ pieces: 0, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})

test.each(['tok_webhooks_late', 'tok_webhooks_twice', 'tok_webhooks_reversed', 'tok_unavailable'])(
  'with %s the order is confirmed, and charged once',
  async (card) => {
    const shop = await open()
    const { order } = await shop.place(card)
    expect(await shop.outcome(order.id)).toBe('confirmed')
    expect(shop.charged(order.id)).toEqual(['authorization', 'capture'])
    expect(await shop.violations()).toEqual([])
  },
)

test.each(['tok_timeout', 'tok_timeout_no_webhooks', 'tok_capture_timeout', 'tok_lost'])(
  'a provider whose answer never comes (%s) has charged once, or not at all',
  async (card) => {
    const shop = await open()
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
  const shop = await open()
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
  const shop = await open()
  const { available } = await shop.call.inventory.getStock({ sku })
  await shop.call.inventory.adjustStock({ sku, quantity: PIECES - available, reason: 'counted' })
  const placed = await Promise.all(Array.from({ length: 10 }, () => shop.place('tok_ok', 1, sku)))
  const outcomes = await Promise.all(placed.map(({ order }) => shop.outcome(order.id)))
  expect(outcomes.toSorted()).toEqual([...Array<string>(5).fill('cancelled: outOfStock'), ...Array<string>(5).fill('confirmed')])
  expect(await shop.call.inventory.getStock({ sku })).toMatchObject({ on_hand: 0, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})

test('called off before it is paid, an order leaves nothing; afterwards its money comes back', async () => {
  const shop = await open()
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
  const shop = await open()
  for (let round = 0; round < 8; round++) {
    const { order } = await shop.place('tok_ok')
    for (let turn = 0; turn < round * 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    await shop.call.orders.cancelOrder.try({ id: order.id })
    const outcome = await shop.outcome(order.id)
    expect(['cancelled: customer', 'confirmed', 'refunded: customer']).toContain(outcome)
    const captured = shop.charged(order.id).filter((kind) => kind === 'capture').length
    expect(captured).toBe(outcome.startsWith('cancelled') ? 0 : 1)
  }
  expect(await shop.violations()).toEqual([])
})
