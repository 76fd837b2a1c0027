/** The tables of recommendations, for Kysely: all of them are of its projection. */
import type { Kysely } from 'kysely'

export interface RecommendationTables {
  readonly counted: { readonly order_id: string; readonly placed_at: Date }
  readonly pairs: { readonly sku: string; readonly other: string; readonly orders: number }
  /** `day` is written and read as `2026-01-31`. */
  readonly sales: { readonly sku: string; readonly day: string; readonly orders: number }
}

export type RecommendationDatabase = Kysely<RecommendationTables>
