/** I13 and I17 of the orders: each has one history without gap or fork, and is what follows from it. */
import type { Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'
import type { OrderStatus } from './order-book.ts'
import { HISTORY } from './order-book.ts'

interface OrderRow {
  readonly id: string
  /** Null when there is no such order. */
  readonly status: OrderStatus | null
  readonly reason: string | null
  readonly version: number | null
  /** What does not change: whose it is, what it is of, and what it costs. */
  readonly terms: Readonly<Record<string, unknown>>
  readonly events: readonly { readonly type: string; readonly data: Readonly<Record<string, unknown>> }[]
}

const withoutGapOrFork = nothingFoundBy<{ id: string; head: number | null; events: number; versions: number; last: number }>({
  name: 'I13',
  service: 'orders',
  sql: `
    select id, head.version as head, coalesce(events, 0) as events, coalesce(versions, 0) as versions, coalesce(last, 0) as last
    from (select id, version from skerry_stream where stream = 'order') as head full join (
      select id, count(*) as events, count(distinct version) as versions, max(version) as last
      from skerry_stream_event where stream = 'order' group by id
    ) as history using (id)
    where head.version is null or events is null or head.version <> events or events <> versions or last <> events order by id`,
  message: ({ id, head, events, versions, last }) =>
    `the history of order ${id} is at version ${head ?? 'none'}, and has ${events} events with ${versions} versions up to ${last}`,
})

// In one query: an order moves on in the transaction that adds to its history.
const ORDERS = `
  select id, status, reason, version, terms, coalesce(events, '[]') as events
  from (
    select id, status, reason, version, jsonb_build_object('user', user_id, 'lines', lines, 'total', total_minor_units, 'currency', currency,
           'time', extract(epoch from placed_at)) as terms
    from orders
  ) as orders full join (
    select id, jsonb_agg(jsonb_build_object('type', type, 'data', case type when 'placed' then jsonb_build_object(
             'user', data -> 'user_id', 'lines', data -> 'lines', 'total', data #> '{total,minor_units}', 'currency', data #> '{total,currency}',
             'time', extract(epoch from (data ->> 'placed_at')::timestamptz)) else data end) order by version) as events
    from skerry_stream_event where stream = 'order' group by id
  ) as history using (id) order by id`

/** What an order must have been for something to happen to it that changes its status. */
const BEFORE: Readonly<Record<OrderStatus, OrderStatus | undefined>> = Object.fromEntries(
  Object.values(HISTORY).map((steps) => [steps.at(-1), steps.at(-2)]),
) as Record<OrderStatus, OrderStatus | undefined>

const followsFromHistory: Invariant = {
  name: 'I13',
  needs: ['orders'],
  async find({ rows }) {
    return (await rows<OrderRow>('orders', ORDERS)).flatMap(({ id, status, reason, version, events }) => {
      if (status === null) return [`there is a history of order ${id}, but no order`]
      if (events.length === 0) return [`order ${id} has no history`]
      const wrong: string[] = []
      let folded: { status: OrderStatus | undefined; reason: string | null } = { status: undefined, reason: null }
      for (const { type, data } of events) {
        if (!isStatus(type)) continue
        if (folded.status !== BEFORE[type]) wrong.push(`order ${id} was ${folded.status ?? 'not there'} when it was ${type}`)
        folded = { status: type, reason: (data['reason'] as string | undefined) ?? null }
      }
      if (folded.status !== status || folded.reason !== reason)
        wrong.push(`order ${id} is ${describe({ status, reason })}, but by its history ${describe(folded)}`)
      if (version !== events.length) wrong.push(`order ${id} is as of version ${version}, and its history has ${events.length}`)
      return wrong
    })
  },
}

const rebuiltIsLive: Invariant = {
  name: 'I17',
  needs: ['orders'],
  async find({ rows }) {
    const orders = await rows<OrderRow>('orders', ORDERS)
    return orders.flatMap(({ id, status, terms, events }) => {
      const placed = events.find(({ type }) => type === 'placed')
      if (status === null || placed === undefined) return []
      const wrong = Object.keys(terms).filter((name) => JSON.stringify(terms[name]) !== JSON.stringify(placed.data[name]))
      return wrong.length === 0 ? [] : [`order ${id} was placed with another ${wrong.join(', ')}`]
    })
  },
}

export const orderHistoryInvariants: readonly Invariant[] = [withoutGapOrFork, followsFromHistory, rebuiltIsLive]

function isStatus(type: string): type is OrderStatus {
  return Object.hasOwn(BEFORE, type)
}

function describe({ status, reason }: { readonly status: OrderStatus | undefined; readonly reason: string | null }): string {
  return `${status ?? 'nothing'}${reason === null ? '' : ` (${reason})`}`
}
