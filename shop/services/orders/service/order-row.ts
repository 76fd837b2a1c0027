/** An order as the database keeps it, and what of it is told to clients. */
import type { Order, OrderLine } from '@shop/orders-contract'
import type { ColumnType } from 'kysely'

export interface OrderTable {
  readonly id: string
  readonly user_id: string
  readonly idempotency_key: string | null
  /** Written as JSON text. */
  readonly lines: ColumnType<readonly OrderLine[], string, never>
  readonly total_minor_units: number
  readonly currency: Order['total']['currency']
  readonly card: string
  readonly placed_at: Date
  readonly status: Order['status']
  readonly reason: ColumnType<string | null, string | null | undefined>
  /** Of its history, which it is what follows from. */
  readonly version: number
}

export interface OrderTables {
  readonly orders: OrderTable
  readonly erased_users: { readonly user_id: string }
}

export interface OrderRow extends Omit<OrderTable, 'lines' | 'status' | 'reason'> {
  readonly lines: readonly OrderLine[]
  readonly status: Order['status']
  readonly reason: string | null
}

export function toOrder(row: Omit<OrderRow, 'idempotency_key' | 'card' | 'version'>): Order {
  return {
    id: fromText(row.id),
    user_id: fromText(row.user_id),
    product: inOne(row.lines),
    amount: row.total_minor_units / 100,
    lines: [...row.lines],
    total: { minor_units: row.total_minor_units, currency: row.currency },
    status: row.status,
    reason: row.reason,
    placed_at: row.placed_at.toISOString(),
  }
}

function inOne(lines: readonly OrderLine[]): string {
  const [first, ...others] = lines
  if (first?.quantity === 1 && others.length === 0) return first.sku
  return lines.map(({ quantity, sku }) => `${quantity} ${sku}`).join(', ')
}

export function fromText(id: string): number | string {
  return /^-?\d+$/.test(id) ? Number(id) : id
}
