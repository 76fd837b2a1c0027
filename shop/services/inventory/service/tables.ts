/** The tables of inventory, for Kysely. */
import type { Reservation, Shortage } from '@shop/inventory-contract'
import type { ColumnType, Generated, GeneratedAlways, Kysely } from 'kysely'

export interface InventoryTables {
  readonly stock: StockTable
  readonly movements: MovementTable
  readonly reservations: ReservationTable
  readonly reservation_lines: ReservationLineTable
}

export type InventoryDatabase = Kysely<InventoryTables>

interface StockTable {
  readonly sku: string
  readonly on_hand: Generated<number>
  readonly reserved: Generated<number>
  readonly low_below: Generated<number>
}

export type MovementKind = 'initial' | 'received' | 'reserved' | 'released' | 'expired' | 'committed' | 'restocked'

interface MovementTable {
  readonly id: GeneratedAlways<number>
  readonly sku: string
  readonly kind: MovementKind
  readonly quantity: number
  readonly on_hand_change: GeneratedAlways<number>
  readonly reserved_change: GeneratedAlways<number>
  readonly order_id: string | null
  readonly adjustment: string | null
  readonly reason: string | null
  readonly moved_at: Date
}

interface ReservationTable {
  readonly order_id: string
  readonly status: Reservation['status']
  readonly expires_at: Date | null
  /** Written as JSON text. */
  readonly shortages: ColumnType<readonly Shortage[] | null, string | null, string | null>
  readonly changed_at: Date
}

interface ReservationLineTable {
  readonly order_id: string
  readonly sku: string
  readonly quantity: number
}
