/** Whether an order was placed before by the same request: named by its id, or by an Idempotency-Key of the same user. */
import type { NewOrder } from '@shop/orders-contract'
import type { Kysely } from 'kysely'
import type { OrderRow, OrderTables } from './order-row.ts'
import { requestedLines } from './pricing.ts'

/** Orders that were placed under the names of this request. */
export async function findEarlier(db: Kysely<OrderTables>, order: NewOrder, idempotencyKey: string | null): Promise<readonly OrderRow[]> {
  return db
    .selectFrom('orders')
    .selectAll()
    .where((is) =>
      is.or([
        ...(order.id === undefined ? [] : [is('id', '=', String(order.id))]),
        ...(idempotencyKey === null
          ? []
          : [is.and([is('user_id', '=', String(order.user_id)), is('idempotency_key', '=', idempotencyKey)])]),
      ]),
    )
    .execute()
}

/** True when the order is what the request asks for. Prices may have changed since: they do not count, unless the client names an amount. */
export function isRepetition(order: NewOrder, earlier: OrderRow): boolean {
  const requested = requestedLines(order)
  return (
    (order.id === undefined || String(order.id) === earlier.id) &&
    String(order.user_id) === earlier.user_id &&
    (order.amount === undefined || order.amount === earlier.total_minor_units / 100) &&
    requested.length === earlier.lines.length &&
    requested.every(({ sku, quantity }, index) => earlier.lines[index]?.sku === sku && earlier.lines[index].quantity === quantity)
  )
}
