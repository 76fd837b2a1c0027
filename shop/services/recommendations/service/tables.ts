/** The tables of recommendations, for Kysely. */
import type { ColumnType, Kysely } from 'kysely'

export interface RecommendationTables {
  readonly orders_seen: {
    readonly order_id: string
    /** Written as JSON text. */
    readonly skus: ColumnType<readonly string[], string, never>
    readonly placed_at: Date
  }
  readonly projection: { readonly id: number; readonly live: number; readonly building: number | null }
  readonly folded: { readonly generation: number; readonly order_id: string }
  readonly pairs: { readonly generation: number; readonly sku: string; readonly other: string; readonly orders: number }
  /** `day` is written and read as `2026-01-31`. */
  readonly sales: { readonly generation: number; readonly sku: string; readonly day: string; readonly orders: number }
}

export type RecommendationDatabase = Kysely<RecommendationTables>
