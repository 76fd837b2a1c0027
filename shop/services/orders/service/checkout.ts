/**
 * What follows an order that was accepted: its pieces are reserved, its payment is authorized, the pieces leave the warehouse, the payment is
 * captured. Until the capture everything can be undone, and is when a step is refused, the customer calls the order off, or it takes too
 * long. From the capture on the order is confirmed, however long that takes. What has been done is noted in the order's history.
 */
import type { orders } from '@shop/orders-contract'
import type { LocalStepContext } from 'skerry/service'
import { z } from 'zod'
import {
  Accepted,
  authorizePayment,
  capturePayment,
  commitStock,
  costsSomething,
  Money,
  PAYMENT_TIMEOUT,
  reserveStock,
  retry,
} from './checkout-steps.ts'
import * as decisions from './decisions.ts'
import { orderService } from './definition.ts'
import { follow } from './order-book.ts'
import type { OrderTables } from './order-row.ts'
import type { order } from './order-stream.ts'

interface Deciding extends Pick<
  LocalStepContext<typeof orders, OrderTables, unknown, unknown, { readonly order: typeof order }>,
  'db' | 'emit' | 'streams'
> {
  readonly input: { readonly order_id: number | string }
}

const note = (type: Parameters<typeof decisions.note>[0]) => async (open: Deciding) =>
  void (await follow(open, String(open.input.order_id), decisions.note(type)))

const confirm = {
  run: async (open: Deciding) => open.emit.orderConfirmed(await follow(open, String(open.input.order_id), decisions.confirm)),
}
const ending = {
  compensated: async ({ failure, ...open }: Deciding & { readonly failure: { readonly code: string } }) =>
    open.emit.orderCancelled(await follow(open, String(open.input.order_id), decisions.cancel(failure.code))),
}

export const checkout = orderService
  .saga('checkout', { input: Accepted, deadline: '4h', version: 2 })
  .step('reserveStock', reserveStock)
  .local('noteReservation', { run: note('stockReserved') })
  .step('authorizePayment', authorizePayment)
  .local('noteAuthorization', { when: costsSomething, run: note('paymentAuthorized') })
  .step('commitStock', commitStock)
  .local('noteCommitment', { run: note('stockCommitted') })
  .step('capturePayment', capturePayment)
  .local('confirm', confirm)
  .finally(ending)

/** For the checkouts that were under way when orders got their histories. To be removed when none is left: `skerry sagas list --name checkout`. */
export const checkoutWithoutNotes = orderService
  .saga('checkout', { input: Accepted, deadline: '4h' })
  .step('reserveStock', reserveStock)
  .step('authorizePayment', authorizePayment)
  .step('commitStock', commitStock)
  .step('capturePayment', capturePayment)
  .local('confirm', confirm)
  .finally(ending)

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
    run: async ({ input: { order_id, reason }, ...open }) =>
      open.emit.orderRefunded(await follow(open, String(order_id), decisions.refund(reason))),
  })
