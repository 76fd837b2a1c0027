/**
 * What follows an order that was accepted: its pieces are reserved, its payment is authorized, the pieces leave the warehouse, the payment is
 * captured. Until the capture everything can be undone, and is when a step is refused, the customer calls the order off, or it takes too
 * long. From the capture on the order is confirmed, however long that takes.
 */
import type { Order } from '@shop/orders-contract'
import type { Kysely } from 'kysely'
import { CallError } from 'skerry'
import { z } from 'zod'
import { orderService } from './definition.ts'
import type { OrderTable } from './order-row.ts'
import { toOrder } from './order-row.ts'

const Money = z.object({ minor_units: z.int(), currency: z.enum(['EUR', 'GBP', 'USD']) })
const Accepted = z.object({
  order_id: z.union([z.int(), z.string()]),
  lines: z.array(z.object({ sku: z.string(), quantity: z.int() })),
  total: Money,
  card: z.string(),
})

/** What costs nothing need not be paid. */
const costsSomething = ({ input }: { readonly input: z.output<typeof Accepted> }): boolean => input.total.minor_units > 0

/** More than what payments waits for the provider. */
const PAYMENT_TIMEOUT = '15s'
/** What is merely unreachable is asked for again this often. */
const retry = { backoff: '500ms..1m' } as const

export const checkout = orderService
  .saga('checkout', { input: Accepted, deadline: '4h' })
  .step('reserveStock', {
    run: ({ input: { order_id, lines }, call }) => call.inventory.reserveStock({ order_id, lines }),
    undo: ({ input: { order_id }, call }) => call.inventory.releaseReservation({ order_id }),
    retry,
  })
  .step('authorizePayment', {
    when: costsSomething,
    run: ({ input: { order_id, total, card }, call }) => call.payments.authorizePayment({ order_id, amount: total, card }),
    undo: ({ input: { order_id }, call }) => call.payments.voidPayment({ order_id }),
    timeout: PAYMENT_TIMEOUT,
    retry,
  })
  .step('commitStock', {
    async run({ input: { order_id, lines }, call }) {
      try {
        return await call.inventory.commitReservation({ order_id })
      } catch (error) {
        if (!(error instanceof CallError) || error.code !== 'reservationExpired') throw error
        // The payment took longer than the reservation lasts: once more, if there are still enough pieces.
        await call.inventory.reserveStock({ order_id, lines })
        return call.inventory.commitReservation({ order_id })
      }
    },
    undo: ({ input: { order_id }, call }) => call.inventory.restockReservation({ order_id }),
    retry,
  })
  .step('capturePayment', {
    when: costsSomething,
    run: ({ input: { order_id }, call }) => call.payments.capturePayment({ order_id }),
    pivot: true,
    timeout: PAYMENT_TIMEOUT,
    retry,
  })
  .local('confirm', {
    run: async ({ input: { order_id }, db, emit }) => {
      emit.orderConfirmed(await change(db, order_id, 'confirmed', null))
    },
  })
  .finally({
    compensated: async ({ input: { order_id }, failure, db, emit }) => {
      emit.orderCancelled(await change(db, order_id, 'cancelled', failure.code))
    },
  })

/** What follows when a confirmed order is called off: its money and its pieces come back. */
export const refund = orderService
  .saga('refund', { input: z.object({ order_id: z.union([z.int(), z.string()]), total: Money, reason: z.string() }) })
  .step('refundPayment', {
    when: ({ input: { total } }) => total.minor_units > 0,
    run: ({ input: { order_id, total }, call }) => call.payments.refundPayment({ order_id, refund_id: 'called-off', amount: total }),
    pivot: true,
    timeout: PAYMENT_TIMEOUT,
    retry,
  })
  .step('restock', { run: ({ input: { order_id }, call }) => call.inventory.restockReservation({ order_id }), retry })
  .local('close', {
    run: async ({ input: { order_id, reason }, db, emit }) => {
      emit.orderRefunded(await change(db, order_id, 'refunded', reason))
    },
  })

async function change(
  db: Kysely<{ orders: OrderTable }>,
  orderId: number | string,
  status: Order['status'],
  reason: string | null,
): Promise<Order> {
  const row = await db
    .updateTable('orders')
    .set({ status, reason })
    .where('id', '=', String(orderId))
    .returningAll()
    .executeTakeFirstOrThrow()
  return toOrder(row)
}
