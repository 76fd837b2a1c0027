/**
 * The usual races of a shop, on a real PostgreSQL, where transactions do run at the same time, with a provider that answers over HTTP. Each
 * is run many times over at once; what the auditor thinks is asked at the end of each.
 */
import { randomUUID } from 'node:crypto'
import { audit } from '@shop/auditor'
import { gateway } from 'skerry'
import type { Clock } from 'skerry/engine'
import { systemClock } from 'skerry/engine'
import { testSystem } from 'skerry/testing'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { sign, startProviderSandbox } from '../../shop/provider-sandbox/sandbox.ts'
import { shop } from '../../shop/system.ts'

const webhookSecret = 'a secret of this test'
const ROUNDS = 12
const CANCELLATIONS = 45
const ERASURES = 36
const rounds = Array.from({ length: ROUNDS }, (_, round) => round)
const amount = { minor_units: 3_499, currency: 'EUR' as const }
const kettle = [{ sku: 'kettle', quantity: 1 }]

beforeAll(() => {
  vi.stubEnv('SKERRY_TEST_DATABASE_URL', process.env['SKERRY_TEST_POSTGRES_URL'])
})
afterAll(() => {
  vi.unstubAllEnvs()
})

interface Order {
  readonly id?: string
  readonly lines: { sku: string; quantity: number }[]
  readonly card?: string
}

async function open() {
  let now = (): Date => systemClock.now()
  // It signs at the time of the test; its own pauses are real, as those of the outside world are.
  const clock: Clock = {
    now: () => now(),
    nowMs: () => now().getTime(),
    preciseMs: () => now().getTime(),
    setTimer: (delayMs, action) => systemClock.setTimer(delayMs, action),
  }
  const provider = await startProviderSandbox({ webhookSecret, clock })
  onTestFinished(async () => provider[Symbol.asyncDispose]())
  const app = await testSystem({
    services: shop.services,
    gateway: gateway(),
    environment: { PAYMENT_PROVIDER_URL: provider.url, PAYMENT_WEBHOOK_SECRET: webhookSecret },
  })
  onTestFinished(async () => app[Symbol.asyncDispose]())
  now = () => app.clock.now()
  provider.sendWebhooksTo(`${app.gatewayUrl}/webhooks/provider`)
  const { call } = app
  return {
    app,
    call,
    provider,
    /** Pauses between attempts are on the clock of the test, which has to move until all have ended. */
    async together<T>(work: readonly Promise<T>[]): Promise<T[]> {
      let ended = false
      const all = Promise.all(work).finally(() => (ended = true))
      const isEnded = async (): Promise<boolean> => {
        await app.settled()
        return ended
      }
      await expect.poll(isEnded).toBe(true)
      return all
    },
    /** Asks again, as customers do, when there is no answer: under the same key, after a second of the test's clock. */
    async place(order: Order, idempotencyKey: string = randomUUID()) {
      for (;;) {
        const placed = await call.orders.placeOrder.try({ user_id: 1, ...order }, { idempotencyKey })
        if (placed.ok) return placed.value.order
        if (placed.error.status < 500) throw new Error(`An order was refused: ${placed.error.code}`)
        await app.clock.advance('1s')
      }
    },
    async status(id: string | number): Promise<string> {
      return (await call.orders.getOrder({ id })).status
    },
    /** What the provider has really done for an order, in order. */
    done: (id: string | number) =>
      provider
        .book()
        .operations.filter(({ key, status }) => status === 'succeeded' && key.startsWith(`${id}:`))
        .map(({ kind }) => kind),
    async violations() {
      const databases = Object.fromEntries([...app.host.instances].map(([name, { database }]) => [name, database!]))
      return audit(databases, provider.book(), { now: app.clock.now() })
    },
  }
}

test('double submit: one request that comes many times at once is one order, charged once', async () => {
  const { app, call, place, together, done, status, violations } = await open()
  const byKey = rounds.map(() => place({ lines: kettle }, 'pay now'))
  const id = randomUUID()
  const byId = rounds.map(() => place({ lines: kettle, id }))
  const placed = await together([...byKey, ...byId])
  const ids = [...new Set(placed.map((order) => order.id))]
  expect(ids).toHaveLength(2)
  await app.settled()
  for (const each of ids) {
    expect(await status(each)).toBe('confirmed')
    expect(done(each)).toEqual(['authorization', 'capture'])
  }
  expect(await call.orders.listOrders({ user_id: 1 })).toHaveLength(2)
  expect(await violations()).toEqual([])
})

test('many customers and one last piece: one of them has it, and only he pays', async () => {
  const { app, call, place, together, done, status, violations } = await open()
  const { available } = await call.inventory.getStock({ sku: 'lighthouse' })
  await call.inventory.adjustStock({ sku: 'lighthouse', quantity: 1 - available, reason: 'counted' })
  const lines = [{ sku: 'lighthouse', quantity: 1 }]
  const placed = await together(rounds.map(() => place({ lines })))
  await app.settled()
  const ends = await Promise.all(placed.map(async ({ id }) => ({ status: await status(id), done: done(id) })))
  expect(ends.filter((end) => end.status === 'confirmed').map((end) => end.done)).toEqual([['authorization', 'capture']])
  expect(ends.filter((end) => end.status === 'cancelled' && end.done.length === 0)).toHaveLength(ROUNDS - 1)
  expect(await violations()).toEqual([])
})

test('cancel against capture: the order is cancelled and not charged, or charged and then given back', async () => {
  const { app, call, place, provider, together, done, status, violations } = await open()
  const seen = new Set<string>()
  const calledOff = async (round: number): Promise<{ readonly id: string | number; readonly accepted: boolean }> => {
    const order = await place({ lines: kettle })
    // At another moment each time: before anything is paid, soon after it is authorized, soon after it is captured.
    const key = [undefined, `${order.id}:authorize:1`, `${order.id}:capture:1`][round % 3]
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    while (key !== undefined && provider.book().requests[key] === undefined) await turn()
    for (let turns = 0; turns < round * 4; turns++) await turn()
    const { ok: accepted } = await call.orders.cancelOrder.try({ id: order.id })
    return { id: order.id, accepted }
  }
  for (const { id, accepted } of await together(Array.from({ length: CANCELLATIONS }, (_, round) => calledOff(round)))) {
    await app.settled()
    const end = await status(id)
    seen.add(end)
    const charged = done(id).filter((kind) => kind === 'capture').length
    const returned = done(id).filter((kind) => kind === 'refund').length
    expect(accepted ? ['cancelled', 'refunded'] : ['confirmed']).toContain(end)
    expect({ end, charged, returned }).toEqual({ end, charged: end === 'cancelled' ? 0 : 1, returned: end === 'refunded' ? 1 : 0 })
  }
  expect([...seen]).toContain('cancelled')
  expect(await violations()).toEqual([])
})

test('webhooks while the answer times out, and late ones when all is over: charged once', async () => {
  const { app, call, place, provider, together, done, status, violations } = await open()
  const ids: (string | number)[] = []
  for (const round of rounds) {
    const card = round % 2 === 0 ? 'tok_capture_timeout' : 'tok_timeout'
    ids.push((await place({ lines: kettle, card })).id)
  }
  // Answers never come: what waits for them has to run out of its time.
  const statuses = async (): Promise<string[]> => {
    await app.clock.advance('1s')
    return Promise.all(ids.map(status))
  }
  await expect.poll(statuses).toEqual(ids.map(() => 'confirmed'))
  await app.settled()
  const { operations } = provider.book()
  const late = operations.flatMap((operation) => {
    const { key, kind, status: outcome, card: _card, ...particulars } = operation
    const news = { id: `late ${key}`, type: `${kind}.${outcome}`, operation: { key, kind, status: outcome, ...particulars } }
    return [1, 2, 3].map(() => call.payments.receiveWebhook(sign(news, webhookSecret, app.clock.now())))
  })
  await together(late)
  for (const id of ids) expect(done(id)).toEqual(['authorization', 'capture'])
  expect(await violations()).toEqual([])
})

test.each(['tok_webhooks_twice', 'tok_webhooks_reversed'])('the answer and its webhooks at once (%s): known once', async (card) => {
  const { app, place, together, done, status, violations } = await open()
  const placed = await together(rounds.map(() => place({ lines: kettle, card })))
  await app.settled()
  for (const order of placed) {
    expect(await status(order.id)).toBe('confirmed')
    expect(done(order.id)).toEqual(['authorization', 'capture'])
  }
  expect(await violations()).toEqual([])
})

test('an undo that overtakes or meets what it undoes: nothing is reserved, and nothing held', async () => {
  const { call, together, done, violations } = await open()
  const before = await call.inventory.getStock({ sku: 'kettle' })
  const ids = rounds.map((round) => 1_000 + round)
  await together(
    ids.flatMap((order_id): Promise<unknown>[] => {
      const stock = [
        () => call.inventory.releaseReservation.try({ order_id }),
        () => call.inventory.reserveStock.try({ order_id, lines: kettle }),
      ]
      const payment = [
        () => call.payments.voidPayment.try({ order_id }),
        () => call.payments.authorizePayment.try({ order_id, amount, card: 'tok_ok' }),
      ]
      return [...(order_id % 2 === 0 ? stock : stock.toReversed()), ...(order_id % 3 === 0 ? payment : payment.toReversed())].map((ask) =>
        ask(),
      )
    }),
  )
  expect(await call.inventory.getStock({ sku: 'kettle' })).toEqual(before)
  for (const order_id of ids) {
    expect(await call.payments.getPayment({ order_id })).toMatchObject({ status: 'voided' })
    const kinds = done(order_id)
    if (kinds.includes('authorization')) expect(kinds).toContain('void')
  }
  expect(await violations()).toEqual([])
})

test('an erasure against what its user does at that moment, and against another one: he is gone, with all that was not ordered', async () => {
  const { app, call, together, done, status, violations } = await open()
  const person = { name: 'Eve', email: 'eve@example.com' }
  const seen = new Set<string>()
  const leave = async (round: number) => {
    const id = randomUUID()
    const cart = randomUUID()
    await call.users.registerUser({ id, ...person })
    await call.cart.putItem({ id: cart, sku: 'mug', quantity: 1 })
    const order = call.orders.placeOrder.try({ id, user_id: id, lines: kettle })
    const login = () => call.cart.mergeCart.try({ id: cart, user_id: id })
    // Some have ordered and logged in before; the others do it meanwhile.
    if (round % 3 === 0) await Promise.all([order, login()])
    const erased = [call.users.eraseUser({ id }), call.users.eraseUser({ id })]
    const registered = call.users.registerUser.try({ id, ...person })
    // Right when orders and the carts hear of it, or a little before or after.
    for (let turns = 0; turns < round; turns++) await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([...erased, registered, login()])
    return { id, cart, isPlaced: (await order).ok }
  }
  const left = await together(Array.from({ length: ERASURES }, (_, round) => leave(round)))
  await app.settled()
  for (const { id, cart, isPlaced } of left) {
    seen.add(isPlaced ? 'placed' : 'refused')
    if (isPlaced) expect([await status(id), done(id)]).toEqual(['confirmed', ['authorization', 'capture']])
    expect(await call.users.getUser.try({ id })).toMatchObject({ ok: false, error: { code: 'userNotFound' } })
    // It went with him, or never became his.
    const kept = await call.cart.getCart.try({ id: cart })
    if (kept.ok) expect(kept.value.user_id).toBeNull()
    if (!kept.ok) seen.add('his cart is gone')
  }
  expect([...seen].toSorted()).toEqual(['his cart is gone', 'placed', 'refused'])
  expect(await violations()).toEqual([])
})
