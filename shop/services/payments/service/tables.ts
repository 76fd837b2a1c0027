/** The tables of payments, for Kysely. */
import type { Money, Payment } from '@shop/payments-contract'
import type { ColumnType, Generated, GeneratedAlways, Kysely, Selectable } from 'kysely'

export interface PaymentTables {
  readonly payments: PaymentTable
  readonly provider_requests: ProviderRequestTable
  readonly provider_events: ProviderEventTable
  readonly ledger_postings: LedgerPostingTable
}

export type PaymentDatabase = Kysely<PaymentTables>

interface PaymentTable {
  readonly order_id: string
  readonly status: Payment['status']
  readonly amount: number | null
  readonly currency: Money['currency'] | null
  readonly card: string | null
  readonly attempt: Generated<number>
  readonly authorized: Generated<number>
  readonly captured: Generated<number>
  readonly refunds_requested: Generated<number>
  readonly refunded: Generated<number>
  readonly reason: string | null
  readonly changed_at: Date
}
export type PaymentRow = Selectable<PaymentTable>

export type RequestKind = 'authorize' | 'capture' | 'void' | 'refund'

interface ProviderRequestTable {
  readonly key: string
  readonly order_id: string
  readonly kind: RequestKind
  readonly authorization_key: string
  readonly amount: number
  readonly currency: Money['currency']
  readonly card: string
  readonly state: 'pending' | 'succeeded' | 'declined'
  readonly reason: string | null
  readonly requested_at: Date
  readonly settled_at: Date | null
  readonly check_at: Date
}
export type RequestRow = Selectable<ProviderRequestTable>

interface ProviderEventTable {
  readonly id: string
  readonly key: string
  readonly type: string
  readonly effect: 'settled' | 'known' | 'stranger' | 'contradiction'
  /** Written as JSON text. */
  readonly payload: ColumnType<unknown, string, never>
  readonly received_at: Date
}

export type Account = 'authorized-at-provider' | 'promised-by-customers' | 'due-from-provider' | 'sales' | 'refunds'

interface LedgerPostingTable {
  readonly id: GeneratedAlways<number>
  readonly order_id: string
  readonly key: string
  readonly debit: Account
  readonly credit: Account
  readonly amount: number
  readonly currency: Money['currency']
  readonly posted_at: Date
}
