/**
 * Asks the provider what became of requests that it has not answered, by their keys; what never arrived is sent again under the same key,
 * unless nobody wants it any more.
 */
import type { payments } from '@shop/payments-contract'
import type { Clock } from 'skerry/engine'
import type { RunTransaction } from 'skerry/service'
import { CHECK_AFTER_MS, findRequest, toProviderRequest } from './payment-store.ts'
import type { PaymentProvider, ProviderOutcome } from './provider.ts'
import { ProviderError } from './provider.ts'
import { settle } from './settlement.ts'
import type { PaymentDatabase, PaymentTables, RequestRow } from './tables.ts'

export interface Reconciliation {
  readonly db: PaymentDatabase
  readonly transaction: RunTransaction<typeof payments, PaymentTables>
  readonly provider: PaymentProvider
  readonly clock: Clock
}

/** Takes the requests that are open for longest, and leaves them to nobody else for a while. */
export async function claimUnanswered(db: PaymentDatabase, limit: number, now: Date): Promise<readonly RequestRow[]> {
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
  if (due.length > 0)
    await db
      .updateTable('provider_requests')
      .set({ check_at: new Date(now.getTime() + CHECK_AFTER_MS) })
      .where(
        'key',
        'in',
        due.map(({ key }) => key),
      )
      .execute()
  return due
}

/** Settles one request if its outcome can be found. False: it is as open as before, or was settled meanwhile. */
export async function reconcile({ db, transaction, provider, clock }: Reconciliation, key: string): Promise<boolean> {
  const request = await findRequest(db, key)
  if (request?.state !== 'pending') return false
  const { status } = await db.selectFrom('payments').select('status').where('order_id', '=', request.order_id).executeTakeFirstOrThrow()
  const outcome = await askAbout(provider, request, status === 'voiding' || status === 'voided')
  if (outcome === undefined) return false
  return (await transaction((open) => settle(open, key, outcome, clock.now()))) === 'settled'
}

/** Undefined when nothing can be said yet. */
async function askAbout(provider: PaymentProvider, request: RequestRow, isGivenUp: boolean): Promise<ProviderOutcome | undefined> {
  try {
    const outcome = await provider.find(request.key)
    if (outcome !== undefined) return outcome
    if (request.kind === 'authorize' && isGivenUp) return { status: 'declined', reason: 'voided' }
    return await provider.perform(toProviderRequest(request))
  } catch (error) {
    if (error instanceof ProviderError) return undefined
    throw error
  }
}
