/** The orders as all invariants see them: the only place that knows how the orders service keeps them, and what its statuses mean. */
import type { Evidence } from '../invariant.ts'

export interface AuditedOrder {
  readonly id: string
  readonly user_id: string
  readonly status: OrderStatus
  readonly total: number
  readonly currency: string
  readonly lines: readonly {
    readonly sku: string
    readonly quantity: number
    readonly unit_price: { readonly minor_units: number; readonly currency: string }
  }[]
}

export type OrderStatus = 'placed' | 'confirmed' | 'cancelled' | 'refunded'

const ORDERS = 'select id, user_id, status, total_minor_units as total, currency, lines from orders order by id'

export function readOrders({ rows }: Evidence): Promise<readonly AuditedOrder[]> {
  return rows<AuditedOrder>('orders', ORDERS)
}

/** What an order in a status has been through, itself included: of each there is one event, and one notification. */
export const HISTORY: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  placed: ['placed'],
  confirmed: ['placed', 'confirmed'],
  cancelled: ['placed', 'cancelled'],
  refunded: ['placed', 'confirmed', 'refunded'],
}

/** Statuses in which an order may stay for ever; a confirmed one leaves its own only when somebody calls it off. */
export const FINAL: ReadonlySet<OrderStatus> = new Set(['confirmed', 'cancelled', 'refunded'])

/** Orders that want nothing any more. */
export const DEAD: ReadonlySet<OrderStatus> = new Set(['cancelled', 'refunded'])
