/**
 * The fold of orders into what is shown. It is done in generations: a rebuild adds everything up beside the live one while new orders go
 * into both, and then switches. Which orders a generation has is written down with what they add, so none counts twice or not at all.
 */
import { sql } from 'kysely'
import type { RecommendationDatabase } from './tables.ts'

export interface SeenOrder {
  readonly order_id: string
  readonly skus: readonly string[]
  readonly placed_at: Date
}

/** The generations that a new order goes into. Held until the transaction ends: a rebuild begins before it, or after. */
export async function generations(db: RecommendationDatabase): Promise<readonly number[]> {
  const { live, building } = await db.selectFrom('projection').select(['live', 'building']).forShare().executeTakeFirstOrThrow()
  return building === null ? [live] : [live, building]
}

/** Adds an order to a generation, unless it is in it. */
export async function fold(db: RecommendationDatabase, generation: number, { order_id, skus, placed_at }: SeenOrder): Promise<void> {
  const added = await db
    .insertInto('folded')
    .values({ generation, order_id })
    .onConflict((conflict) => conflict.doNothing())
    .returning('order_id')
    .executeTakeFirst()
  if (added === undefined || skus.length === 0) return
  const day = placed_at.toISOString().slice(0, 10)
  await db
    .insertInto('sales')
    .values(skus.map((sku) => ({ generation, sku, day, orders: 1 })))
    .onConflict((conflict) => conflict.columns(['generation', 'sku', 'day']).doUpdateSet({ orders: sql`sales.orders + 1` }))
    .execute()
  const pairs = skus.flatMap((sku) => skus.filter((other) => other !== sku).map((other) => ({ generation, sku, other, orders: 1 })))
  if (pairs.length === 0) return
  await db
    .insertInto('pairs')
    .values(pairs)
    .onConflict((conflict) => conflict.columns(['generation', 'sku', 'other']).doUpdateSet({ orders: sql`pairs.orders + 1` }))
    .execute()
}

/** Begins a generation beside the live one, or finds the one that a rebuild has left unfinished. New orders go into it from now on. */
export async function beginGeneration(db: RecommendationDatabase): Promise<number> {
  const { live, building } = await db.selectFrom('projection').select(['live', 'building']).forUpdate().executeTakeFirstOrThrow()
  if (building !== null) return building
  await db
    .updateTable('projection')
    .set({ building: live + 1 })
    .execute()
  return live + 1
}

/** Adds some orders that the generation does not have, and returns how many there were. */
export async function foldMissing(db: RecommendationDatabase, generation: number, limit: number): Promise<number> {
  const missing = await db
    .selectFrom('orders_seen')
    .selectAll()
    .where((is) =>
      is.not(
        is.exists(
          is
            .selectFrom('folded')
            .select('folded.order_id')
            .where('folded.generation', '=', generation)
            .whereRef('folded.order_id', '=', 'orders_seen.order_id'),
        ),
      ),
    )
    .orderBy('order_id')
    .limit(limit)
    .execute()
  for (const order of missing) await fold(db, generation, order)
  return missing.length
}

/** Shows the generation, and forgets those before it. False when it is not the one that is being built: another rebuild has come first. */
export async function switchTo(db: RecommendationDatabase, generation: number): Promise<boolean> {
  const switched = await db
    .updateTable('projection')
    .set({ live: generation, building: null })
    .where('building', '=', generation)
    .returning('live')
    .executeTakeFirst()
  if (switched === undefined) return false
  for (const table of ['folded', 'pairs', 'sales'] as const) await db.deleteFrom(table).where('generation', '<', generation).execute()
  return true
}
