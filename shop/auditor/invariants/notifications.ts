/** I6: everybody is told, and nobody twice; the same for what the provider was told. */
import type { Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'
import { readOrders } from './order-book.ts'

const toldOnce = nothingFoundBy<{ order_id: string; kind: string; count: number }>({
  name: 'I6',
  service: 'notifications',
  sql: 'select order_id, kind, count(*) as count from notifications group by order_id, kind having count(*) > 1 order by order_id, kind',
  message: ({ order_id, kind, count }) => `order ${order_id} has ${count} notifications of kind ${kind}`,
})

const sent = nothingFoundBy<{ order_id: string; kind: string }>({
  name: 'I6',
  service: 'notifications',
  atRest: true,
  sql: 'select order_id, kind from notifications where sent_at is null order by order_id, kind',
  message: ({ order_id, kind }) => `the notification of kind ${kind} for order ${order_id} was never sent`,
})

const everyOrderTold: Invariant = {
  name: 'I6',
  needs: ['orders', 'notifications'],
  atRest: true,
  async find(evidence) {
    const orders = new Set((await readOrders(evidence)).map(({ id }) => id))
    const told = new Set(
      (await evidence.rows<{ order_id: string }>('notifications', 'select order_id from notifications')).map(({ order_id }) => order_id),
    )
    return [
      ...[...orders].filter((id) => !told.has(id)).map((id) => `nobody was told of order ${id}`),
      ...[...told].filter((id) => !orders.has(id)).map((id) => `somebody was told of order ${id}, which does not exist`),
    ]
  },
}

const keysOnce: Invariant = {
  name: 'I6',
  needs: ['provider'],
  async find({ book }) {
    const keys = book!.operations.map(({ key }) => key)
    const twice = new Set(keys.filter((key, index) => keys.indexOf(key) !== index))
    return [...twice].map((key) => `the provider has done ${key} more than once`)
  },
}

export const notificationInvariants: readonly Invariant[] = [toldOnce, sent, everyOrderTold, keysOnce]
