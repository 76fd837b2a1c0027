/** I7 to I9: pieces are where the ledger says, never sold twice, gone for orders that are confirmed, and none wait for one that is over. */
import type { Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'
import { DEAD, readOrders } from './order-book.ts'

const onHand = nothingFoundBy<{ sku: string; on_hand: number; moved: number }>({
  name: 'I7',
  service: 'inventory',
  sql: `
    select * from (
      select s.sku, s.on_hand, coalesce(sum(case
               when m.kind in ('initial', 'received', 'restocked') then m.quantity
               when m.kind = 'committed' then -m.quantity else 0 end), 0) as moved
      from stock s left join movements m using (sku) group by s.sku
    ) as sums where on_hand <> moved order by sku`,
  message: ({ sku, on_hand, moved }) => `${sku}: ${on_hand} are on hand, but by its movements ${moved}`,
})

const neverOversold = nothingFoundBy<{ sku: string; on_hand: number; reserved: number }>({
  name: 'I8',
  service: 'inventory',
  sql: 'select sku, on_hand, reserved from stock where reserved < 0 or reserved > on_hand order by sku',
  message: ({ sku, on_hand, reserved }) => `${sku}: ${reserved} are reserved of ${on_hand} on hand`,
})

const reservedAddsUp = nothingFoundBy<{ sku: string; reserved: number; waiting: number }>({
  name: 'I8',
  service: 'inventory',
  sql: `
    select * from (
      select s.sku, s.reserved, coalesce(sum(l.quantity) filter (where r.status = 'reserved'), 0) as waiting
      from stock s left join reservation_lines l using (sku) left join reservations r using (order_id) group by s.sku
    ) as sums where reserved <> waiting order by sku`,
  message: ({ sku, reserved, waiting }) => `${sku}: ${reserved} are reserved, but reservations hold ${waiting}`,
})

const endsOnce = nothingFoundBy<{ order_id: string; sku: string; status: string; reserved: number; ended: number }>({
  name: 'I9',
  service: 'inventory',
  sql: `
    select * from (
      select r.order_id, m.sku, r.status,
             count(*) filter (where m.kind = 'reserved') as reserved,
             count(*) filter (where m.kind in ('committed', 'released', 'expired')) as ended,
             count(*) filter (where m.kind = 'committed') as committed,
             count(*) filter (where m.kind = 'restocked') as restocked
      from movements m left join reservations r using (order_id) where m.order_id is not null group by r.order_id, m.sku, r.status
    ) as ends
    where order_id is null
       or reserved - ended <> case when status = 'reserved' then 1 else 0 end
       or (status in ('committed', 'restocked')) <> (committed = 1)
       or (status = 'restocked') <> (restocked = 1)
    order by order_id, sku`,
  message: ({ order_id, sku, status, reserved, ended }) =>
    `the reservation of ${sku} for order ${order_id} is ${status}: made ${reserved} times and ended ${ended} times`,
})

const noneOverdue: Invariant = {
  name: 'I9',
  needs: ['inventory'],
  atRest: true,
  async find({ rows, now }) {
    if (now === undefined) return []
    const overdue = await rows<{ order_id: string }>(
      'inventory',
      `select order_id from reservations where status = 'reserved' and expires_at <= $1 order by order_id`,
      [now],
    )
    return overdue.map(({ order_id }) => `the reservation of order ${order_id} should have expired`)
  },
}

const noneForTheDead: Invariant = {
  name: 'I9',
  needs: ['inventory', 'orders'],
  atRest: true,
  async find(evidence) {
    const orders = new Map((await readOrders(evidence)).map(({ id, status }) => [id, status]))
    const held = await evidence.rows<{ order_id: string; status: string }>(
      'inventory',
      `select order_id, status from reservations where status in ('reserved', 'committed') order by order_id`,
    )
    return held.flatMap(({ order_id, status }) => {
      const order = orders.get(order_id)
      if (order === undefined) return [`stock is ${status} for order ${order_id}, which does not exist`]
      return DEAD.has(order) ? [`stock is ${status} for order ${order_id}, which is ${order}`] : []
    })
  },
}

const allForTheConfirmed: Invariant = {
  name: 'I9',
  needs: ['inventory', 'orders'],
  atRest: true,
  async find(evidence) {
    const reservations = await evidence.rows<{ order_id: string; status: string }>('inventory', 'select order_id, status from reservations')
    const statuses = new Map(reservations.map(({ order_id, status }) => [order_id, status]))
    return (await readOrders(evidence)).flatMap(({ id, status }) => {
      const stock = statuses.get(id) ?? 'not reserved'
      return status === 'confirmed' && stock !== 'committed' ? [`order ${id} is confirmed, but its stock is ${stock}`] : []
    })
  },
}

export const stockInvariants: readonly Invariant[] = [
  onHand,
  neverOversold,
  reservedAddsUp,
  endsOnce,
  noneOverdue,
  noneForTheDead,
  allForTheConfirmed,
]
