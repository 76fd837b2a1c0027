/** The orders as all invariants see them: the only place that knows how the orders service keeps them. */
import type { Evidence } from '../invariant.ts'

export interface AuditedOrder {
  readonly id: string
  readonly user_id: string
  /** `placed` until the checkout moves orders on. */
  readonly status: string
  readonly total: number
  readonly currency: string
  readonly lines: readonly {
    readonly sku: string
    readonly quantity: number
    readonly unit_price: { readonly minor_units: number; readonly currency: string }
  }[]
}

// The column is looked up by name, so that this holds before and after orders have one.
const ORDERS = `
  select id, user_id, coalesce(to_jsonb(orders) ->> 'status', 'placed') as status, total_minor_units as total, currency, lines
  from orders order by id`

export function readOrders({ rows }: Evidence): Promise<readonly AuditedOrder[]> {
  return rows<AuditedOrder>('orders', ORDERS)
}

/** Statuses in which an order stays for ever. `placed` is one for as long as nothing moves orders on. */
export const FINAL = new Set(['placed', 'confirmed', 'cancelled', 'refunded'])

/** Orders that want nothing any more. */
export const DEAD = new Set(['cancelled', 'refunded'])
