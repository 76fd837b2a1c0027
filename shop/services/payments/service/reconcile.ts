import type { payments } from '@shop/payments-contract'
/** Asks the provider what became of requests that it has not answered, by their keys; what never arrived is sent again under the same key. */
import type { Clock } from 'skerry/engine'
import type { RunTransaction } from 'skerry/service'
import { CHECK_AFTER_MS, toProviderRequest } from './payment-store.ts'
import type { PaymentProvider, ProviderOutcome } from './provider.ts'
import { ProviderError } from './provider.ts'
import { settle } from './settlement.ts'
import type { PaymentDatabase, PaymentTables, RequestRow } from './tables.ts'

export interface Reconciliation {
  readonly transaction: RunTransaction<typeof payments, PaymentTables>
  readonly provider: PaymentProvider
  readonly clock: Clock
  readonly limit: number
}

/** How many it has settled, and how many are as open as before. */
export async function reconcile({ transaction, provider, clock, limit }: Reconciliation): Promise<{ settled: number; open: number }> {
  const due = await transaction(({ db }) => claim(db, limit, clock.now()))
  let settled = 0
  for (const request of due) {
    const outcome = await askAbout(provider, request)
    if (outcome === undefined) continue
    const news = await transaction((open) => settle(open, request.key, outcome, clock.now()))
    if (news === 'settled') settled++
  }
  return { settled, open: due.length - settled }
}

interface DueRequest extends RequestRow {
  readonly isGivenUp: boolean
}

/** Takes the oldest, and leaves them to nobody else for a while. */
async function claim(db: PaymentDatabase, limit: number, now: Date): Promise<readonly DueRequest[]> {
  const due = await db
    .selectFrom('provider_requests')
    .selectAll()
    .where('state', '=', 'pending')
    .where('check_at', '<=', now)
    .orderBy('check_at')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute()
  if (due.length === 0) return []
  await db
    .updateTable('provider_requests')
    .set({ check_at: new Date(now.getTime() + CHECK_AFTER_MS) })
    .where(
      'key',
      'in',
      due.map(({ key }) => key),
    )
    .execute()
  const givenUp = await db
    .selectFrom('payments')
    .select('order_id')
    .where(
      'order_id',
      'in',
      due.map(({ order_id }) => order_id),
    )
    .where('status', 'in', ['voiding', 'voided'])
    .execute()
  return due.map((request) => ({ ...request, isGivenUp: givenUp.some(({ order_id }) => order_id === request.order_id) }))
}

/** Undefined when nothing can be said yet. */
async function askAbout(provider: PaymentProvider, request: DueRequest): Promise<ProviderOutcome | undefined> {
  try {
    const outcome = await provider.find(request.key)
    if (outcome !== undefined) return outcome
    // Nobody wants it any more, and the provider has never heard of it.
    if (request.kind === 'authorize' && request.isGivenUp) return { status: 'declined', reason: 'voided' }
    return await provider.perform(toProviderRequest(request))
  } catch (error) {
    if (error instanceof ProviderError) return undefined
    throw error
  }
}
