/** The orders service: takes an order at the prices of the moment, and publishes it in the same transaction that stores it. */
import { checkout, refund } from './checkout.ts'
import { orderService } from './definition.ts'
import type { OrderRow } from './order-row.ts'
import { toOrder } from './order-row.ts'
import { priceOrder, requestedLines } from './pricing.ts'
import { findEarlier, isRepetition } from './repetition.ts'

/** Until users keep cards of their own, whoever names none pays with the provider's test card. */
const DEFAULT_CARD = 'tok_ok'
const BEING_PAID_RETRY_MS = 1_000

export default orderService.implement(
  {
    async placeOrder({ input, idempotencyKey = null, db, call, transaction, id: newId, clock, fail }) {
      const answerAgain = (earlier: readonly OrderRow[]) => {
        if (!earlier.every((order) => isRepetition(input, order))) throw fail.orderExists()
        // As it was then, whatever has become of it since.
        return { order: toOrder({ ...earlier[0]!, status: 'placed', reason: null }), status: 'created' as const }
      }
      // A client that repeats a request, because the answer was lost, needs nobody else to hear it again.
      const earlier = await findEarlier(db, input, idempotencyKey)
      if (earlier.length > 0) return answerAgain(earlier)

      const [user, prices] = await Promise.all([
        call.users.getUser.try({ id: input.user_id }),
        call.catalog.getPrices.try({ skus: requestedLines(input).map(({ sku }) => sku) }),
      ])
      if (!user.ok) {
        if (user.error.code === 'userNotFound') throw fail.userNotFound()
        throw fail.notVerifiable({ retryAfterMs: user.error.data.retryAfterMs ?? 1_000 })
      }
      if (!prices.ok) throw fail.notVerifiable({ retryAfterMs: prices.error.data.retryAfterMs ?? 1_000 })

      const pricing = priceOrder(input, prices.value)
      if (pricing.kind === 'unknown') throw fail.productNotFound({ skus: pricing.skus })
      if (pricing.kind === 'several currencies') throw fail.currenciesDiffer()
      const { lines, total } = pricing
      const amount = total.minor_units / 100
      if (input.amount !== undefined && input.amount !== amount) throw fail.priceChanged({ amount, currency: total.currency })

      return transaction(async ({ db, emit, start }) => {
        const row = await db
          .insertInto('orders')
          .values({
            id: String(input.id ?? newId()),
            user_id: String(input.user_id),
            idempotency_key: idempotencyKey,
            lines: JSON.stringify(lines),
            total_minor_units: total.minor_units,
            currency: total.currency,
            placed_at: clock.now(),
            card: input.card ?? DEFAULT_CARD,
          })
          .onConflict((conflict) => conflict.doNothing())
          .returningAll()
          .executeTakeFirst()
        // The same request, or another with the same name, has come first since we looked.
        if (row === undefined) return answerAgain(await findEarlier(db, input, idempotencyKey))
        const order = toOrder(row)
        emit.orderPlaced(order)
        const wanted = lines.map(({ sku, quantity }) => ({ sku, quantity }))
        start(checkout, { order_id: order.id, lines: wanted, total, card: row.card }, { key: row.id })
        return { order, status: 'created' as const }
      })
    },

    async getOrder({ input: { id }, db, fail }) {
      const row = await db.selectFrom('orders').selectAll().where('id', '=', String(id)).executeTakeFirst()
      if (row === undefined) throw fail.orderNotFound()
      return toOrder(row)
    },

    cancelOrder: ({ input: { id }, transaction, fail }) =>
      transaction(async ({ db, cancel, start }) => {
        const row = await db.selectFrom('orders').selectAll().where('id', '=', String(id)).executeTakeFirst()
        if (row === undefined) throw fail.orderNotFound()
        const order = toOrder(row)
        if (row.status === 'confirmed') start(refund, { order_id: order.id, total: order.total, reason: 'customer' }, { key: row.id })
        // Past the point of no return, and not confirmed yet: that is a matter of a moment.
        else if (row.status === 'placed' && (await cancel(checkout, { key: row.id }, 'customer')) === 'tooLate')
          throw fail.beingPaid({ retryAfterMs: BEING_PAID_RETRY_MS })
        return order
      }),

    async listOrders({ input, db }) {
      const rows = await db
        .selectFrom('orders')
        .selectAll()
        .where('user_id', '=', String(input.user_id))
        .orderBy('placed_at', 'desc')
        .orderBy('id', 'desc')
        .limit(100)
        .execute()
      return rows.map(toOrder)
    },
  },
  { sagas: [checkout, refund] },
)
