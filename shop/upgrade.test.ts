/** The release in which orders got their histories, at a shop that the release before has left: with orders of every status, and checkouts under way. */
import { readFile } from 'node:fs/promises'
import { orders } from '@shop/orders-contract'
import type { Database } from 'skerry/engine'
import { migrate } from 'skerry/runtime'
import { expect, test } from 'vitest'
import { openCheckout } from './fixtures/whole-checkout.ts'

const MIGRATIONS = new URL('./services/orders/service/migrations/', import.meta.url)
const price = { minor_units: 890, currency: 'EUR' as const }
const mug = { sku: 'mug', quantity: 1, name: 'Mug', unit_price: price }

type Shop = Awaited<ReturnType<typeof openCheckout>>

/** Leaves the database of orders as the release before has left it: the same orders, and no histories. */
async function goBack(database: Database): Promise<void> {
  const old = await Promise.all(['0001-create-orders.sql', '0002-checkout.sql'].map((file) => readFile(new URL(file, MIGRATIONS), 'utf8')))
  await database.transaction('read committed', async (transaction) => {
    await transaction.script(`
      delete from skerry_migration where name = '0003-order-histories.sql';
      truncate skerry_stream, skerry_stream_event, skerry_stream_pending;
      alter table orders rename to orders_now;
      alter table orders_now rename constraint orders_pkey to orders_now_pkey;
      alter table orders_now rename constraint orders_user_id_idempotency_key_key to orders_now_key;
      drop index orders_of_user;
      ${old.join('\n')}
      insert into orders select id, user_id, idempotency_key, lines, total_minor_units, currency, placed_at, status, reason, card from orders_now;
      drop table orders_now`)
  })
}

/** An order whose checkout has come so far under version 1. */
async function underWay({ app, call }: Shop, database: Database, id: number, card: string): Promise<void> {
  const placed_at = app.clock.now()
  const lines = [{ sku: 'mug', quantity: 1 }]
  const output = await call.inventory.reserveStock({ order_id: id, lines })
  await app.publish(orders.events.orderPlaced, {
    id,
    user_id: 1,
    product: 'mug',
    amount: 8.9,
    lines: [mug],
    total: price,
    status: 'placed',
    reason: null,
    placed_at: placed_at.toISOString(),
  })
  const input = { order_id: id, lines, total: price, card }
  await database.query(
    `insert into orders (id, user_id, lines, total_minor_units, currency, placed_at, card) values ($1, '1', $2, 890, 'EUR', $3, $4)`,
    [String(id), JSON.stringify([mug]), placed_at, card],
  )
  await database.query(`insert into skerry_key_head (topic, key, seq, at) values ('orders', $1, 1, $2)`, [String(id), placed_at])
  await database.query(
    `with saga as (
       insert into skerry_saga (id, name, version, status, input, traceparent, started_at, next_at)
       values (gen_random_uuid(), 'checkout', 1, 'running', $1, '', $2, null) returning id
     ) insert into skerry_saga_step (saga_id, step, state) select id, 'reserveStock', $3 from saga`,
    [JSON.stringify(input), placed_at, JSON.stringify({ status: 'done', attempts: 0, output })],
  )
}

test('orders from before have the histories that are known, and checkouts under way come to their ends', async () => {
  const shop = await openCheckout()
  const { app, call } = shop
  const database = app.host.instances.get('orders')!.database!
  const times: string[] = []
  const place = async (id: number, card: string) => {
    await call.orders.placeOrder({ id, user_id: 1, lines: [{ sku: 'mug', quantity: 1 }], card })
    await app.settled()
    times.push(app.clock.now().toISOString())
    await app.clock.advance('1m')
  }
  await place(1, 'tok_ok')
  await place(2, 'tok_ok')
  await place(3, 'tok_declined')
  await call.orders.cancelOrder({ id: 2 })
  await app.settled()
  const calledOffAt = app.clock.now().toISOString()
  const before = await call.orders.listOrders({ user_id: 1 })
  expect(before.map(({ id, status }) => `${id} ${status}`)).toEqual(['3 cancelled', '2 refunded', '1 confirmed'])

  await goBack(database)
  await underWay(shop, database, 4, 'tok_ok')
  await underWay(shop, database, 5, 'tok_declined')
  await migrate({ service: 'orders', database, folder: MIGRATIONS, clock: app.clock })

  expect((await call.orders.listOrders({ user_id: 1 })).slice(2)).toEqual(before)
  const happened = async (id: number) =>
    (await call.orders.getOrderHistory({ id })).happened.map(({ version, what, at }) => `${version} ${what} ${at}`)
  const [first, second, third] = before.toReversed().map(({ placed_at }) => placed_at)
  expect(await happened(1)).toEqual([`1 placed ${first}`, `2 confirmed ${times[0]}`])
  expect(await happened(2)).toEqual([`1 placed ${second}`, `2 confirmed ${times[1]}`, `3 refunded ${calledOffAt}`])
  expect(await happened(3)).toEqual([`1 placed ${third}`, `2 cancelled ${times[2]}`])
  expect((await call.orders.getOrderHistory({ id: 2, at: times[2]! })).order).toEqual({ ...before[1], status: 'confirmed', reason: null })
  expect(await shop.history(4)).toEqual(['placed'])

  await database.query(`update skerry_saga set next_at = started_at where version = 1 and ended_at is null`)
  // A host alone at its database looks for sagas when it starts, and then only when it hears of one.
  app.host.instances.get('orders')!.hosted.sagas!.worker.wake()
  expect(await shop.outcome(4)).toBe('confirmed')
  expect(await shop.history(4)).toEqual(['placed', 'stockCommitted', 'paymentCaptured', 'confirmed'])
  expect(await shop.outcome(5)).toBe('cancelled: paymentDeclined')
  expect(await shop.history(5)).toEqual(['placed', 'cancelled'])
  // What was carried over goes on like any other order.
  await call.orders.cancelOrder({ id: 1 })
  expect(await shop.outcome(1)).toBe('refunded: customer')
  expect((await shop.history(1)).slice(2)).toEqual(['calledOff', 'paymentRefunded', 'stockRestocked', 'refunded'])
  expect(await shop.sold()).toEqual({ pieces: 1, reserved: 0 })
  expect(await shop.violations()).toEqual([])
})
