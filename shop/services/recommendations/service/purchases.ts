/** What is bought, added up for those who ask: a read model of the orders that were confirmed, which can be built anew from them at any time. */
import { orders } from '@shop/orders-contract'
import { recommendations } from '@shop/recommendations-contract'
import { recordedEvent, recording, service, storedEvent, stream, tables } from 'skerry'
import { z } from 'zod'
import type { RecommendationDatabase, RecommendationTables } from './tables.ts'

/** What counts is what was paid. Kept, because the broker forgets. */
export const paid = recording('paid', { confirmed: recordedEvent(orders.events.orderConfirmed) })

/** What was known of orders when they were not recorded yet. Nothing is added to it any more. */
export const learnedBefore = stream('learnedBefore', {
  events: { confirmed: storedEvent(z.object({ skus: z.array(z.string()), placed_at: z.iso.datetime() })) },
  initial: undefined,
  evolve: () => undefined,
})

export const recommendationService = service(recommendations, {
  listens: [orders],
  migrations: new URL('./migrations/', import.meta.url),
  streams: { paid, learnedBefore },
  tables: tables<RecommendationTables>(),
})

export const purchases = recommendationService.projection('purchases', {
  from: [paid, learnedBefore],
  tables: {
    counted: (name) => `
      create table ${name} (order_id text primary key, placed_at timestamptz not null);
      create index on ${name} (placed_at)`,
    // In how many orders the two were together.
    pairs: (name) => `
      create table ${name} (
        sku text collate "C" not null,
        other text collate "C" not null check (sku <> other),
        orders bigint not null check (orders > 0),
        primary key (sku, other)
      )`,
    // In how many orders of a day it was.
    sales: (name) => `
      create table ${name} (
        sku text collate "C" not null,
        day date not null,
        orders bigint not null check (orders > 0),
        primary key (sku, day)
      );
      create index on ${name} (day)`,
  },
  async apply({ event, db }) {
    const skus = event.stream === 'paid' ? [...new Set(event.data.lines.map(({ sku }) => sku))].toSorted() : event.data.skus
    await count(db, { order_id: event.id, skus, placed_at: new Date(event.data.placed_at) })
  },
})

/** Adds an order up, unless it has been: it counts once, however often it was confirmed. */
async function count(
  db: RecommendationDatabase,
  { order_id, skus, placed_at }: { readonly order_id: string; readonly skus: readonly string[]; readonly placed_at: Date },
): Promise<void> {
  const isNew = await db
    .insertInto('counted')
    .values({ order_id, placed_at })
    .onConflict((conflict) => conflict.doNothing())
    .returning('order_id')
    .executeTakeFirst()
  if (isNew === undefined || skus.length === 0) return
  const day = placed_at.toISOString().slice(0, 10)
  await db
    .insertInto('sales')
    .values(skus.map((sku) => ({ sku, day, orders: 1 })))
    .onConflict((conflict) => conflict.columns(['sku', 'day']).doUpdateSet((update) => ({ orders: update('sales.orders', '+', 1) })))
    .execute()
  const pairs = skus.flatMap((sku) => skus.filter((other) => other !== sku).map((other) => ({ sku, other, orders: 1 })))
  if (pairs.length === 0) return
  await db
    .insertInto('pairs')
    .values(pairs)
    .onConflict((conflict) => conflict.columns(['sku', 'other']).doUpdateSet((update) => ({ orders: update('pairs.orders', '+', 1) })))
    .execute()
}
