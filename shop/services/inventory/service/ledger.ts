/**
 * The stock ledger: movements are added and nothing else, and the balance of a product changes only with them, in the
 * same transaction. Callers lock the balances first (`lockStock`), so that what they have read still holds when they write.
 */
import type { Line, Stock } from '@shop/inventory-contract'
import type { InventoryDatabase, MovementKind } from './tables.ts'

export interface Balance extends Stock {
  readonly low_below: number
}

export interface Movement {
  readonly kind: MovementKind
  readonly lines: readonly Line[]
  readonly orderId?: string
  /** The name of the request that made it. */
  readonly adjustment?: string
  readonly reason?: string
  readonly at: Date
}

/** The balances of these products, locked until the transaction ends; those that do not exist are left out. Always in one order: no deadlock. */
export async function lockStock(db: InventoryDatabase, skus: readonly string[]): Promise<ReadonlyMap<string, Balance>> {
  if (skus.length === 0) return new Map()
  const rows = await db
    .selectFrom('stock')
    .select(['sku', 'on_hand', 'reserved', 'low_below'])
    .where('sku', 'in', skus)
    .orderBy('sku')
    .forUpdate()
    .execute()
  return new Map(rows.map((row) => [row.sku, { ...row, available: row.on_hand - row.reserved }]))
}

/** Adds the movement of each line, and returns the products of which it leaves fewer than there should be, if it was this movement that did. */
export async function move(db: InventoryDatabase, { kind, lines, orderId, adjustment, reason, at }: Movement): Promise<readonly Stock[]> {
  if (lines.length === 0) return []
  const moved = await db
    .insertInto('movements')
    .values(
      lines.map((line) => ({
        ...line,
        kind,
        order_id: orderId ?? null,
        adjustment: adjustment ?? null,
        reason: reason ?? null,
        moved_at: at,
      })),
    )
    // Of two transactions that use one name the second is run again, and finds the movement of the first.
    .onConflict((conflict) => conflict.column('adjustment').doNothing())
    .returning(['sku', 'on_hand_change', 'reserved_change'])
    .execute()
  const low: Stock[] = []
  for (const { sku, on_hand_change, reserved_change } of moved) {
    const { on_hand, reserved, low_below } = await db
      .updateTable('stock')
      .set((is) => ({ on_hand: is('on_hand', '+', on_hand_change), reserved: is('reserved', '+', reserved_change) }))
      .where('sku', '=', sku)
      .returning(['on_hand', 'reserved', 'low_below'])
      .executeTakeFirstOrThrow()
    const available = on_hand - reserved
    const before = available - on_hand_change + reserved_change
    if (available < low_below && before >= low_below) low.push({ sku, on_hand, reserved, available })
  }
  return low
}
