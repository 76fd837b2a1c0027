/** The inventory service: a ledger of pieces, and reservations that are kept, given back or run out, each exactly once. */
import type { Reservation, Stock } from '@shop/inventory-contract'
import { inventory } from '@shop/inventory-contract'
import { service, tables } from 'skerry'
import { adjust } from './adjustment.ts'
import { expireOf, expireOldest, isOverdue } from './expiry.ts'
import { fromText } from './id-text.ts'
import { findReservation } from './reservation-store.ts'
import type { ReservationState } from './reservation.ts'
import { carryOut } from './reserve.ts'
import type { InventoryTables } from './tables.ts'

const inventoryService = service(inventory, {
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<InventoryTables>(),
})

const EXPIRED_AT_ONCE = 500

/** For products that nobody asks about: whoever does ask gives back what is overdue of them himself. */
const giveBack = inventoryService.every('1m', 'expire-reservations', async ({ db, emit, clock }) => {
  await expireOldest({ db, emit }, EXPIRED_AT_ONCE, clock.now())
})

export default inventoryService.implement(
  {
    async getStock({ input: { sku }, db, transaction, clock, fail }) {
      const now = clock.now()
      if (await isOverdue(db, sku, now)) await transaction((open) => expireOf(open, [sku], now))
      const row = await db.selectFrom('stock').select(['sku', 'on_hand', 'reserved']).where('sku', '=', sku).executeTakeFirst()
      if (row === undefined) throw fail.stockNotFound()
      return { ...row, available: row.on_hand - row.reserved } satisfies Stock
    },

    async adjustStock({ input, idempotencyKey, transaction, clock, fail }) {
      const now = clock.now()
      return transaction(async (open) => {
        const outcome = await adjust(open, { ...input, name: input.id ?? idempotencyKey }, now)
        if (outcome.kind === 'not enough') throw fail.notEnoughStock({ available: outcome.available })
        if (outcome.kind === 'exists') throw fail.adjustmentExists()
        return outcome.stock
      })
    },

    async reserveStock({ input: { order_id, lines }, transaction, clock, fail }) {
      const now = clock.now()
      const outcome = await transaction((open) => carryOut(open, { command: 'reserve', orderId: String(order_id), lines, now }))
      switch (outcome.kind) {
        case 'done':
          return toReservation(order_id, outcome.state)
        case 'differs':
          throw fail.reservationDiffers()
        case 'refused':
          if (outcome.problem === 'outOfStock') throw fail.outOfStock({ shortages: [...(outcome.state?.shortages ?? [])] })
          throw fail.reservationClosed({ status: outcome.state!.status })
      }
    },

    async getReservation({ input: { order_id }, db, clock, transaction, fail }) {
      const now = clock.now()
      const found = await findReservation(db, String(order_id))
      if (found === undefined) throw fail.reservationNotFound()
      if (found.status !== 'reserved' || found.expiresAt === null || found.expiresAt > now) return toReservation(order_id, found)
      await transaction((open) =>
        expireOf(
          open,
          found.lines.map(({ sku }) => sku),
          now,
        ),
      )
      return toReservation(order_id, (await findReservation(db, String(order_id))) ?? found)
    },

    async commitReservation({ input: { order_id }, transaction, clock, fail }) {
      const now = clock.now()
      const outcome = await transaction((open) => carryOut(open, { command: 'commit', orderId: String(order_id), now }))
      if (outcome.kind === 'done') return toReservation(order_id, outcome.state)
      if (outcome.kind === 'differs' || outcome.problem === 'reservationNotFound') throw fail.reservationNotFound()
      if (outcome.problem === 'reservationExpired') throw fail.reservationExpired()
      throw fail.reservationClosed({ status: outcome.state!.status })
    },

    async releaseReservation({ input: { order_id }, transaction, clock, fail }) {
      const now = clock.now()
      const outcome = await transaction((open) => carryOut(open, { command: 'release', orderId: String(order_id), now }))
      if (outcome.kind !== 'done') throw fail.reservationCommitted()
      return toReservation(order_id, outcome.state)
    },

    async restockReservation({ input: { order_id }, transaction, clock }) {
      const now = clock.now()
      const outcome = await transaction((open) => carryOut(open, { command: 'restock', orderId: String(order_id), now }))
      if (outcome.kind !== 'done') throw new Error(`the reservation of order ${order_id} cannot be restocked`)
      return toReservation(order_id, outcome.state)
    },

    async expireReservations({ input: { limit }, transaction, clock }) {
      const now = clock.now()
      return { expired: await transaction((open) => expireOldest(open, limit, now)) }
    },
  },
  {
    schedules: [giveBack],
    // All are named by their order: asked again, they find what was done.
    ownIdempotency: ['reserveStock', 'commitReservation', 'releaseReservation', 'restockReservation', 'expireReservations'],
  },
)

function toReservation(orderId: number | string, { status, lines, expiresAt }: ReservationState): Reservation {
  return {
    order_id: fromText(String(orderId)),
    status,
    lines: [...lines],
    expires_at: status === 'reserved' && expiresAt !== null ? expiresAt.toISOString() : null,
  }
}
