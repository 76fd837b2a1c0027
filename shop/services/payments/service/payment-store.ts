/** Payments and the requests to the provider in the database. Reading a payment locks it: commands on one order come one after the other. */
import type { Money } from '@shop/payments-contract'
import type { Command } from './payment.ts'
import { keyOf } from './payment.ts'
import type { ProviderRequest } from './provider.ts'
import type { PaymentDatabase, PaymentRow, RequestRow } from './tables.ts'

/** How long after a request somebody asks what became of it. */
export const CHECK_AFTER_MS = 30_000

export async function lockPayment(db: PaymentDatabase, orderId: string): Promise<PaymentRow | undefined> {
  return db.selectFrom('payments').selectAll().where('order_id', '=', orderId).forUpdate().executeTakeFirst()
}

export async function findRequest(db: PaymentDatabase, key: string): Promise<RequestRow | undefined> {
  return db.selectFrom('provider_requests').selectAll().where('key', '=', key).executeTakeFirst()
}

/** Where two transactions insert one payment, the database has the second run again. */
export async function insertPayment(db: PaymentDatabase, orderId: string, asked: Asked | undefined, now: Date): Promise<PaymentRow> {
  return db
    .insertInto('payments')
    .values({
      order_id: orderId,
      status: asked === undefined ? 'voided' : 'authorizing',
      amount: asked?.amount.minor_units ?? null,
      currency: asked?.amount.currency ?? null,
      card: asked?.card ?? null,
      reason: null,
      changed_at: now,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returningAll()
    .executeTakeFirstOrThrow()
}

interface Asked {
  readonly amount: Money
  readonly card: string
}

/** Writes down what the provider is about to be asked. */
export async function insertRequest(
  db: PaymentDatabase,
  payment: PaymentRow,
  command: Command,
  attempt: number,
  now: Date,
): Promise<RequestRow> {
  const { order_id, amount, currency, card } = payment
  if (amount === null || currency === null || card === null) throw new Error(`the payment of order ${order_id} has no amount`)
  return db
    .insertInto('provider_requests')
    .values({
      key: keyOf(order_id, command.kind, command.kind === 'refund' ? command.refundId : attempt),
      order_id,
      kind: command.kind,
      authorization_key: keyOf(order_id, 'authorize', attempt),
      amount: command.kind === 'refund' ? command.amount.minor_units : amount,
      currency,
      card,
      state: 'pending',
      reason: null,
      requested_at: now,
      settled_at: null,
      check_at: new Date(now.getTime() + CHECK_AFTER_MS),
    })
    .returningAll()
    .executeTakeFirstOrThrow()
}

export function toProviderRequest({ key, kind, authorization_key, amount, currency, card }: RequestRow): ProviderRequest {
  return { key, kind, authorizationKey: authorization_key, amount: { minor_units: amount, currency }, card }
}
