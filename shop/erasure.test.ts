/** A user is erased while his order is on its way: the order comes to its end, he is told nothing more, and nothing of him is left. */
import { users } from '@shop/users-contract'
import { createLog } from 'skerry/runtime'
import { expect, test } from 'vitest'
import { openCheckout } from './fixtures/whole-checkout.ts'

const USER = 77
/** Found nowhere else: neither in what a test writes nor in what the platform does. */
const person = { id: USER, name: 'Zacharias Quillfeather', email: 'z.quillfeather@elsewhere.example' }
const MARKERS = ['quillfeather', 'zacharias', 'elsewhere.example']
const mug = [{ sku: 'mug', quantity: 1 }]
const unknown = { ok: false, error: { code: 'userNotFound', status: 400, detail: 'User not found' } }

/** A shop in which the person is registered, and what it has mailed. */
async function openFor() {
  const lines: string[] = []
  const shop = await openCheckout({ log: createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } }) })
  const { call, app } = shop
  await call.users.registerUser(person)
  return {
    ...shop,
    buy: (card = 'tok_ok') => shop.place(card, 1, 'mug', USER),
    erase: () => call.users.eraseUser({ id: USER }),
    /** To whom is not in the log. */
    mails: () => lines.filter((line) => line.includes('"mail":')).length,
    /** What he has been told of an order, and what not any more. */
    async told(order_id: number | string) {
      const told = await call.notifications.listNotifications({ order_id })
      return told.map(({ kind, status, withheld }) => `${kind} ${withheld ? 'withheld' : status}`)
    },
    /** Nothing of him is in any table, no event that told of him is left over, and all invariants hold. */
    async expectForgotten() {
      await app.settled()
      for (const marker of MARKERS) expect(await shop.tablesWith(marker)).toEqual([])
      expect(JSON.stringify(shop.sandbox.book()).toLowerCase()).not.toContain(MARKERS[0])
      expect(await call.users.getUser.try({ id: USER })).toMatchObject({ ok: false, error: { code: 'userNotFound', status: 404 } })
      expect(app.published(users.events.userErased)).toEqual([{ user_id: USER }])
      expect(await app.deadLetters()).toEqual([])
      expect(await shop.violations()).toEqual([])
    },
  }
}

test('his name and his address are where they belong until he is erased, and then nowhere', async () => {
  const shop = await openFor()
  const { order } = await shop.buy()
  expect(await shop.outcome(order.id)).toBe('confirmed')
  expect(shop.mails()).toBe(2)
  for (const marker of MARKERS) expect(await shop.tablesWith(marker)).toEqual(['users.users'])
  await shop.erase()
  await shop.expectForgotten()
  // The order, the money and the stock are what they were.
  expect(await shop.call.orders.listOrders({ user_id: USER })).toMatchObject([{ id: order.id, status: 'confirmed', amount: 8.9 }])
  expect(await shop.told(order.id)).toEqual(['order-placed sent', 'order-confirmed sent'])
  expect(shop.charged(order.id)).toEqual(['authorization', 'capture'])
  expect(await shop.sold()).toEqual({ pieces: 1, reserved: 0 })
})

test('erased before anything is reserved, he gets what he has ordered all the same', async () => {
  const shop = await openFor()
  const inventory = shop.app.host.instances.get('inventory')!.database!
  // The warehouse cannot be asked until the test lets it.
  await inventory.query('alter table stock rename to stock_of_nobody')
  const { order } = await shop.buy()
  await expect.poll(() => shop.told(order.id)).toEqual(['order-placed sent'])
  expect(await shop.history(order.id)).toEqual(['placed'])
  await shop.erase()
  await inventory.query('alter table stock_of_nobody rename to stock')
  expect(await shop.outcome(order.id)).toBe('confirmed')
  expect(shop.charged(order.id)).toEqual(['authorization', 'capture'])
  expect(await shop.told(order.id)).toEqual(['order-placed sent', 'order-confirmed withheld'])
  await shop.expectForgotten()
})

test.each([
  ['before the provider is asked', 'tok_ok', 'asked', 'authorization', 'confirmed', ['authorization', 'capture']],
  ['before the provider is asked, who declines', 'tok_declined', 'asked', 'authorization', 'cancelled: paymentDeclined', []],
  ['before the provider has answered', 'tok_ok', 'done', 'authorization', 'confirmed', ['authorization', 'capture']],
  ['before he is charged', 'tok_ok', 'asked', 'capture', 'confirmed', ['authorization', 'capture']],
  ['after he was charged, before the order is confirmed', 'tok_ok', 'done', 'capture', 'confirmed', ['authorization', 'capture']],
] as const)('erased %s (%s)', async (_, card, moment, kind, outcome, charged) => {
  const shop = await openFor()
  const answer = shop.provider.hold(moment, kind)
  const { order } = await shop.buy(card)
  const key = `${order.id}:${kind === 'capture' ? 'capture' : 'authorize'}:1`
  await expect.poll(() => shop.sandbox.book().requests[key]).toBe(1)
  await expect.poll(() => shop.told(order.id)).toEqual(['order-placed sent'])
  expect(await shop.history(order.id)).not.toContain('confirmed')
  await shop.erase()
  answer()
  expect(await shop.outcome(order.id)).toBe(outcome)
  expect(shop.charged(order.id)).toEqual(charged)
  expect(await shop.sold()).toEqual({ pieces: charged.length === 0 ? 0 : 1, reserved: 0 })
  const last = outcome === 'confirmed' ? 'order-confirmed' : 'order-cancelled'
  expect(await shop.told(order.id)).toEqual(['order-placed sent', `${last} withheld`])
  expect(shop.mails()).toBe(1)
  await shop.expectForgotten()
})

test('an order of his that is confirmed can still be called off: the money comes back, and nobody is told', async () => {
  const shop = await openFor()
  const { order } = await shop.buy()
  expect(await shop.outcome(order.id)).toBe('confirmed')
  await shop.erase()
  await shop.call.orders.cancelOrder({ id: order.id })
  expect(await shop.outcome(order.id)).toBe('refunded: customer')
  expect(shop.charged(order.id)).toEqual(['authorization', 'capture', 'refund'])
  expect(await shop.told(order.id)).toEqual(['order-placed sent', 'order-confirmed sent', 'order-refunded withheld'])
  await shop.expectForgotten()
})

test('what he has ordered before is answered again; anything else is refused, and leaves nothing', async () => {
  const shop = await openFor()
  const request = { id: 7, user_id: USER, lines: mug }
  const placed = await shop.call.orders.placeOrder(request)
  await shop.erase()
  await shop.app.settled()
  expect(await shop.call.orders.placeOrder(request)).toEqual(placed)
  expect(await shop.call.orders.placeOrder.try({ ...request, id: 8 })).toMatchObject(unknown)
  expect(await shop.call.orders.getOrder.try({ id: 8 })).toMatchObject({ ok: false, error: { code: 'orderNotFound' } })
  await shop.expectForgotten()
})

test('erased at any moment of an order, and twice at once: it is placed and comes to its end, or it is refused', async () => {
  const shop = await openFor()
  const seen = new Set<string>()
  const ids: number[] = []
  // A little later each time, until each of them has been first.
  for (let turns = 0; turns < 100 || seen.size < 2; turns = turns * 2 + 1) {
    const user_id = 100 + ids.length
    ids.push(user_id)
    await shop.call.users.registerUser({ ...person, id: user_id })
    const order = shop.call.orders.placeOrder.try({ id: user_id, user_id, lines: mug })
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    const erase = () => shop.call.users.eraseUser({ id: user_id })
    const [placed] = await shop.answered(Promise.all([order, erase(), erase()]))
    seen.add(placed.ok ? 'placed' : 'refused')
    if (placed.ok) expect(await shop.outcome(user_id)).toBe('confirmed')
    else expect(placed).toMatchObject(unknown)
  }
  await shop.erase()
  await shop.app.settled()
  expect(shop.app.published(users.events.userErased).map(({ user_id }) => user_id)).toEqual([...ids, USER])
  for (const marker of MARKERS) expect(await shop.tablesWith(marker)).toEqual([])
  expect(await shop.app.deadLetters()).toEqual([])
  expect(await shop.violations()).toEqual([])
})

test('his cart is gone with him, and its checkout that is under way has its order', async () => {
  const shop = await openFor()
  const { call } = shop
  const ordered = '019b76da-0000-7000-8000-000000000001'
  const open = '019b76da-0000-7000-8000-000000000002'
  for (const id of [ordered, open]) {
    await call.cart.putItem({ id, sku: 'mug', quantity: 1 })
    await call.cart.mergeCart({ id, user_id: USER }, { idempotencyKey: `login with ${id}` })
    if (id === ordered) await call.cart.checkout({ id })
  }
  await shop.erase()
  await shop.app.settled()
  expect(await call.cart.getCart.try({ id: open })).toMatchObject({ ok: false, error: { code: 'cartNotFound' } })
  const { order_id } = await call.cart.checkout({ id: ordered })
  expect(await shop.outcome(order_id)).toBe('confirmed')
  await shop.expectForgotten()
})
