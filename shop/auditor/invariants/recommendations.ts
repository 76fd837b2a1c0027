/** I17: what is shown is what the orders that were paid add up to, however it was built. */
import type { Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'
import { HISTORY, readOrders } from './order-book.ts'

interface SeenRow {
  readonly order_id: string
  readonly skus: readonly string[]
}

/** What each order that was heard of is of: as it was recorded, or as it was known before there were recordings. */
const SEEN = `
  select id as order_id, coalesce(
    data -> 'skus',
    (select jsonb_agg(distinct line ->> 'sku' order by line ->> 'sku') from jsonb_array_elements(data -> 'lines') as line)
  ) as skus from skerry_stream_event where stream in ('paid', 'learnedBefore')`

const onlyPaidSeen: Invariant = {
  name: 'I17',
  needs: ['recommendations', 'orders'],
  async find(evidence) {
    // Read before the orders: it can only be behind.
    const seen = await evidence.rows<SeenRow>('recommendations', `${SEEN} order by 1`)
    const orders = new Map((await readOrders(evidence)).map((order) => [order.id, order]))
    return seen.flatMap(({ order_id, skus }) => {
      const order = orders.get(order_id)
      if (order === undefined) return [`order ${order_id} counts, and does not exist`]
      if (!HISTORY[order.status].includes('confirmed')) return [`order ${order_id} counts, and is ${order.status}`]
      const bought = [...new Set(order.lines.map(({ sku }) => sku))].toSorted().join(', ')
      return skus.join(', ') === bought ? [] : [`order ${order_id} counts as ${skus.join(', ')}, but is of ${bought}`]
    })
  },
}

const allPaidSeen: Invariant = {
  name: 'I17',
  needs: ['recommendations', 'orders'],
  atRest: true,
  async find(evidence) {
    const seen = new Set((await evidence.rows<SeenRow>('recommendations', `${SEEN} order by 1`)).map(({ order_id }) => order_id))
    const paid = (await readOrders(evidence)).filter(({ status }) => HISTORY[status].includes('confirmed'))
    return paid.filter(({ id }) => !seen.has(id)).map(({ id, status }) => `order ${id} is ${status}, and does not count`)
  },
}

/** In one query, and only as far as the projection has come: what it has not taken in yet is not missing. */
const liveIsRebuilt = nothingFoundBy<{ sku: string; other: string; live: number; expected: number }>({
  name: 'I17',
  service: 'recommendations',
  sql: `
    with taken as (
      ${SEEN} and eid in (
        select eid from skerry_stream_order where pos <= (select pos from skerry_projection where name = 'purchases' and status = 'live')
      )
    ), bought as (
      select distinct order_id, jsonb_array_elements_text(skus) as sku from taken
    ), expected as (
      select a.sku, b.sku as other, count(*) as orders from bought a join bought b using (order_id) where a.sku <> b.sku group by a.sku, b.sku
    )
    select coalesce(live.sku, expected.sku) as sku, coalesce(live.other, expected.other) as other,
           coalesce(live.orders, 0) as live, coalesce(expected.orders, 0) as expected
    from pairs as live full join expected on live.sku = expected.sku and live.other = expected.other
    where live.orders is distinct from expected.orders order by 1, 2`,
  message: ({ sku, other, live, expected }) => `${other} was bought with ${sku} in ${expected} orders, but ${live} are shown`,
})

const upToDate = nothingFoundBy<{ behind: number }>({
  name: 'I17',
  service: 'recommendations',
  atRest: true,
  sql: `
    select behind from (
      select (select count(*) from skerry_stream_event) - (
        select count(*) from skerry_stream_order where pos <= (select pos from skerry_projection where name = 'purchases' and status = 'live')
      ) as behind
    ) as lag where behind <> 0`,
  message: ({ behind }) => `the projection has not taken in ${behind} events`,
})

export const recommendationInvariants: readonly Invariant[] = [onlyPaidSeen, allPaidSeen, liveIsRebuilt, upToDate]
