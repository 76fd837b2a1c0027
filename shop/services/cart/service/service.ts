/** The cart service: keeps what customers have chosen at the prices they were shown, and hands it to orders, once. */
import { cart } from '@shop/cart-contract'
import { catalog } from '@shop/catalog-contract'
import { orders } from '@shop/orders-contract'
import { users } from '@shop/users-contract'
import { CallError, service, tables } from 'skerry'
import { findCart, itemsOf, lockCart, lockOrBegin, toCart, updateCart } from './cart-store.ts'
import { begin, changesIn, reopen } from './checkout.ts'
import { merge } from './merge.ts'
import { eraseOwner } from './owners.ts'
import { hasPrice, takeOver } from './prices.ts'
import type { CartTables } from './tables.ts'

const cartService = service(cart, {
  uses: { catalog, orders },
  listens: [users],
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<CartTables>(),
})

const MOST_PRODUCTS = 100

const followPrices = cartService.on(catalog.events.productPriceChanged, ({ event, db }) => takeOver(db, event))
const followEnds = cartService.on(catalog.events.productDiscontinued, ({ event, db }) => takeOver(db, event))
const erase = cartService.on(users.events.userErased, ({ event, db }) => eraseOwner(db, String(event.user_id)))

export default cartService.implement(
  {
    async getCart({ input: { id }, db, fail }) {
      const found = await findCart(db, id)
      if (found === undefined) throw fail.cartNotFound()
      return found
    },

    async putItem({ input: { id, sku, quantity }, call, db: own, transaction, clock, fail }) {
      const offers = await call.catalog.getOffers.try({ skus: [sku] })
      const [offer] = offers.ok ? offers.value : []
      if (offers.ok && (offer === undefined || offer.discontinued)) throw fail.productNotFound()
      // While the catalog cannot be asked, the price is the one that it has last told of.
      if (!offers.ok && !(await hasPrice(own, sku))) throw new CallError('catalog', 'getOffers', offers.error)
      const now = clock.now()
      return transaction(async ({ db }) => {
        if (offer !== undefined) await takeOver(db, offer)
        const row = await lockOrBegin(db, id, now)
        if (row.status !== 'open') throw fail.cartClosed({ status: row.status })
        const { discontinued, ...price } = await db.selectFrom('prices').selectAll().where('sku', '=', sku).executeTakeFirstOrThrow()
        if (discontinued) throw fail.productNotFound()
        const others = (await itemsOf(db, id)).filter((item) => item.sku !== sku)
        if (others.some(({ unit_price }) => unit_price.currency !== price.currency)) throw fail.currenciesDiffer()
        if (others.length === MOST_PRODUCTS) throw fail.cartFull()
        const item = { cart_id: id, quantity, ...price }
        await db
          .insertInto('items')
          .values(item)
          .onConflict((conflict) => conflict.columns(['cart_id', 'sku']).doUpdateSet(item))
          .execute()
        return toCart(db, await updateCart(db, id, { changed_at: now }))
      })
    },

    async removeItem({ input: { id, sku }, transaction, clock, fail }) {
      return transaction(async ({ db }) => {
        const row = await lockCart(db, id)
        if (row === undefined) throw fail.cartNotFound()
        if (row.status !== 'open') throw fail.cartClosed({ status: row.status })
        await db.deleteFrom('items').where('cart_id', '=', id).where('sku', '=', sku).execute()
        return toCart(db, await updateCart(db, id, { changed_at: clock.now() }))
      })
    },

    async emptyCart({ input: { id }, transaction, clock, fail }) {
      return transaction(async ({ db }) => {
        const row = await lockCart(db, id)
        if (row === undefined) throw fail.cartNotFound()
        if (row.status !== 'open') throw fail.cartClosed({ status: row.status })
        await db.deleteFrom('items').where('cart_id', '=', id).execute()
        return toCart(db, await updateCart(db, id, { changed_at: clock.now() }))
      })
    },

    async mergeCart({ input: { id, user_id }, transaction, clock, fail }) {
      return transaction(async ({ db }) => {
        const merged = await merge(db, id, String(user_id), clock.now())
        switch (merged.kind) {
          case 'merged':
            return merged.cart
          case 'not found':
            throw fail.cartNotFound()
          case 'closed':
            throw fail.cartClosed({ status: merged.status })
          case 'several currencies':
            throw fail.currenciesDiffer()
        }
      })
    },

    async checkout({ input: { id }, call, transaction, id: newId, clock, fail }) {
      const begun = await transaction(({ db }) => begin(db, id, newId, clock.now()))
      if (begun.kind === 'not found') throw fail.cartNotFound()
      if (begun.kind === 'empty') throw fail.cartEmpty()
      if (begun.kind === 'guest') throw fail.loginNeeded()
      if (begun.kind === 'closed') throw fail.cartClosed({ status: begun.status })
      if (begun.kind === 'gone') throw fail.productGone({ skus: begun.skus })
      if (begun.kind === 'changed') throw fail.pricesChanged({ changes: begun.changes })
      const { orderId, userId, lines, total } = begun.ordering
      if (!begun.isDone) {
        const placed = await call.orders.placeOrder.try({ id: orderId, user_id: userId, lines, amount: total.minor_units / 100 })
        if (!placed.ok) {
          const { error } = placed
          // Without an answer the cart stays as it is: the order may have been placed, and asking again is how to find out.
          if (error.code === 'unavailable' || error.code === 'overloaded' || error.code === 'deadlineExceeded')
            throw notYet(error.data.retryAfterMs)
          await transaction(({ db }) => reopen(db, id, String(userId), clock.now()))
          if (error.code === 'notVerifiable') throw notYet(error.data.retryAfterMs)
          if (error.code === 'userNotFound') throw fail.userNotFound()
          if (error.code === 'productNotFound') throw fail.productGone({ skus: error.data.skus })
          const offers = await call.catalog.getOffers({ skus: lines.map(({ sku }) => sku) })
          throw fail.pricesChanged({
            changes: await transaction(async ({ db }) => {
              for (const offer of offers) await takeOver(db, offer)
              return changesIn(await itemsOf(db, id))
            }),
          })
        }
      }
      return transaction(async ({ db, emit }) => {
        const row = (await lockCart(db, id))!
        if (row.status === 'checked-out') return { order_id: orderId, cart: await toCart(db, row) }
        const closed = await updateCart(db, id, { status: 'checked-out', changed_at: clock.now() })
        emit.cartCheckedOut({ cart_id: id, user_id: userId, order_id: orderId, lines, total })
        return { order_id: orderId, cart: await toCart(db, closed) }
      })
    },
  },
  { on: [followPrices, followEnds, erase] },
)

/** Not a declared problem, because it decides nothing: the checkout may be repeated. */
function notYet(retryAfterMs = 1_000): CallError {
  return new CallError('orders', 'placeOrder', {
    code: 'unavailable',
    status: 503,
    detail: 'Orders cannot be placed at the moment',
    data: { retryAfterMs },
  })
}
