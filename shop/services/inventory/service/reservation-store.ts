/** Reservations in the database. Reading one locks it: commands on one order come one after the other. */
import type { Line, Reservation, Shortage } from '@shop/inventory-contract'
import type { ReservationState } from './reservation.ts'
import type { InventoryDatabase } from './tables.ts'

export interface NewState {
  readonly orderId: string
  readonly status: Reservation['status']
  /** Undefined leaves it as it is. */
  readonly expiresAt?: Date
  readonly shortages?: readonly Shortage[]
  readonly at: Date
}

export async function findReservation(db: InventoryDatabase, orderId: string): Promise<ReservationState | undefined> {
  const row = await db.selectFrom('reservations').selectAll().where('order_id', '=', orderId).executeTakeFirst()
  return row && { ...row, expiresAt: row.expires_at, lines: await linesOf(db, orderId) }
}

export async function lockReservation(db: InventoryDatabase, orderId: string): Promise<ReservationState | undefined> {
  await db.selectFrom('reservations').select('order_id').where('order_id', '=', orderId).forUpdate().execute()
  return findReservation(db, orderId)
}

/** Adds a reservation that does not exist; when another transaction has added it meanwhile, the database asks for this one to be run again. */
export async function insertReservation(db: InventoryDatabase, state: NewState, lines: readonly Line[]): Promise<void> {
  await db
    .insertInto('reservations')
    .values({
      order_id: state.orderId,
      status: state.status,
      expires_at: state.expiresAt ?? null,
      shortages: state.shortages === undefined ? null : JSON.stringify(state.shortages),
      changed_at: state.at,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('order_id')
    .executeTakeFirstOrThrow()
  if (lines.length === 0) return
  await db
    .insertInto('reservation_lines')
    .values(lines.map((line) => ({ order_id: state.orderId, ...line })))
    .execute()
}

export async function updateReservation(db: InventoryDatabase, { orderId, status, expiresAt, shortages, at }: NewState): Promise<void> {
  await db
    .updateTable('reservations')
    .set({
      status,
      changed_at: at,
      ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
      shortages: shortages === undefined ? null : JSON.stringify(shortages),
    })
    .where('order_id', '=', orderId)
    .execute()
}

export async function linesOf(db: InventoryDatabase, orderId: string): Promise<readonly Line[]> {
  return db.selectFrom('reservation_lines').select(['sku', 'quantity']).where('order_id', '=', orderId).orderBy('sku').execute()
}
