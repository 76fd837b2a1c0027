/**
 * The orders as they are now, for those who ask. What an order is follows from its history alone; the row that says so is written in the
 * transaction that adds to the history. A read model that follows a moment later would be rebuilt by a command, but whoever has
 * just placed an order, or seen it confirmed, asks for it and for his list at once, and must not see it go back in time.
 */
import type { Order, orders } from '@shop/orders-contract'
import type { Kysely } from 'kysely'
import type { InTransaction } from 'skerry/service'
import type { Decide } from './decisions.ts'
import type { OrderRow, OrderTables } from './order-row.ts'
import { toOrder } from './order-row.ts'
import type { OrderState, Terms } from './order-stream.ts'
import { order } from './order-stream.ts'

type Open = Pick<InTransaction<typeof orders, OrderTables, { readonly order: typeof order }>, 'db' | 'streams'>

/** What a request says besides the terms. */
export interface PlacedBy {
  readonly idempotencyKey: string | null
  readonly card: string
}

/** Begins the history of an order. Undefined when there is one of this id, or of this user and Idempotency-Key. */
export async function begin(
  { db, streams }: Open,
  id: string,
  terms: Terms,
  { idempotencyKey, card }: PlacedBy,
): Promise<Order | undefined> {
  const row = await db
    .insertInto('orders')
    .values({
      id,
      user_id: terms.user_id,
      idempotency_key: idempotencyKey,
      lines: JSON.stringify(terms.lines),
      total_minor_units: terms.total.minor_units,
      currency: terms.total.currency,
      placed_at: new Date(terms.placed_at),
      card,
      status: 'placed',
      version: 1,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row === undefined) return undefined
  await streams.order.append(id, { expected: 0 }, [{ type: 'placed', data: terms }])
  return toOrder(row)
}

/** He was known to users then: who has not been erased since still is. */
export async function hasOrdered(db: Kysely<OrderTables>, userId: number | string): Promise<boolean> {
  const found = await db.selectFrom('orders').select('id').where('user_id', '=', String(userId)).limit(1).executeTakeFirst()
  return found !== undefined
}

/** Adds to the history of an order what follows from it, which may be nothing, and returns what it is then. */
export async function follow({ db, streams }: Open, id: string, decide: Decide): Promise<Order> {
  let after: OrderState = order.initial
  const { version } = await streams.order.decide(id, (state) => {
    const events = decide(state)
    after = events.reduce((before, event) => order.evolve(before, event), state)
    return events
  })
  const now = orderAt(id, after)
  if (now === undefined) throw new Error(`There is no order ${id}`)
  const { status, reason } = now
  await db.updateTable('orders').set({ status, reason, version }).where('id', '=', id).where('version', '<', version).execute()
  return now
}

/** What the order is in a state of its history. */
export function orderAt(id: string, { status, reason, terms }: OrderState): Order | undefined {
  if (status === 'none' || terms === undefined) return undefined
  const { user_id, lines, total, placed_at } = terms
  const row: Omit<OrderRow, 'idempotency_key' | 'card' | 'version'> = {
    id,
    user_id,
    lines,
    total_minor_units: total.minor_units,
    currency: total.currency,
    placed_at: new Date(placed_at),
    status,
    reason,
  }
  return toOrder(row)
}
