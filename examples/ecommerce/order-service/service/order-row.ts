/** An order as the database keeps it: ids as text, money in whole cents. What was put in comes out again, to the cent. */
import type { Order } from '@ecommerce/order-service-contract'

export interface OrderRow {
  readonly id: string
  readonly user_id: string
  readonly product: string
  readonly amount_cents: number
  readonly created_at: Date
}

export function toRow(order: Order, createdAt: Date): OrderRow {
  return {
    id: String(order.id),
    user_id: String(order.user_id),
    product: order.product,
    // 19.99 * 100 is 1998.9999999999998: rounding gives back the whole number of cents that was meant.
    amount_cents: Math.round(order.amount * 100),
    created_at: createdAt,
  }
}

export function toOrder(row: OrderRow): Order {
  return { id: fromText(row.id), user_id: fromText(row.user_id), product: row.product, amount: row.amount_cents / 100 }
}

function fromText(id: string): number | string {
  return /^-?\d+$/.test(id) ? Number(id) : id
}
