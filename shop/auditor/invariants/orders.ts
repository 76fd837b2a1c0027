/** I10 to I13: what was accepted comes to its end, what was refused left nothing, and nothing was ordered or published twice. */
import type { Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'
import type { OrderStatus } from './order-book.ts'
import { FINAL, HISTORY, readOrders } from './order-book.ts'

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

/** A refund that has stopped leaves its order confirmed: only the saga tells. */
const sagasEnd = nothingFoundBy<{ name: string; order_id: string; status: string }>({
  name: 'I10',
  service: 'orders',
  atRest: true,
  sql: `
    select name, input::jsonb ->> 'order_id' as order_id, status from skerry_saga
    where status not in ('completed', 'compensated') order by 1, 2`,
  message: ({ name, order_id, status }) => `the ${name} of order ${order_id} has stopped halfway: it is ${status}`,
})

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

const oneEventForEachStep: Invariant = {
  name: 'I13',
  needs: ['orders'],
  async find({ rows }) {
    // In one query: an order moves on in the transaction that counts the event.
    const orders = await rows<{ id: string; status: OrderStatus; events: number }>(
      'orders',
      `select id, status, coalesce(head.seq, 0) as events
       from orders left join skerry_key_head head on head.topic = 'orders' and head.key = orders.id order by id`,
    )
    return orders
      .filter(({ status, events }) => events !== HISTORY[status].length)
      .map(({ id, status, events }) => `order ${id} is ${status} and has ${events} events instead of ${HISTORY[status].length}`)
  },
}

export const orderInvariants: readonly Invariant[] = [
  acknowledgedExist,
  ordersEnd,
  sagasEnd,
  ...refusedLeaveNothing,
  oneOrderForEachKey,
  oneEventForEachStep,
]
