/** I17: what is shown is what the events add up to, however it was built. */
import type { Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'

const liveIsRebuilt = nothingFoundBy<{ sku: string; other: string; live: number; expected: number }>({
  name: 'I17',
  service: 'recommendations',
  sql: `
    with bought as (
      select order_id, jsonb_array_elements_text(skus) as sku from orders_seen
    ), expected as (
      select a.sku, b.sku as other, count(*) as orders from bought a join bought b using (order_id) where a.sku <> b.sku group by a.sku, b.sku
    ), live as (
      select sku, other, orders from pairs where generation = (select live from projection)
    )
    select coalesce(live.sku, expected.sku) as sku, coalesce(live.other, expected.other) as other,
           coalesce(live.orders, 0) as live, coalesce(expected.orders, 0) as expected
    from live full join expected on live.sku = expected.sku and live.other = expected.other
    where live.orders is distinct from expected.orders order by 1, 2`,
  message: ({ sku, other, live, expected }) => `${other} was bought with ${sku} in ${expected} orders, but ${live} are shown`,
})

export const recommendationInvariants: readonly Invariant[] = [liveIsRebuilt]
