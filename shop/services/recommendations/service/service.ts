/** The recommendations service: a projection of orders, which can be built again at any time from the orders it has seen. */
import { orders } from '@shop/orders-contract'
import type { Recommendations } from '@shop/recommendations-contract'
import { recommendations } from '@shop/recommendations-contract'
import { service, tables } from 'skerry'
import { beginGeneration, fold, foldMissing, generations, switchTo } from './fold.ts'
import type { RecommendationDatabase, RecommendationTables } from './tables.ts'

const recommendationService = service(recommendations, {
  listens: [orders],
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<RecommendationTables>(),
})

const ORDERS_AT_ONCE = 200
/** What was bought within so many days is in fashion. */
const TRENDING_DAYS = 7
const DAY_MS = 86_400_000

/** What counts is what was paid. */
const learn = recommendationService.on(orders.events.orderConfirmed, async ({ event, db }) => {
  const order = {
    order_id: String(event.id),
    skus: [...new Set(event.lines.map(({ sku }) => sku))].toSorted(),
    placed_at: new Date(event.placed_at),
  }
  const into = await generations(db)
  await db
    .insertInto('orders_seen')
    .values({ ...order, skus: JSON.stringify(order.skus) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  for (const generation of into) await fold(db, generation, order)
})

export default recommendationService.implement(
  {
    async getRecommendations({ input: { sku, limit }, db, clock }) {
      const { live } = await db.selectFrom('projection').select('live').executeTakeFirstOrThrow()
      const last = await db.selectFrom('orders_seen').select('placed_at').orderBy('placed_at', 'desc').limit(1).executeTakeFirst()
      const as_of = last?.placed_at.toISOString() ?? null
      const together = sku === undefined ? [] : await boughtWith(db, live, sku, limit)
      if (together.length > 0) return { because: 'bought-together', products: together, as_of }
      const since = new Date(clock.nowMs() - (TRENDING_DAYS - 1) * DAY_MS).toISOString().slice(0, 10)
      const trending = await boughtSince(db, live, since, sku, limit)
      return { because: trending.length > 0 ? 'trending' : 'nothing', products: trending, as_of }
    },

    async rebuild({ transaction }) {
      const generation = await transaction(({ db }) => beginGeneration(db))
      while ((await transaction(({ db }) => foldMissing(db, generation, ORDERS_AT_ONCE))) > 0);
      return transaction(async ({ db, emit }) => {
        const isSwitched = await switchTo(db, generation)
        const { count } = await db
          .selectFrom('orders_seen')
          .select(({ fn }) => fn.countAll<number>().as('count'))
          .executeTakeFirstOrThrow()
        const rebuilt = { generation, orders: count }
        if (isSwitched) emit.recommendationsRebuilt(rebuilt)
        return rebuilt
      })
    },
  },
  { on: [learn] },
)

type Products = Recommendations['products']

async function boughtWith(db: RecommendationDatabase, generation: number, sku: string, limit: number): Promise<Products> {
  return db
    .selectFrom('pairs')
    .select(['other as sku', 'orders'])
    .where('generation', '=', generation)
    .where('sku', '=', sku)
    .orderBy('orders', 'desc')
    .orderBy('other')
    .limit(limit)
    .execute()
}

async function boughtSince(
  db: RecommendationDatabase,
  generation: number,
  day: string,
  besides: string | undefined,
  limit: number,
): Promise<Products> {
  let query = db
    .selectFrom('sales')
    .select(({ fn }) => ['sku', fn.sum<number>('orders').as('orders')])
    .where('generation', '=', generation)
    .where('day', '>=', day)
    .groupBy('sku')
    .orderBy('orders', 'desc')
    .orderBy('sku')
    .limit(limit)
  if (besides !== undefined) query = query.where('sku', '<>', besides)
  return query.execute()
}
