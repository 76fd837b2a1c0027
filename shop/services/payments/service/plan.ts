/** The first half of a command, in one transaction: decides, and writes down what the provider is about to be asked, before anybody asks it. */
import { findRequest, insertPayment, insertRequest, lockPayment } from './payment-store.ts'
import type { Command, Refusal } from './payment.ts'
import { decide, keyOf } from './payment.ts'
import type { PaymentTransaction } from './settlement.ts'
import type { PaymentRow, RequestRow } from './tables.ts'

export type Plan =
  | { readonly kind: 'ask'; readonly request: RequestRow }
  | { readonly kind: 'done'; readonly payment: PaymentRow }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export async function plan({ db }: PaymentTransaction, orderId: string, command: Command, now: Date): Promise<Plan> {
  const payment = await lockPayment(db, orderId)
  const earlier = command.kind === 'refund' ? await findRequest(db, keyOf(orderId, 'refund', command.refundId)) : undefined
  const decision = decide(command, orderId, payment, earlier)
  switch (decision.kind) {
    case 'refuse':
      return { kind: 'refused', refusal: decision.refusal }
    case 'done':
      return { kind: 'done', payment: payment! }
    case 'close':
      return {
        kind: 'done',
        payment: payment === undefined ? await insertPayment(db, orderId, undefined, now) : await close(db, orderId, now),
      }
    case 'ask again':
      return { kind: 'ask', request: (await findRequest(db, decision.key))! }
    case 'ask': {
      if (payment === undefined && command.kind !== 'authorize') throw new Error(`order ${orderId} has no payment to ${command.kind}`)
      const begun = payment === undefined && command.kind === 'authorize' ? await insertPayment(db, orderId, command, now) : payment!
      const changed = await db
        .updateTable('payments')
        .set({
          status: decision.status,
          attempt: decision.attempt,
          changed_at: now,
          ...(command.kind === 'authorize' ? { card: command.card, reason: null } : {}),
          ...(command.kind === 'refund' ? { refunds_requested: begun.refunds_requested + command.amount.minor_units } : {}),
        })
        .where('order_id', '=', orderId)
        .returningAll()
        .executeTakeFirstOrThrow()
      return { kind: 'ask', request: await insertRequest(db, changed, command, decision.attempt, now) }
    }
  }
}

async function close(db: PaymentTransaction['db'], orderId: string, now: Date): Promise<PaymentRow> {
  return db
    .updateTable('payments')
    .set({ status: 'voided', changed_at: now })
    .where('order_id', '=', orderId)
    .returningAll()
    .executeTakeFirstOrThrow()
}
