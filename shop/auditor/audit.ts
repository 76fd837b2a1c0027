/**
 * The auditor: says which of the shop's invariants do not hold. It alone reads every service's database, and only in tests and
 * benches, so that what services promise each other is checked by somebody who believes none of them. A database that is not given is
 * not looked at, and what needs it is left out.
 */
import type { Queryable } from 'skerry/engine'
import type { Evidence, Invariant, ProviderBook } from './invariant.ts'
import { cartInvariants } from './invariants/carts.ts'
import { erasureInvariants } from './invariants/erasure.ts'
import { eventInvariants } from './invariants/events.ts'
import { moneyInvariants } from './invariants/money.ts'
import { notificationInvariants } from './invariants/notifications.ts'
import { orderHistoryInvariants } from './invariants/order-histories.ts'
import { orderInvariants } from './invariants/orders.ts'
import { recommendationInvariants } from './invariants/recommendations.ts'
import { stockInvariants } from './invariants/stock.ts'

export type { ProviderBook } from './invariant.ts'

/** By the name of the service. */
export type Databases = Readonly<Record<string, Queryable>>

export interface AuditOptions {
  /** Nothing is on its way any more: also check what need only hold then. Default: true. */
  readonly atRest?: boolean
  /** What the system takes for now, to tell what is overdue. Default: nothing is. */
  readonly now?: Date
  /** Orders whose placing was answered with 2xx. */
  readonly acknowledged?: readonly (string | number)[]
  /** Orders whose placing was answered with 4xx. */
  readonly refused?: readonly (string | number)[]
}

export interface Violation {
  /** `I8` */
  readonly invariant: string
  /** What is wrong, and of what. */
  readonly message: string
}

const invariants: readonly Invariant[] = [
  ...moneyInvariants,
  ...notificationInvariants,
  ...stockInvariants,
  ...orderInvariants,
  ...orderHistoryInvariants,
  ...eventInvariants,
  ...recommendationInvariants,
  ...cartInvariants,
  ...erasureInvariants,
]

/** All that is wrong, in the order of the invariants; an empty list when nothing is. */
export async function audit(databases: Databases, book?: ProviderBook, options: AuditOptions = {}): Promise<Violation[]> {
  const { atRest = true, now, acknowledged = [], refused = [] } = options
  const evidence: Evidence = {
    now,
    acknowledged,
    refused,
    book,
    rows: async <Row>(service: string, sql: string, parameters?: readonly unknown[]) =>
      (await databases[service]!.query<Row>(sql, parameters)).rows,
  }
  const present = (need: string): boolean => (need === 'provider' ? book !== undefined : databases[need] !== undefined)
  const violations: Violation[] = []
  for (const invariant of invariants) {
    if ((invariant.atRest === true && !atRest) || !invariant.needs.every(present)) continue
    for (const message of await invariant.find(evidence)) violations.push({ invariant: invariant.name, message })
  }
  return violations
}
