/** The orders service: takes an order at the prices of the moment, and publishes it in the same transaction that stores it. */
import type { OrderHistory } from '@shop/orders-contract'
import { checkout, checkoutWithoutNotes, refund } from './checkout.ts'
import { callOff } from './decisions.ts'
import { orderService } from './definition.ts'
import { isErased, rememberErased } from './erased-users.ts'
import { begin, follow, hasOrdered, orderAt } from './order-book.ts'
import type { OrderRow } from './order-row.ts'
import { toOrder } from './order-row.ts'
import type { OrderState } from './order-stream.ts'
import { order as history } from './order-stream.ts'
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
        if (user.error.code === 'userNotFound' || (await isErased(db, input.user_id))) throw fail.userNotFound()
        if (!(await hasOrdered(db, input.user_id))) throw fail.notVerifiable({ retryAfterMs: user.error.data.retryAfterMs ?? 1_000 })
      }
      if (!prices.ok) throw fail.notVerifiable({ retryAfterMs: prices.error.data.retryAfterMs ?? 1_000 })

      const pricing = priceOrder(input, prices.value)
      if (pricing.kind === 'unknown') throw fail.productNotFound({ skus: pricing.skus })
      if (pricing.kind === 'several currencies') throw fail.currenciesDiffer()
      const { lines, total } = pricing
      const amount = total.minor_units / 100
      if (input.amount !== undefined && input.amount !== amount) throw fail.priceChanged({ amount, currency: total.currency })

      return transaction(async (open) => {
        const card = input.card ?? DEFAULT_CARD
        const terms = { user_id: String(input.user_id), lines: [...lines], total, placed_at: clock.now().toISOString() }
        const order = await begin(open, String(input.id ?? newId()), terms, { idempotencyKey, card })
        // The same request, or another with the same name, has come first since we looked.
        if (order === undefined) return answerAgain(await findEarlier(open.db, input, idempotencyKey))
        // He was known when users was asked, and has been erased since.
        if (await isErased(open.db, input.user_id)) throw fail.userNotFound()
        open.emit.orderPlaced(order)
        const wanted = lines.map(({ sku, quantity }) => ({ sku, quantity }))
        open.start(checkout, { order_id: order.id, lines: wanted, total, card }, { key: String(order.id) })
        return { order, status: 'created' as const }
      })
    },

    async getOrder({ input: { id }, db, fail }) {
      const row = await db.selectFrom('orders').selectAll().where('id', '=', String(id)).executeTakeFirst()
      if (row === undefined) throw fail.orderNotFound()
      return toOrder(row)
    },

    async getOrderHistory({ input: { id, at }, streams, fail }) {
      const happened: OrderHistory['happened'] = []
      let state: OrderState = history.initial
      for await (const event of streams.order.events(String(id), at === undefined ? {} : { at: new Date(at) })) {
        state = history.evolve(state, event)
        happened.push({ version: event.version, what: event.type, at: event.at.toISOString() })
      }
      const order = orderAt(String(id), state)
      if (order === undefined) throw fail.orderNotFound()
      return { order, happened }
    },

    cancelOrder: ({ input: { id }, transaction, fail }) =>
      transaction(async (open) => {
        const row = await open.db.selectFrom('orders').selectAll().where('id', '=', String(id)).executeTakeFirst()
        if (row === undefined) throw fail.orderNotFound()
        const order = toOrder(row)
        if (row.status === 'confirmed') open.start(refund, { order_id: order.id, total: order.total, reason: 'customer' }, { key: row.id })
        else if (row.status === 'placed') {
          // Past the point of no return, and not confirmed yet: that is a matter of a moment.
          if ((await open.cancel(checkout, { key: row.id }, 'customer')) === 'tooLate')
            throw fail.beingPaid({ retryAfterMs: BEING_PAID_RETRY_MS })
        } else return order
        return follow(open, row.id, callOff)
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
  { on: [rememberErased], sagas: [checkout, checkoutWithoutNotes, refund] },
)
