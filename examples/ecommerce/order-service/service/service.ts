/** The order service: takes an order when its user exists, and publishes it in the same transaction that stores it. */
import type { Order } from '@ecommerce/order-service-contract'
import { orderService } from '@ecommerce/order-service-contract'
import { userService } from '@ecommerce/user-service-contract'
import { service, tables } from 'skerry'
import type { OrderRow } from './order-row.ts'
import { toOrder, toRow } from './order-row.ts'

const orders = service(orderService, {
  uses: { users: userService },
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ orders: OrderRow }>(),
})

export default orders.implement({
  async placeOrder({ input: order, db, call, transaction, clock, fail }) {
    const placed = (existing: OrderRow) => {
      if (!isSame(toOrder(existing), order)) throw fail.orderExists()
      return { order, status: 'created' as const }
    }
    // A client that repeats a request, because the answer was lost, needs no user service to hear it again.
    const earlier = await db.selectFrom('orders').selectAll().where('id', '=', String(order.id)).executeTakeFirst()
    if (earlier !== undefined) return placed(earlier)

    const user = await call.users.getUser.try({ id: order.user_id })
    if (!user.ok) {
      if (user.error.code === 'userNotFound') throw fail.userNotFound()
      throw fail.usersUnavailable({ retryAfterMs: user.error.data.retryAfterMs ?? 1_000 })
    }

    return transaction(async ({ db, emit }) => {
      const created = await db
        .insertInto('orders')
        .values(toRow(order, clock.now()))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('id')
        .executeTakeFirst()
      // Someone else has placed it since we looked.
      if (created === undefined)
        return placed(await db.selectFrom('orders').selectAll().where('id', '=', String(order.id)).executeTakeFirstOrThrow())
      emit.orderPlaced(order)
      return { order, status: 'created' as const }
    })
  },

  async getOrder({ input: { id }, db, fail }) {
    const row = await db.selectFrom('orders').selectAll().where('id', '=', String(id)).executeTakeFirst()
    if (row === undefined) throw fail.orderNotFound()
    return toOrder(row)
  },
})

function isSame(one: Order, other: Order): boolean {
  return one.user_id === other.user_id && one.product === other.product && one.amount === other.amount
}
