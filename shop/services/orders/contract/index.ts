/** What the orders service promises: an order is placed once, for a user who exists, at the prices of that moment. */
import { contract, event, get, post, problem } from 'skerry/contract'
import { z } from 'zod'
import { NewOrder, Order, OrderHistory, OrderId, UserId } from './order.ts'

export type { NewOrder, Order, OrderHistory, OrderLine } from './order.ts'

const Unavailable = z.object({ retryAfterMs: z.number() })

export const orders = contract('orders', {
  version: '1.1.2',
  owner: 'checkout team',
  description: 'Who has ordered what',
  operations: {
    placeOrder: post('/orders', {
      summary: 'Place an order; with an id of your own or an Idempotency-Key, repeating the request changes nothing',
      input: NewOrder,
      output: z.object({ order: Order, status: z.literal('created') }),
      errors: {
        userNotFound: problem(400, 'User not found'),
        productNotFound: problem(422, 'Product not found', z.object({ skus: z.array(z.string()) })),
        currenciesDiffer: problem(422, 'One order cannot have prices in several currencies'),
        priceChanged: problem(409, 'The order does not cost that amount', z.object({ amount: z.number(), currency: z.string() })),
        orderExists: problem(409, 'Another order has this id or Idempotency-Key'),
        notVerifiable: problem(503, 'The order cannot be verified at the moment', Unavailable),
      },
      public: true,
    }),
    getOrder: get('/orders/{id}', {
      summary: 'Look up an order',
      input: z.object({ id: OrderId }),
      output: Order,
      errors: { orderNotFound: problem(404, 'Order not found') },
      public: true,
    }),
    getOrderHistory: get('/orders/{id}/history', {
      summary: 'What has happened to an order, and what it was then',
      input: z.object({
        id: OrderId,
        at: z.iso.datetime({ offset: true }).optional().meta({ description: 'Look back to this moment. Default: the present' }),
      }),
      output: OrderHistory,
      errors: { orderNotFound: problem(404, 'Order not found') },
      public: true,
    }),
    cancelOrder: post('/orders/{id}/cancel', {
      summary: 'Call an order off: before it is paid nothing is charged, afterwards the money is given back',
      input: z.object({ id: OrderId }),
      output: Order,
      errors: {
        orderNotFound: problem(404, 'Order not found'),
        beingPaid: problem(503, 'The order is being paid at this moment: ask again', Unavailable),
      },
      idempotent: true,
      public: true,
    }),
    listOrders: get('/orders', {
      summary: 'The orders of a user, the latest first, at most 100',
      input: z.object({ user_id: UserId }),
      output: z.array(Order),
      public: true,
    }),
  },
  events: {
    orderConfirmed: event(Order, { key: 'id', summary: 'It is paid, and will be sent' }),
    orderCancelled: event(Order, { key: 'id', summary: 'It will not be sent, and nothing is charged' }),
    orderRefunded: event(Order, { key: 'id', summary: 'It was paid and called off; the money is given back' }),
    // The binding serves consumers that knew the first order service: they find the bare order on the queue they have always declared.
    orderPlaced: event(Order, { key: 'id', bindings: { amqp: { queue: 'orders', durable: false } } }),
  },
})
