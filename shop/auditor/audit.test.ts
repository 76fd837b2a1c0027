import { expect, test } from 'vitest'
import type { AuditOptions, ProviderBook } from './audit.ts'
import { audit } from './audit.ts'
import type { BusyShop } from './fixtures/busy-shop.ts'
import { busyShop } from './fixtures/busy-shop.ts'

/** A capture that nobody has asked for. */
const chargedAgain = (book: ProviderBook): ProviderBook => ({
  operations: [
    ...book.operations,
    { key: '1:capture:2', kind: 'capture', authorization: '1:authorize:1', amount: 5_980, status: 'succeeded' },
  ],
})
const charging = (book: ProviderBook): ProviderBook => ({ operations: book.operations.filter(({ kind }) => kind !== 'refund') })
const again = (book: ProviderBook): ProviderBook => ({
  operations: [...book.operations, book.operations.find(({ kind }) => kind === 'authorization')!],
})

test('a shop that works has no violation, at rest or not', async () => {
  const shop = await busyShop()
  expect(await shop.findings()).toEqual([])
  expect(await shop.findings({ atRest: false })).toEqual([])
})

test('what is not given is not looked at', async () => {
  expect(await audit({})).toEqual([])
})

interface Planted {
  readonly plant?: (shop: BusyShop) => Promise<unknown>
  readonly options?: AuditOptions
  readonly book?: (book: ProviderBook) => ProviderBook
  readonly found: readonly string[]
}

const startingWith = (text: string): string => expect.stringMatching(`^${text}`) as string
const PRICE = { minor_units: 5_980, currency: 'EUR' } as const
const planted: Record<string, Planted> = {
  'I1: a confirmed order that was not paid in full': {
    async plant(shop) {
      await shop.call.payments.refundPayment({ order_id: 1, refund_id: 'mug', amount: { ...PRICE, minor_units: 890 } })
      await shop.settled()
    },
    found: ['I1: order 1 is confirmed and costs 5980, but 5090 were charged'],
  },
  'I1: a cancelled order that was paid, told of and sent': {
    plant: (shop) => shop.tamper('orders', `update orders set status = 'cancelled' where id = '1'`),
    found: [
      'I1: order 1 is cancelled, but 5980 are still charged',
      'I6: order 1 is cancelled, but there is a notification of kind order-confirmed',
      'I6: order 1 is cancelled, but there is no notification of kind order-cancelled',
      'I9: stock is committed for order 1, which is cancelled',
      'I13: order 1 is cancelled, but by its history confirmed',
      'I17: order 1 counts, and is cancelled',
    ],
  },
  'I1: a refunded order whose money was kept': {
    plant: (shop) =>
      shop.tamper(
        'payments',
        `delete from ledger_postings where key = '2:refund:called-off'`,
        `delete from provider_requests where key = '2:refund:called-off'`,
        `update payments set refunded = 0, refunds_requested = 0 where order_id = '2'`,
      ),
    book: charging,
    found: ['I1: order 2 is refunded, but 5980 are still charged'],
  },
  'I1: a charge for no order': {
    async plant(shop) {
      await shop.call.payments.authorizePayment({ order_id: 77, amount: PRICE, card: 'tok_ok' })
      await shop.call.payments.capturePayment({ order_id: 77 })
      await shop.settled()
    },
    found: ['I1: 5980 were charged for order 77, which does not exist'],
  },
  'I2: more charged than authorized': {
    plant: (shop) => shop.tamper('payments', `update provider_requests set amount = 5979 where key = '1:authorize:1'`),
    found: ['I2: order 1: of 5979 authorized 5980 were charged, and 0 of them given back'],
  },
  'I2: more given back than charged': {
    plant: (shop) =>
      shop.tamper(
        'payments',
        `update provider_requests set state = 'pending', settled_at = null, amount = 5981 where key = '2:refund:called-off'`,
      ),
    options: { atRest: false },
    found: [
      'I2: order 2: of 5980 authorized 5980 were charged, and 5981 of them given back',
      'I2: order 2 says charged 5980, given back 5980; the requests say 5980 and 0',
    ],
  },
  'I3: a ledger that does not balance': {
    plant: (shop) =>
      shop.tamper(
        'payments',
        `create or replace view ledger_entries as
           select id as posting_id, order_id, debit as account, amount, currency, posted_at from ledger_postings
           union all select id, order_id, credit, case when id = 1 then -amount + 1 else -amount end, currency, posted_at from ledger_postings`,
      ),
    found: ["I3: the ledger's entries in EUR sum to 1, not to zero"],
  },
  'I3: a ledger that tells another story than the payments': {
    plant: (shop) => shop.tamper('payments', `update ledger_postings set amount = 5981 where order_id = '1' and credit = 'sales'`),
    found: ['I3: order 1: the ledger has sold 5981, returned 0, held 0; the payment 5980, 0, 0'],
  },
  'I4: two charges of one order': {
    plant: (shop) =>
      shop.tamper(
        'payments',
        'drop index charged_once',
        `insert into provider_requests select '1:capture:2', order_id, kind, authorization_key, amount, currency, card, 'pending', null, requested_at, null, check_at
         from provider_requests where key = '1:capture:1'`,
      ),
    found: ['I4: order 1 is charged 2 times'],
  },
  'I4: a second charge in the book of the provider alone': {
    book: chargedAgain,
    found: [
      'I4: the provider has charged order 1 2 times',
      'I4: order 1: the provider has charged 11960 and given back 0; we know of 5980 and 0',
    ],
  },
  'I4: a refund that the provider knows nothing of': {
    book: charging,
    found: ['I4: order 2: the provider has charged 5980 and given back 0; we know of 5980 and 5980'],
  },
  'I4: an operation for nobody': {
    book: ({ operations }) => ({
      operations: [...operations, { key: '8:void:1', kind: 'void', authorization: '8:authorize:1', status: 'succeeded' }],
    }),
    found: ['I4: the provider did a void (8:void:1) for an order without a payment'],
  },
  'I5: an order that costs something else than its lines': {
    plant: (shop) => shop.tamper('orders', `update orders set total_minor_units = 1 where id = '3'`),
    found: [
      'I5: order 3 costs 1, but its lines 5980',
      'I5: order 3 was shown as 1 EUR, but is paid as 5980 EUR',
      'I17: order 3 was placed with another total',
    ],
  },
  'I5: a payment in another currency': {
    plant: (shop) => shop.tamper('payments', `update payments set currency = 'GBP' where order_id = '3'`),
    found: ['I5: order 3 was shown as 5980 EUR, but is paid as 5980 GBP'],
  },
  'I6: two notifications of one kind': {
    plant: (shop) =>
      shop.tamper(
        'notifications',
        'alter table notifications drop constraint notifications_order_id_kind_key',
        `insert into notifications select gen_random_uuid(), order_id, user_id, kind, message, created_at, sent_at from notifications
         where order_id = '1' and kind = 'order-placed'`,
      ),
    options: { atRest: false },
    found: [
      'I6: order 1 has 2 notifications of kind order-placed',
      expect.stringMatching(/^I14: .* of notifications is committed, but nothing was published of it$/) as string,
    ],
  },
  'I6: one that was never sent': {
    plant: (shop) =>
      shop.tamper('notifications', `update notifications set sent_at = null where order_id = '2' and kind = 'order-refunded'`),
    found: ['I6: the notification of kind order-refunded for order 2 was never sent'],
  },
  'I6: news of an order that was not told, and news of one that is not there': {
    plant: (shop) => shop.tamper('notifications', `update notifications set order_id = '8' where order_id = '1' and kind = 'order-placed'`),
    found: [
      'I6: somebody was told of order 8, which does not exist',
      'I6: order 1 is confirmed, but there is no notification of kind order-placed',
    ],
  },
  'I6: news that is not true': {
    plant: (shop) =>
      shop.tamper('notifications', `update notifications set kind = 'order-refunded' where order_id = '3' and kind = 'order-cancelled'`),
    options: { atRest: false },
    found: ['I6: order 3 is cancelled, but there is a notification of kind order-refunded'],
  },
  'I6: a key that the provider has used twice': { book: again, found: ['I6: the provider has done 1:authorize:1 more than once'] },
  'I7: pieces from nowhere': {
    plant: (shop) => shop.tamper('inventory', `update stock set on_hand = on_hand + 1 where sku = 'mug'`),
    found: ['I7: mug: 1999 are on hand, but by its movements 1998'],
  },
  'I7: a movement that was rewritten': {
    plant: (shop) =>
      shop.tamper('inventory', `update movements set quantity = 3 where kind = 'committed' and sku = 'mug' and order_id = '1'`),
    found: ['I7: mug: 1998 are on hand, but by its movements 1997'],
  },
  'I8: more reserved than there is': {
    plant: (shop) =>
      shop.tamper(
        'inventory',
        'alter table stock drop constraint never_oversold',
        `update stock set reserved = on_hand + 1 where sku = 'ink'`,
      ),
    found: ['I8: ink: 501 are reserved of 500 on hand', 'I8: ink: 501 are reserved, but reservations hold 0'],
  },
  'I9: a reservation that ended twice': {
    plant: (shop) =>
      shop.tamper(
        'inventory',
        `insert into movements (sku, kind, quantity, order_id, moved_at) select sku, 'expired', quantity, order_id, moved_at from movements
         where kind = 'released' and sku = 'pen' and order_id = '3'`,
      ),
    found: ['I9: the reservation of pen for order 3 is released: made 1 times and ended 2 times'],
  },
  'I9: a reservation that is over, but never ended': {
    plant: (shop) => shop.tamper('inventory', `delete from movements where kind = 'released' and sku = 'pen' and order_id = '3'`),
    found: ['I9: the reservation of pen for order 3 is released: made 1 times and ended 0 times'],
  },
  'I9: a reservation that should have expired, of an order that does not exist': {
    plant: async (shop) => {
      await shop.call.inventory.reserveStock({ order_id: 8, lines: [{ sku: 'pen', quantity: 1 }] })
      await shop.tamper('inventory', `update reservations set expires_at = '2025-12-31' where order_id = '8'`)
    },
    options: { refused: [], acknowledged: [] },
    found: expect.arrayContaining([
      'I9: the reservation of order 8 should have expired',
      'I9: stock is reserved for order 8, which does not exist',
    ]) as string[],
  },
  'I9: a reservation that a cancelled order has left': {
    plant: (shop) =>
      shop.tamper(
        'inventory',
        `delete from movements where kind = 'released' and order_id = '3'`,
        `update reservations set status = 'reserved', expires_at = '9999-12-31' where order_id = '3'`,
        `update stock set reserved = reserved + quantity from reservation_lines line where line.sku = stock.sku and order_id = '3'`,
      ),
    found: ['I9: stock is reserved for order 3, which is cancelled'],
  },
  'I9: pieces that a refunded order has kept': {
    plant: (shop) =>
      shop.tamper(
        'inventory',
        `delete from movements where kind = 'restocked' and order_id = '2'`,
        `update reservations set status = 'committed' where order_id = '2'`,
        `update stock set on_hand = on_hand - quantity from reservation_lines line where line.sku = stock.sku and order_id = '2'`,
      ),
    found: ['I9: stock is committed for order 2, which is refunded'],
  },
  'I9: pieces of a confirmed order that are for sale again': {
    async plant(shop) {
      await shop.call.inventory.restockReservation({ order_id: 1 })
      await shop.settled()
    },
    found: ['I9: order 1 is confirmed, but its stock is restocked'],
  },
  'I10: an accepted order that is gone': { options: { acknowledged: [1, 4] }, found: ['I10: order 4 was accepted, and does not exist'] },
  'I10: an order that stopped halfway': {
    plant: (shop) =>
      shop.tamper(
        'orders',
        `update orders set status = 'placed' where id = '3'`,
        `update skerry_saga set status = 'parked' where name = 'checkout' and input::jsonb ->> 'order_id' = '3'`,
      ),
    found: [
      'I6: order 3 is placed, but there is a notification of kind order-cancelled',
      'I10: order 3 has stopped halfway: it is placed',
      'I10: the checkout of order 3 has stopped halfway: it is parked',
      'I13: order 3 is placed and has 2 events instead of 1',
      'I13: order 3 is placed (paymentDeclined), but by its history cancelled (paymentDeclined)',
    ],
  },
  'I10: a refund that stopped halfway': {
    plant: (shop) => shop.tamper('orders', `update skerry_saga set status = 'parked' where name = 'refund'`),
    found: ['I10: the refund of order 2 has stopped halfway: it is parked'],
  },
  'I11: a refused order that has left something': {
    options: { refused: [3] },
    found: ['orders', 'payments', 'inventory', 'notifications'].map(
      (service) => `I11: order 3 was refused, and has left something in ${service}`,
    ),
  },
  'I12: two orders under one key': {
    plant: (shop) =>
      shop.tamper(
        'orders',
        'alter table orders drop constraint orders_user_id_idempotency_key_key',
        `update orders set idempotency_key = 'checkout 1' where id = '2'`,
      ),
    found: ['I12: user 1 has 2 orders under the Idempotency-Key checkout 1'],
  },
  'I13: an order that was cancelled twice': {
    plant: (shop) => shop.tamper('orders', `update skerry_key_head set seq = 3 where topic = 'orders' and key = '3'`),
    options: { atRest: false },
    found: ['I13: order 3 is cancelled and has 3 events instead of 2'],
  },
  'I13: a refund of which no event tells': {
    plant: (shop) => shop.tamper('orders', `update orders set status = 'refunded' where id = '1'`),
    options: { atRest: false },
    found: ['I13: order 1 is refunded and has 2 events instead of 3', 'I13: order 1 is refunded, but by its history confirmed'],
  },
  'I13: a history with a gap': {
    plant: (shop) => shop.tamper('orders', `delete from skerry_stream_event where id = '3' and type = 'stockReserved'`),
    options: { atRest: false },
    found: [
      'I13: the history of order 3 is at version 4, and has 3 events with 3 versions up to 4',
      'I13: order 3 is as of version 4, and its history has 3',
    ],
  },
  'I13: a history that forks': {
    plant: (shop) =>
      shop.tamper(
        'orders',
        'alter table skerry_stream_event drop constraint skerry_stream_event_stream_id_version_key',
        `insert into skerry_stream_event (stream, id, version, type, schema, data, meta, at)
         select stream, id, version, 'stockCommitted', schema, data, meta, at from skerry_stream_event where id = '3' and type = 'stockReleased'`,
      ),
    options: { atRest: false },
    found: [
      'I13: the history of order 3 is at version 4, and has 5 events with 4 versions up to 4',
      'I13: order 3 is as of version 4, and its history has 5',
    ],
  },
  'I13: an order that was confirmed after it was cancelled': {
    plant: (shop) =>
      shop.tamper(
        'orders',
        `insert into skerry_stream_event (stream, id, version, type, schema, data, meta, at)
         select stream, id, 5, 'confirmed', schema, '{}', meta, at from skerry_stream_event where id = '3' and type = 'cancelled'`,
        `update skerry_stream set version = 5 where id = '3'`,
        `update orders set version = 5 where id = '3'`,
      ),
    options: { atRest: false },
    found: [
      'I13: order 3 was cancelled when it was confirmed',
      'I13: order 3 is cancelled (paymentDeclined), but by its history confirmed',
    ],
  },
  'I13: an order without a history, and a history without an order': {
    plant: (shop) =>
      shop.tamper('orders', `update skerry_stream_event set id = '8' where id = '3'`, `update skerry_stream set id = '8' where id = '3'`),
    options: { atRest: false },
    found: ['I13: order 3 has no history', 'I13: there is a history of order 8, but no order'],
  },
  'I17: an order that is not what was placed': {
    plant: (shop) => shop.tamper('orders', `update orders set user_id = '2', placed_at = '2026-01-02' where id = '3'`),
    options: { atRest: false },
    found: ['I17: order 3 was placed with another time, user'],
  },
  'I14: an event that was never published': {
    plant: (shop) =>
      shop.tamper(
        'orders',
        `insert into skerry_outbox (part, topic, key, seq, message_id, type, payload, traceparent, created_at)
         values (0, 'orders', '1', 2, gen_random_uuid(), 'orders.orderPlaced.v1', '{}', '', '2026-01-01')`,
      ),
    found: ['I14: orders.orderPlaced.v1 number 2 of 1 was never published'],
  },
  'I14: an event of what was never committed': {
    plant: (shop) => shop.tamper('orders', `insert into skerry_key_head (topic, key, seq, at) values ('orders', '8', 1, '2026-01-01')`),
    options: { atRest: false },
    found: ['I14: orders has published 8, which was never committed'],
  },
  'I15: an event that was not handled': {
    plant: (shop) => shop.tamper('notifications', `delete from skerry_key_cursor where source = '/services/orders' and key = '2'`),
    found: ['I15: notifications has handled 0 of 3 events of 2 from orders'],
  },
  'I15: a dead letter': {
    plant: (shop) =>
      shop.tamper(
        'notifications',
        `insert into skerry_dead_letter (id, consumer, message_id, topic, type, source, key, envelope, cause, error, error_hash, attempts, died_at)
         values (gen_random_uuid(), 'notifications', 'm', 'orders', 'orders.orderPlaced.v1', '/services/orders', '1', '', 'exhausted', 'no such mailbox', '', 9, '2026-01-01')`,
      ),
    found: ['I15: notifications could not handle orders.orderPlaced.v1 of 1: no such mailbox'],
  },
  'I16: an event from the future': {
    plant: (shop) => shop.tamper('notifications', `update skerry_key_cursor set seq = 4 where source = '/services/orders' and key = '2'`),
    found: ['I16: notifications has handled event 4 of 2, of which orders has published 3'],
  },
  'I17: a projection that forgets, and one that invents': {
    plant: (shop) =>
      shop.tamper('recommendations', `update pairs set orders = 1 where sku = 'mug'`, `update pairs set other = 'ink' where sku = 'pen'`),
    found: [
      'I17: pen was bought with mug in 2 orders, but 1 are shown',
      'I17: ink was bought with pen in 0 orders, but 2 are shown',
      'I17: mug was bought with pen in 2 orders, but 0 are shown',
    ],
  },
  'I17: orders that count, and are of something else, or were never paid, or do not exist': {
    plant: (shop) =>
      shop.tamper(
        'recommendations',
        `insert into skerry_stream_event (stream, id, version, type, schema, data, meta, at) values
           ('paid', '3', 1, 'confirmed', 1, '{"lines": [{"sku": "mug"}]}', '{}', '2026-01-01'),
           ('learnedBefore', '8', 1, 'confirmed', 1, '{"skus": ["mug"]}', '{}', '2026-01-01')`,
        `update skerry_stream_event set data = '{"lines": [{"sku": "pen"}]}' where id = '1'`,
        'update pairs set orders = 1',
      ),
    options: { atRest: false },
    found: [
      'I17: order 1 counts as pen, but is of mug, pen',
      'I17: order 3 counts, and is cancelled',
      'I17: order 8 counts, and does not exist',
    ],
  },
  'I17: an order that was paid, and does not count': {
    plant: (shop) =>
      shop.tamper(
        'recommendations',
        `delete from skerry_stream_order where eid in (select eid from skerry_stream_event where id = '2')`,
        `delete from skerry_stream_event where id = '2'`,
        'update pairs set orders = 1',
      ),
    found: ['I17: order 2 is refunded, and does not count'],
  },
  'I17: a projection that has not heard the last': {
    plant: (shop) =>
      shop.tamper('recommendations', `update skerry_projection set pos = pos - 1 where name = 'purchases'`, 'update pairs set orders = 1'),
    found: ['I17: the projection has not taken in 1 events'],
  },
  'I18: a copy from the future': {
    plant: (shop) => shop.tamper('cart', 'update prices set version = 3'),
    options: { atRest: false },
    found: ['I18: the carts have version 3 of the price of mug, the catalog 2'],
  },
  'I18: a copy that was not brought up to date': {
    plant: (shop) => shop.tamper('cart', 'update prices set version = 1, minor_units = 890'),
    found: ['I18: the carts sell mug at 890 EUR, the catalog at 990 EUR'],
  },
  'I21: a user who was erased, and is still known': {
    plant: (shop) =>
      shop.tamper('users', 'alter table users drop constraint erased_as_a_whole', `update users set name = 'Bob Baker' where id = '2'`),
    options: { atRest: false },
    found: ['I21: user 2 was erased, and is still known'],
  },
  'I21: carts of a user who was erased': {
    plant: (shop) =>
      shop.tamper(
        'cart',
        `update carts set user_id = '2'`,
        `insert into carts select gen_random_uuid(), user_id, 'merged', null, id, changed_at from carts`,
      ),
    options: { atRest: false },
    found: expect.arrayContaining(
      ['merged', 'open'].map((status) => startingWith(`I21: user 2 was erased, and still has a cart that is ${status}: `)),
    ) as string[],
  },
  'I21: an erasure that nobody has heard of': {
    async plant(shop) {
      await shop.tamper('orders', 'delete from erased_users')
      await shop.tamper('cart', `delete from owners where user_id = '2'`)
    },
    found: ['I21: orders has not heard that user 2 was erased', 'I21: cart has not heard that user 2 was erased'],
  },
  'I21: an erasure that never was': {
    async plant(shop) {
      await shop.tamper('orders', `insert into erased_users values ('1')`)
      await shop.tamper('cart', `insert into owners values ('1', true)`)
      await shop.tamper('notifications', `update notifications set withheld_at = sent_at where order_id = '3' and kind = 'order-placed'`)
    },
    options: { atRest: false },
    found: [
      'I21: orders takes user 1 for erased, and he is not',
      'I21: cart takes user 1 for erased, and he is not',
      'I21: the notification of kind order-placed for order 3 is withheld from user 1, who is not erased',
    ],
  },
}

test.each(Object.entries(planted))('finds %s', async (_, { plant, options, book, found }) => {
  const shop = await busyShop()
  await plant?.(shop)
  expect(await shop.findings(options, book)).toEqual(found)
})
