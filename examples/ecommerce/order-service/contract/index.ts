/** What the order service promises: an order is placed once, for a user who exists, and everyone who should know is told. */
import { contract, event, get, post, problem } from 'skerry/contract'
import { z } from 'zod'
import { Amount } from './amount.ts'

/** Chosen by the client: an integer, or a UUID in any case. */
export const OrderId = z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' })

export const Order = z.object({
  id: OrderId,
  user_id: z.union([z.int(), z.uuid().toLowerCase()], { error: 'expected an integer or a UUID' }),
  product: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected one line of text'),
  amount: Amount,
})
export type Order = z.output<typeof Order>

export const orderService = contract('order-service', {
  version: '1.0.1',
  owner: 'checkout team',
  description: 'Who has ordered what',
  operations: {
    placeOrder: post('/orders', {
      summary: 'Place an order; repeating the same request changes nothing',
      input: Order,
      output: z.object({ order: Order, status: z.literal('created') }),
      errors: {
        userNotFound: problem(400, 'User not found'),
        orderExists: problem(409, 'Another order has this id'),
        usersUnavailable: problem(503, 'The user cannot be verified at the moment', z.object({ retryAfterMs: z.number() })),
      },
      idempotent: true,
      public: true,
    }),
    getOrder: get('/orders/{id}', {
      summary: 'Look up an order',
      input: z.object({ id: OrderId }),
      output: Order,
      errors: { orderNotFound: problem(404, 'Order not found') },
      public: true,
    }),
  },
  events: {
    // The binding serves consumers written before this system: they find the bare order on the queue they have always declared.
    orderPlaced: event(Order, { key: 'id', bindings: { amqp: { queue: 'orders', durable: false } } }),
  },
})
