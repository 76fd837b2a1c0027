/**
 * The payments service. A command is three steps: write down what is about to be asked, ask the provider, write down what it said. Whatever
 * is lost in between, the command may come again: it finds what was written and goes on from there, under the same key.
 */
import type { Payment } from '@shop/payments-contract'
import { payments } from '@shop/payments-contract'
import { CallError, service, tables } from 'skerry'
import type { Clock } from 'skerry/engine'
import type { RunTransaction } from 'skerry/service'
import { PaymentConfig } from './config.ts'
import { fromText } from './id-text.ts'
import { toProviderRequest } from './payment-store.ts'
import type { Command, Refusal } from './payment.ts'
import { plan } from './plan.ts'
import type { PaymentProvider } from './provider.ts'
import { ProviderError } from './provider.ts'
import { claimUnanswered, reconcile } from './reconcile.ts'
import type { PaymentResources } from './resources.ts'
import { openResources } from './resources.ts'
import { settle } from './settlement.ts'
import type { PaymentRow, PaymentTables } from './tables.ts'
import { readWebhook } from './webhook.ts'

const paymentService = service(payments, {
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<PaymentTables>(),
  config: PaymentConfig,
  resources: ({ config, log }) => openResources(config, log),
})

const ASKED_AT_ONCE = 50

const lookForUnanswered = paymentService.every('30s', 'ask-about-unanswered', async ({ db, emit, clock }) => {
  for (const { order_id, key } of await claimUnanswered(db, ASKED_AT_ONCE, clock.now()))
    emit.requestUnanswered({ order_id: fromText(order_id), key })
})
const askAboutUnanswered = paymentService.effect(
  payments.events.requestUnanswered,
  async ({ event, db, transaction, clock, resources }) => {
    await reconcile({ db, transaction, provider: resources.provider(clock), clock }, event.key)
  },
)

export default paymentService.implement(
  {
    async authorizePayment(context) {
      const { input, fail } = context
      const { order_id, amount, card } = input
      const { payment, refusal } = await carryOut(context, String(order_id), { kind: 'authorize', amount, card })
      if (payment !== undefined) return toPayment(payment)
      if (refusal.code === 'paymentDeclined') throw fail.paymentDeclined({ reason: refusal.reason })
      throw refusal.code === 'paymentVoided' ? fail.paymentVoided() : fail.paymentDiffers()
    },

    async capturePayment(context) {
      const { input, fail } = context
      const { order_id } = input
      const { payment, refusal } = await carryOut(context, String(order_id), { kind: 'capture' })
      if (payment !== undefined) return toPayment(payment)
      if (refusal.code === 'paymentDeclined') throw fail.paymentDeclined({ reason: refusal.reason })
      throw refusal.code === 'paymentVoided' ? fail.paymentVoided() : fail.paymentNotAuthorized()
    },

    async voidPayment(context) {
      const { input, fail } = context
      const { order_id } = input
      const { payment } = await carryOut(context, String(order_id), { kind: 'void' })
      if (payment === undefined) throw fail.paymentCaptured()
      return toPayment(payment)
    },

    async refundPayment(context) {
      const { input, fail } = context
      const { order_id, refund_id, amount } = input
      const { payment, refusal } = await carryOut(context, String(order_id), { kind: 'refund', refundId: refund_id, amount })
      if (payment !== undefined) return toPayment(payment)
      if (refusal.code === 'refundDeclined') throw fail.refundDeclined({ reason: refusal.reason })
      if (refusal.code === 'refundTooLarge') throw fail.refundTooLarge({ refundable: refusal.refundable })
      throw refusal.code === 'refundExists' ? fail.refundExists() : fail.paymentNotCaptured()
    },

    async getPayment({ input: { order_id }, db, fail }) {
      const row = await db.selectFrom('payments').selectAll().where('order_id', '=', String(order_id)).executeTakeFirst()
      if (row === undefined) throw fail.paymentNotFound()
      return toPayment(row)
    },

    async reconcilePayments({ input: { limit }, db, transaction, clock, resources }) {
      const due = await transaction(({ db }) => claimUnanswered(db, limit, clock.now()))
      let settled = 0
      for (const { key } of due) if (await reconcile({ db, transaction, provider: resources.provider(clock), clock }, key)) settled++
      return { settled, open: due.length - settled }
    },

    async receiveWebhook({ input, transaction, clock, config, log, fail }) {
      const now = clock.now()
      const read = readWebhook(input, config.PAYMENT_WEBHOOK_SECRET, now)
      if (!read.ok) throw fail.webhookRefused({ why: read.why })
      const { id, type, key, outcome } = read.event
      const effect = await transaction(async (open) => {
        const earlier = await open.db.selectFrom('provider_events').select('id').where('id', '=', id).executeTakeFirst()
        if (earlier !== undefined) return 'known'
        const news = await settle(open, key, outcome, now)
        await open.db
          .insertInto('provider_events')
          .values({ id, key, type, effect: news, payload: JSON.stringify(read.event), received_at: now })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        return news
      })
      if (effect === 'contradiction') log.error('A webhook contradicts what is known of a payment; somebody has to look', { key, type })
      if (effect === 'stranger') log.warn('A webhook is about a request that was never made here', { key, type })
    },
  },
  {
    on: [askAboutUnanswered],
    schedules: [lookForUnanswered],
    // The provider is asked between two transactions, under a key of the order: asked again, both sides find what was done.
    ownIdempotency: ['authorizePayment', 'capturePayment', 'voidPayment', 'refundPayment', 'reconcilePayments', 'receiveWebhook'],
  },
)

interface Means {
  readonly transaction: RunTransaction<typeof payments, PaymentTables>
  readonly clock: Clock
  readonly resources: PaymentResources
}

type Result = { readonly payment: PaymentRow; readonly refusal?: undefined } | { readonly payment?: undefined; readonly refusal: Refusal }

/** A command asks at most once; what it finds afterwards may be the doing of another that came between, such as a void. */
const MAX_ROUNDS = 3

async function carryOut({ transaction, clock, resources }: Means, orderId: string, command: Command): Promise<Result> {
  const provider = resources.provider(clock)
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const planned = await transaction((open) => plan(open, orderId, command, clock.now()))
    if (planned.kind === 'done') return { payment: planned.payment }
    if (planned.kind === 'refused') return { refusal: planned.refusal }
    const outcome = await ask(provider, planned.request)
    await transaction((open) => settle(open, planned.request.key, outcome, clock.now()))
  }
  throw notYet('unavailable', `the ${command.kind} of order ${orderId} is not settled yet`)
}

async function ask(provider: PaymentProvider, request: Parameters<typeof toProviderRequest>[0]) {
  try {
    return await provider.perform(toProviderRequest(request))
  } catch (error) {
    if (error instanceof ProviderError) throw notYet(error.outcome === 'unknown' ? 'deadlineExceeded' : 'unavailable', error.message)
    throw error
  }
}

/** Not a declared problem, because it decides nothing: the caller repeats the command until there is an answer. */
function notYet(code: 'unavailable' | 'deadlineExceeded', detail: string): CallError {
  const status = code === 'unavailable' ? 503 : 504
  return new CallError('payment-provider', 'perform', { code, status, detail, data: { retryAfterMs: 1_000 } })
}

function toPayment({ order_id, status, amount, currency, captured, refunded, reason }: PaymentRow): Payment {
  return {
    order_id: fromText(order_id),
    status,
    amount: amount === null || currency === null ? null : { minor_units: amount, currency },
    captured,
    refunded,
    reason,
  }
}
