/**
 * What payments promises: an order is charged once or not at all, whatever is lost on the way. Each operation is named by its order
 * (a refund by an id of its own besides) and may be repeated, whatever Idempotency-Key it comes with; an answer 503 or 504 means that nobody knows yet, and repeating it is how to find out.
 */
import { contract, event, get, post, problem } from 'skerry/contract'
import { z } from 'zod'
import { CardToken, Money, OrderId, Payment, RefundId } from './payment.ts'
import { SignedWebhook } from './webhook.ts'

export type { Money, Payment } from './payment.ts'
export type { SignedWebhook } from './webhook.ts'

const OfOrder = z.object({ order_id: OrderId })
const declined = problem(402, 'The payment was declined', z.object({ reason: z.string() }))
const voided = problem(409, 'The payment has been voided')
/** More than what the adapter waits for the provider, so that its answer still arrives. */
const deadline = '10s'

export const payments = contract('payments', {
  version: '1.0.1',
  owner: 'payments team',
  description: 'Who has paid what',
  operations: {
    authorizePayment: post('/payments', {
      summary: 'Make sure of the money for an order; declined, it may be tried with another card',
      input: z.object({ order_id: OrderId, amount: Money, card: CardToken }),
      output: Payment,
      errors: {
        paymentDeclined: declined,
        paymentVoided: voided,
        paymentDiffers: problem(409, 'The order has another payment: of another amount, or with another card'),
      },
      deadline,
      idempotent: true,
    }),
    capturePayment: post('/payments/{order_id}/capture', {
      summary: 'Charge what was authorized. From here there is no way back but a refund',
      input: OfOrder,
      output: Payment,
      errors: { paymentNotAuthorized: problem(409, 'The payment is not authorized'), paymentDeclined: declined, paymentVoided: voided },
      deadline,
      idempotent: true,
    }),
    voidPayment: post('/payments/{order_id}/void', {
      summary: 'Give up what was authorized; an authorization that arrives later is refused',
      input: OfOrder,
      output: Payment,
      errors: { paymentCaptured: problem(409, 'The payment is charged, or about to be: refund it') },
      deadline,
      idempotent: true,
    }),
    refundPayment: post('/payments/{order_id}/refunds', {
      summary: 'Give back what was charged, or a part of it',
      input: z.object({ order_id: OrderId, refund_id: RefundId, amount: Money }),
      output: Payment,
      errors: {
        paymentNotCaptured: problem(409, 'Nothing has been charged'),
        refundTooLarge: problem(409, 'That is more than what is left of the charge', z.object({ refundable: z.int() })),
        refundDeclined: problem(402, 'The provider refuses the refund', z.object({ reason: z.string() })),
        refundExists: problem(409, 'Another refund of this order has this id'),
      },
      deadline,
      idempotent: true,
    }),
    getPayment: get('/payments/{order_id}', {
      summary: 'How the payment of an order stands',
      input: OfOrder,
      output: Payment,
      errors: { paymentNotFound: problem(404, 'Payment not found') },
      public: true,
    }),
    reconcilePayments: post('/payments/reconcile', {
      summary: 'Ask the provider at once what became of requests that it has not answered: the service does so by itself every 30 s',
      input: z.object({ limit: z.int().min(1).max(100).default(20) }),
      output: z.object({ settled: z.int(), open: z.int() }),
      deadline: '2m',
      idempotent: true,
    }),
    receiveWebhook: post('/webhooks/provider', {
      summary: 'News from the provider, signed; late, repeated and out of order is well',
      input: SignedWebhook,
      errors: { webhookRefused: problem(401, 'The webhook is not signed by the provider, or too long ago', z.object({ why: z.string() })) },
      public: true,
      idempotent: true,
    }),
  },
  events: {
    requestUnanswered: event(z.object({ order_id: OrderId, key: z.string() }), {
      key: 'order_id',
      summary: 'The provider has not answered a request for a while, and is about to be asked what became of it',
    }),
    paymentAuthorized: event(z.object({ order_id: OrderId, amount: Money }), { key: 'order_id' }),
    paymentDeclined: event(z.object({ order_id: OrderId, amount: Money, reason: z.string() }), { key: 'order_id' }),
    paymentCaptured: event(z.object({ order_id: OrderId, amount: Money }), { key: 'order_id' }),
    paymentVoided: event(z.object({ order_id: OrderId, amount: Money }), { key: 'order_id' }),
    paymentRefunded: event(z.object({ order_id: OrderId, refund_id: RefundId, amount: Money }), { key: 'order_id' }),
  },
})
