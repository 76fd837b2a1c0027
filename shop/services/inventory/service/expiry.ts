/**
 * Reservations end by themselves when their time is up, once, whichever instance sees it first: whoever reads or writes a product gives
 * back what is overdue of it, and the schedule does the same for products that nobody asks about.
 */
import type { inventory } from '@shop/inventory-contract'
import type { Line } from '@shop/inventory-contract'
import type { Emit } from 'skerry/service'
import { fromText } from './id-text.ts'
import { lockStock, move } from './ledger.ts'
import { linesOf, updateReservation } from './reservation-store.ts'
import type { InventoryDatabase } from './tables.ts'

export interface InventoryTransaction {
  readonly db: InventoryDatabase
  readonly emit: Emit<typeof inventory>
}

/** How long a reservation holds: 15 minutes. */
export const HOLD_MS = 15 * 60_000

/** True when something of this product is overdue. Locks nothing. */
export async function isOverdue(db: InventoryDatabase, sku: string, now: Date): Promise<boolean> {
  const row = await overdue(db, now, [sku]).limit(1).executeTakeFirst()
  return row !== undefined
}

/** Ends what is overdue of these products. */
export async function expireOf(transaction: InventoryTransaction, skus: readonly string[], now: Date): Promise<void> {
  const due = await overdue(transaction.db, now, skus).forUpdate().execute()
  await expireAll(transaction, due, now)
}

/** Ends the oldest that are overdue, and returns how many. Those that another instance is at are left to it. */
export async function expireOldest(transaction: InventoryTransaction, limit: number, now: Date): Promise<number> {
  const due = await overdue(transaction.db, now).limit(limit).forUpdate().skipLocked().execute()
  await expireAll(transaction, due, now)
  return due.length
}

/** Ends one that the caller has locked and seen to be overdue. */
export async function expire(transaction: InventoryTransaction, orderId: string, now: Date): Promise<void> {
  await expireAll(transaction, [{ order_id: orderId }], now)
}

function overdue(db: InventoryDatabase, now: Date, skus?: readonly string[]) {
  const due = db
    .selectFrom('reservations')
    .select('order_id')
    .where('status', '=', 'reserved')
    .where('expires_at', '<=', now)
    .orderBy('expires_at')
    .orderBy('order_id')
  return skus === undefined
    ? due
    : due.where('order_id', 'in', (query) => query.selectFrom('reservation_lines').select('order_id').where('sku', 'in', skus))
}

async function expireAll({ db, emit }: InventoryTransaction, due: readonly { readonly order_id: string }[], now: Date): Promise<void> {
  if (due.length === 0) return
  const reservations: { readonly orderId: string; readonly lines: readonly Line[] }[] = []
  for (const { order_id } of due) reservations.push({ orderId: order_id, lines: await linesOf(db, order_id) })
  await lockStock(db, [...new Set(reservations.flatMap(({ lines }) => lines.map(({ sku }) => sku)))])
  for (const { orderId, lines } of reservations) {
    await updateReservation(db, { orderId, status: 'expired', at: now })
    await move(db, { kind: 'expired', lines, orderId, at: now })
    emit.stockReleased({ order_id: fromText(orderId), lines: [...lines], reason: 'expired' })
  }
}
