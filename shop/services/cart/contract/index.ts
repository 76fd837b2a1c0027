/** What cart promises: what somebody has put in stays there, at the prices he was shown, and is ordered once. */
import { contract, del, event, get, post, problem, put } from 'skerry/contract'
import { z } from 'zod'
import { Cart, CartId, Money, OrderId, PriceChange, Sku, UserId } from './cart.ts'

export type { Cart, Item, Money } from './cart.ts'

const cartNotFound = problem(404, 'Cart not found')
const cartClosed = problem(
  409,
  'The cart has been ordered, is being ordered, or is part of another',
  z.object({ status: Cart.shape.status }),
)

export const cart = contract('cart', {
  version: '1.0.2',
  owner: 'storefront team',
  description: 'What customers are about to order',
  operations: {
    getCart: get('/carts/{id}', {
      summary: 'What is in a cart, with the prices shown and those of now',
      input: z.object({ id: CartId }),
      output: Cart,
      errors: { cartNotFound },
      public: true,
    }),
    putItem: put('/carts/{id}/items/{sku}', {
      summary: 'Have so many of a product in the cart, at the price of now; a cart begins with its first item, under an id of the client',
      input: z.object({ id: CartId, sku: Sku, quantity: z.int().min(1).max(1_000) }),
      output: Cart,
      errors: {
        productNotFound: problem(422, 'Product not found'),
        currenciesDiffer: problem(422, 'One cart cannot have prices in several currencies'),
        cartFull: problem(422, 'A cart has at most 100 products'),
        cartClosed,
      },
      public: true,
    }),
    removeItem: del('/carts/{id}/items/{sku}', {
      summary: 'Take a product out',
      input: z.object({ id: CartId, sku: Sku }),
      output: Cart,
      errors: { cartNotFound, cartClosed },
      public: true,
    }),
    emptyCart: del('/carts/{id}', {
      summary: 'Take everything out',
      input: z.object({ id: CartId }),
      output: Cart,
      errors: { cartNotFound, cartClosed },
      public: true,
    }),
    mergeCart: post('/carts/{id}/merge', {
      summary: 'A guest has logged in: what he has put in comes into his own cart, which is answered',
      input: z.object({ id: CartId, user_id: UserId }),
      output: Cart,
      errors: { cartNotFound, cartClosed, currenciesDiffer: problem(422, 'One cart cannot have prices in several currencies') },
      idempotent: true,
      public: true,
    }),
    checkout: post('/carts/{id}/checkout', {
      summary: 'Order what is in the cart, at the prices shown; repeating it answers the same order',
      input: z.object({ id: CartId }),
      output: z.object({ order_id: OrderId, cart: Cart }),
      errors: {
        cartNotFound,
        cartClosed,
        cartEmpty: problem(409, 'There is nothing in the cart'),
        loginNeeded: problem(409, 'A guest has to log in before he orders'),
        userNotFound: problem(400, 'User not found'),
        productGone: problem(409, 'Some products are not sold any more', z.object({ skus: z.array(Sku) })),
        pricesChanged: problem(409, 'Some prices have changed since they were shown', z.object({ changes: z.array(PriceChange) })),
      },
      deadline: '5s',
      public: true,
    }),
  },
  events: {
    cartCheckedOut: event(
      z.object({
        cart_id: CartId,
        user_id: UserId,
        order_id: OrderId,
        lines: z.array(z.object({ sku: Sku, quantity: z.int() })),
        total: Money,
      }),
      { key: 'cart_id' },
    ),
  },
})
