/** The recommendations service: answers from a read model of what was bought. It is built anew with `skerry projections rebuild`. */
import type { Recommendations } from '@shop/recommendations-contract'
import { purchases, recommendationService } from './purchases.ts'
import type { RecommendationDatabase } from './tables.ts'

/** What was bought within so many days is in fashion. */
const TRENDING_DAYS = 7
const DAY_MS = 86_400_000

export default recommendationService.implement(
  {
    async getRecommendations({ input: { sku, limit }, db, clock }) {
      const last = await db.selectFrom('counted').select('placed_at').orderBy('placed_at', 'desc').limit(1).executeTakeFirst()
      const as_of = last?.placed_at.toISOString() ?? null
      const together = sku === undefined ? [] : await boughtWith(db, sku, limit)
      if (together.length > 0) return { because: 'bought-together', products: together, as_of }
      const since = new Date(clock.nowMs() - (TRENDING_DAYS - 1) * DAY_MS).toISOString().slice(0, 10)
      const trending = await boughtSince(db, since, sku, limit)
      return { because: trending.length > 0 ? 'trending' : 'nothing', products: trending, as_of }
    },
  },
  { projections: [purchases] },
)

type Products = Recommendations['products']

async function boughtWith(db: RecommendationDatabase, sku: string, limit: number): Promise<Products> {
  return db
    .selectFrom('pairs')
    .select(['other as sku', 'orders'])
    .where('sku', '=', sku)
    .orderBy('orders', 'desc')
    .orderBy('other')
    .limit(limit)
    .execute()
}

async function boughtSince(db: RecommendationDatabase, day: string, besides: string | undefined, limit: number): Promise<Products> {
  let query = db
    .selectFrom('sales')
    .select(({ fn }) => ['sku', fn.sum<number>('orders').as('orders')])
    .where('day', '>=', day)
    .groupBy('sku')
    .orderBy('orders', 'desc')
    .orderBy('sku')
    .limit(limit)
  if (besides !== undefined) query = query.where('sku', '<>', besides)
  return query.execute()
}
