/** The books: what each step of a payment means in double entry. A posting has both its sides in one row, so it cannot but balance. */
import type { Account, PaymentDatabase, RequestRow } from './tables.ts'

const ENTRIES = {
  hold: ['authorized-at-provider', 'promised-by-customers'],
  release: ['promised-by-customers', 'authorized-at-provider'],
  sale: ['due-from-provider', 'sales'],
  refund: ['refunds', 'due-from-provider'],
} as const satisfies Record<string, readonly [debit: Account, credit: Account]>

export async function post(db: PaymentDatabase, what: keyof typeof ENTRIES, request: RequestRow, amount: number, at: Date): Promise<void> {
  const [debit, credit] = ENTRIES[what]
  await db
    .insertInto('ledger_postings')
    .values({ order_id: request.order_id, key: request.key, debit, credit, amount, currency: request.currency, posted_at: at })
    .execute()
}
