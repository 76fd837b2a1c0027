/**
 * What the provider did becomes what we know, once: whether its answer, a webhook or a question brings the news first, and in
 * whichever order they come. Runs in the transaction of whoever brings it.
 */
import type { Money, Payment } from '@shop/payments-contract'
import type { payments } from '@shop/payments-contract'
import type { Emit } from 'skerry/service'
import { fromText } from './id-text.ts'
import { post } from './ledger.ts'
import { lockPayment } from './payment-store.ts'
import type { ProviderOutcome } from './provider.ts'
import type { PaymentDatabase, PaymentRow, RequestRow } from './tables.ts'

export interface PaymentTransaction {
  readonly db: PaymentDatabase
  readonly emit: Emit<typeof payments>
}

export type Settlement =
  /** It was news. */
  | 'settled'
  /** It was known. */
  | 'known'
  /** We know otherwise, and stay with what came first. */
  | 'contradiction'
  /** No request of ours has this key. */
  | 'stranger'

export async function settle(open: PaymentTransaction, key: string, outcome: ProviderOutcome, now: Date): Promise<Settlement> {
  const { db } = open
  const named = await db.selectFrom('provider_requests').select('order_id').where('key', '=', key).executeTakeFirst()
  if (named === undefined) return 'stranger'
  const payment = (await lockPayment(db, named.order_id))!
  const request = await db.selectFrom('provider_requests').selectAll().where('key', '=', key).executeTakeFirstOrThrow()
  if (request.state !== 'pending') return request.state === outcome.status ? 'known' : 'contradiction'
  // The provider would not give up what it has: nothing here may pretend that it did.
  if (request.kind === 'void' && outcome.status === 'declined') return 'contradiction'
  await db
    .updateTable('provider_requests')
    .set({ state: outcome.status, reason: outcome.status === 'declined' ? outcome.reason : null, settled_at: now })
    .where('key', '=', key)
    .execute()
  if (outcome.status === 'succeeded') await succeed(open, payment, request, now)
  else await decline(open, payment, request, outcome.reason, now)
  return 'settled'
}

async function succeed({ db, emit }: PaymentTransaction, payment: PaymentRow, request: RequestRow, now: Date): Promise<void> {
  const { amount } = request
  const about = { order_id: fromText(payment.order_id), amount: moneyOf(request) }
  switch (request.kind) {
    case 'authorize':
      // Given up already: the provider has released it, or is about to.
      if (payment.status === 'voided') return
      await post(db, 'hold', request, amount, now)
      await change(db, payment, { authorized: amount, ...(payment.status === 'authorizing' ? { status: 'authorized' } : {}) }, now)
      if (payment.status === 'authorizing') emit.paymentAuthorized(about)
      return
    case 'capture':
      await post(db, 'release', request, payment.authorized, now)
      await post(db, 'sale', request, amount, now)
      await change(db, payment, { status: 'captured', captured: amount }, now)
      emit.paymentCaptured(about)
      return
    case 'void':
      if (payment.authorized > 0) await post(db, 'release', request, payment.authorized, now)
      await change(db, payment, { status: 'voided', authorized: 0 }, now)
      emit.paymentVoided(about)
      return
    case 'refund':
      await post(db, 'refund', request, amount, now)
      await change(db, payment, { refunded: payment.refunded + amount }, now)
      emit.paymentRefunded({ ...about, refund_id: request.key.slice(request.key.lastIndexOf(':') + 1) })
  }
}

async function decline(
  { db, emit }: PaymentTransaction,
  payment: PaymentRow,
  request: RequestRow,
  reason: string,
  now: Date,
): Promise<void> {
  if (request.kind === 'refund') return change(db, payment, { refunds_requested: payment.refunds_requested - request.amount }, now)
  if (payment.status === 'voiding' || payment.status === 'voided') return
  if (payment.authorized > 0) await post(db, 'release', request, payment.authorized, now)
  await change(db, payment, { status: 'declined', authorized: 0, reason }, now)
  emit.paymentDeclined({ order_id: fromText(payment.order_id), amount: moneyOf(request), reason })
}

interface Change {
  readonly status?: Payment['status']
  readonly authorized?: number
  readonly captured?: number
  readonly refunds_requested?: number
  readonly refunded?: number
  readonly reason?: string
}

async function change(db: PaymentDatabase, { order_id }: PaymentRow, to: Change, now: Date): Promise<void> {
  await db
    .updateTable('payments')
    .set({ ...to, changed_at: now })
    .where('order_id', '=', order_id)
    .execute()
}

function moneyOf({ amount, currency }: RequestRow): Money {
  return { minor_units: amount, currency }
}
