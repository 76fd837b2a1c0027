/** I10 to I13: what was accepted is there for ever, what was refused left nothing, and a repetition made no second order. */
import type { Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'
import { FINAL, readOrders } from './order-book.ts'

const acknowledgedExist: Invariant = {
  name: 'I10',
  needs: ['orders'],
  async find(evidence) {
    const orders = new Set((await readOrders(evidence)).map(({ id }) => id))
    return evidence.acknowledged.filter((id) => !orders.has(String(id))).map((id) => `order ${id} was accepted, and does not exist`)
  },
}

const ordersEnd: Invariant = {
  name: 'I10',
  needs: ['orders'],
  atRest: true,
  async find(evidence) {
    const orders = await readOrders(evidence)
    return orders.filter(({ status }) => !FINAL.has(status)).map(({ id, status }) => `order ${id} has stopped halfway: it is ${status}`)
  },
}

/** Where an order that was refused could have left something. */
const TRACES = [
  ['orders', 'select id as order_id from orders'],
  ['payments', 'select order_id from payments'],
  ['inventory', 'select order_id from reservations'],
  ['notifications', 'select order_id from notifications'],
] as const

const refusedLeaveNothing: readonly Invariant[] = TRACES.map(([service, sql]) => ({
  name: 'I11',
  needs: [service],
  async find({ rows, refused }) {
    const found = new Set((await rows<{ order_id: string }>(service, sql)).map(({ order_id }) => order_id))
    return refused.filter((id) => found.has(String(id))).map((id) => `order ${id} was refused, and has left something in ${service}`)
  },
}))

const oneOrderForEachKey = nothingFoundBy<{ user_id: string; idempotency_key: string; count: number }>({
  name: 'I12',
  service: 'orders',
  sql: `
    select user_id, idempotency_key, count(*) as count from orders where idempotency_key is not null
    group by user_id, idempotency_key having count(*) > 1 order by user_id, idempotency_key`,
  message: ({ user_id, idempotency_key, count }) => `user ${user_id} has ${count} orders under the Idempotency-Key ${idempotency_key}`,
})

const placedOnce = nothingFoundBy<{ id: string; seq: number | null }>({
  name: 'I13',
  service: 'orders',
  // Until orders are made of events, an order has one: that it was placed.
  sql: `
    select id, seq from orders left join skerry_key_head head on head.topic = 'orders' and head.key = orders.id
    where coalesce(seq, 0) < 1 or (not (to_jsonb(orders) ? 'status') and seq <> 1) order by id`,
  message: ({ id, seq }) => `order ${id} has ${seq ?? 'no'} events, where one is expected`,
})

export const orderInvariants: readonly Invariant[] = [acknowledgedExist, ordersEnd, ...refusedLeaveNothing, oneOrderForEachKey, placedOnce]
