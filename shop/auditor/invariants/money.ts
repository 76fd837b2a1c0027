/** I1 to I5: what is charged, once, for what the customer saw, and books that balance. */
import type { Invariant, ProviderBook, ProviderOperation } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'
import { DEAD, readOrders } from './order-book.ts'

interface PaymentRow {
  readonly order_id: string
  readonly status: string
  readonly amount: number | null
  readonly currency: string | null
  readonly captured: number
  readonly refunded: number
}

const PAYMENTS = 'select order_id, status, amount, currency, captured, refunded from payments order by order_id'

const paidWhatItCosts: Invariant = {
  name: 'I1',
  needs: ['orders', 'payments'],
  atRest: true,
  async find(evidence) {
    const orders = new Map((await readOrders(evidence)).map((order) => [order.id, order]))
    const payments = await evidence.rows<PaymentRow>('payments', PAYMENTS)
    const paid = new Map(payments.map((payment) => [payment.order_id, payment.captured - payment.refunded]))
    const wrong: string[] = []
    for (const [id, left] of paid)
      if (!orders.has(id) && left !== 0) wrong.push(`${left} were charged for order ${id}, which does not exist`)
    for (const { id, status, total } of orders.values()) {
      const left = paid.get(id) ?? 0
      if (status === 'confirmed' && left !== total) wrong.push(`order ${id} is confirmed and costs ${total}, but ${left} were charged`)
      if (DEAD.has(status) && left !== 0) wrong.push(`order ${id} is ${status}, but ${left} are still charged`)
    }
    return wrong
  },
}

const noMoreThanAuthorized = nothingFoundBy<{ order_id: string; authorized: number; captured: number; refunded: number }>({
  name: 'I2',
  service: 'payments',
  sql: `
    select order_id, authorized, captured, refunded from (
      select order_id,
             coalesce(max(amount) filter (where kind = 'authorize' and state = 'succeeded'), 0) as authorized,
             coalesce(sum(amount) filter (where kind = 'capture' and state = 'succeeded'), 0) as captured,
             coalesce(sum(amount) filter (where kind = 'refund' and state <> 'declined'), 0) as refunded
      from provider_requests group by order_id
    ) as sums where captured > authorized or refunded > captured order by order_id`,
  message: ({ order_id, authorized, captured, refunded }) =>
    `order ${order_id}: of ${authorized} authorized ${captured} were charged, and ${refunded} of them given back`,
})

const paymentsAddUp = nothingFoundBy<{ order_id: string; captured: number; refunded: number; requested: number; returned: number }>({
  name: 'I2',
  service: 'payments',
  sql: `
    select order_id, p.captured, p.refunded, coalesce(r.captured, 0) as requested, coalesce(r.refunded, 0) as returned
    from payments p left join (
      select order_id,
             sum(amount) filter (where kind = 'capture') as captured,
             sum(amount) filter (where kind = 'refund') as refunded
      from provider_requests where state = 'succeeded' group by order_id
    ) as r using (order_id)
    where p.captured <> coalesce(r.captured, 0) or p.refunded <> coalesce(r.refunded, 0) order by order_id`,
  message: ({ order_id, captured, refunded, requested, returned }) =>
    `order ${order_id} says charged ${captured}, given back ${refunded}; the requests say ${requested} and ${returned}`,
})

const ledgerBalances = nothingFoundBy<{ currency: string; sum: number }>({
  name: 'I3',
  service: 'payments',
  sql: 'select currency, sum(amount) as sum from ledger_entries group by currency having sum(amount) <> 0 order by currency',
  message: ({ currency, sum }) => `the ledger's entries in ${currency} sum to ${sum}, not to zero`,
})

const ledgerAgrees = nothingFoundBy<{
  order_id: string
  sold: number
  returned: number
  held: number
  captured: number
  refunded: number
  authorized: number
}>({
  name: 'I3',
  service: 'payments',
  sql: `
    select * from (
      select p.order_id, p.captured, p.refunded, case when p.captured > 0 then 0 else p.authorized end as authorized,
             coalesce(-sum(e.amount) filter (where e.account = 'sales'), 0) as sold,
             coalesce(sum(e.amount) filter (where e.account = 'refunds'), 0) as returned,
             coalesce(sum(e.amount) filter (where e.account = 'authorized-at-provider'), 0) as held
      from payments p left join ledger_entries e using (order_id) group by p.order_id
    ) as books where sold <> captured or returned <> refunded or held <> authorized order by order_id`,
  message: ({ order_id, sold, returned, held, captured, refunded, authorized }) =>
    `order ${order_id}: the ledger has sold ${sold}, returned ${returned}, held ${held}; the payment ${captured}, ${refunded}, ${authorized}`,
})

const chargedOnce = nothingFoundBy<{ order_id: string; captures: number }>({
  name: 'I4',
  service: 'payments',
  sql: `
    select order_id, count(*) as captures from provider_requests
    where kind = 'capture' and state <> 'declined' group by order_id having count(*) > 1 order by order_id`,
  message: ({ order_id, captures }) => `order ${order_id} is charged ${captures} times`,
})

const providerChargedOnce: Invariant = {
  name: 'I4',
  needs: ['provider'],
  async find({ book }) {
    const captures = new Map<string, number>()
    for (const { key } of done(book!, 'capture')) captures.set(orderOf(key), (captures.get(orderOf(key)) ?? 0) + 1)
    return [...captures].filter(([, count]) => count > 1).map(([order, count]) => `the provider has charged order ${order} ${count} times`)
  },
}

const booksAgree: Invariant = {
  name: 'I4',
  needs: ['payments', 'provider'],
  atRest: true,
  async find(evidence) {
    const wrong: string[] = []
    const payments = await evidence.rows<PaymentRow>('payments', PAYMENTS)
    const known = new Set(payments.map(({ order_id }) => order_id))
    const sum = (kind: ProviderOperation['kind'], order: string): number =>
      done(evidence.book!, kind).reduce((total, { key, amount = 0 }) => (orderOf(key) === order ? total + amount : total), 0)
    for (const { order_id, captured, refunded } of payments) {
      const [charged, returned] = [sum('capture', order_id), sum('refund', order_id)]
      if (charged !== captured || returned !== refunded)
        wrong.push(
          `order ${order_id}: the provider has charged ${charged} and given back ${returned}; we know of ${captured} and ${refunded}`,
        )
    }
    for (const { key, kind } of evidence.book!.operations)
      if (!known.has(orderOf(key))) wrong.push(`the provider did a ${kind} (${key}) for an order without a payment`)
    return wrong
  },
}

const pricesAsSeen: Invariant = {
  name: 'I5',
  needs: ['orders'],
  async find(evidence) {
    return (await readOrders(evidence)).flatMap(({ id, total, currency, lines }) => {
      const sum = lines.reduce((sum, { quantity, unit_price }) => sum + quantity * unit_price.minor_units, 0)
      if (sum !== total) return [`order ${id} costs ${total}, but its lines ${sum}`]
      return lines.every(({ unit_price }) => unit_price.currency === currency) ? [] : [`order ${id} mixes currencies`]
    })
  },
}

const chargedAsSeen: Invariant = {
  name: 'I5',
  needs: ['orders', 'payments'],
  async find(evidence) {
    const orders = new Map((await readOrders(evidence)).map((order) => [order.id, order]))
    const payments = await evidence.rows<PaymentRow>('payments', PAYMENTS)
    return payments.flatMap(({ order_id, amount, currency }) => {
      const order = orders.get(order_id)
      if (order === undefined || amount === null || (order.total === amount && order.currency === currency)) return []
      return [`order ${order_id} was shown as ${order.total} ${order.currency}, but is paid as ${amount} ${currency}`]
    })
  },
}

export const moneyInvariants: readonly Invariant[] = [
  paidWhatItCosts,
  noMoreThanAuthorized,
  paymentsAddUp,
  ledgerBalances,
  ledgerAgrees,
  chargedOnce,
  providerChargedOnce,
  booksAgree,
  pricesAsSeen,
  chargedAsSeen,
]

function done({ operations }: ProviderBook, kind: ProviderOperation['kind']): readonly ProviderOperation[] {
  return operations.filter((operation) => operation.kind === kind && operation.status === 'succeeded')
}

/** Keys begin with the order they are about. */
function orderOf(key: string): string {
  return key.slice(0, key.indexOf(':'))
}
