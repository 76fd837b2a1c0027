/**
 * I6: everybody is told all that has become of an order, once, and nothing else, unless he is erased before it is sent; what the provider
 * is told, it is told once as well.
 */
import type { Evidence, Invariant } from '../invariant.ts'
import { nothingFoundBy } from '../query.ts'
import { HISTORY, readOrders } from './order-book.ts'

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
  sql: 'select order_id, kind from notifications where sent_at is null and withheld_at is null order by order_id, kind',
  message: ({ order_id, kind }) => `the notification of kind ${kind} for order ${order_id} was never sent`,
})

/** What is told follows what has happened, so that it holds at every instant. */
const toldWhatHappened: Invariant = {
  name: 'I6',
  needs: ['orders', 'notifications'],
  async find(evidence) {
    const told = await readTold(evidence)
    const orders = await readHistories(evidence)
    return [...told].flatMap(([id, kinds]) => {
      const order = orders.get(id)
      if (order === undefined) return [`somebody was told of order ${id}, which does not exist`]
      return [...kinds]
        .filter((kind) => !order.kinds.includes(kind))
        .map((kind) => `order ${id} is ${order.status}, but there is a notification of kind ${kind}`)
    })
  },
}

const everyOrderTold: Invariant = {
  name: 'I6',
  needs: ['orders', 'notifications'],
  atRest: true,
  async find(evidence) {
    const told = await readTold(evidence)
    return [...(await readHistories(evidence))].flatMap(([id, { status, kinds }]) =>
      kinds
        .filter((kind) => told.get(id)?.has(kind) !== true)
        .map((kind) => `order ${id} is ${status}, but there is no notification of kind ${kind}`),
    )
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

export const notificationInvariants: readonly Invariant[] = [toldOnce, sent, toldWhatHappened, everyOrderTold, keysOnce]

/** The kinds of notifications by order. Read before the orders: it can only be behind. */
async function readTold({ rows }: Evidence): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const notifications = await rows<{ order_id: string; kind: string }>(
    'notifications',
    'select order_id, kind from notifications order by order_id, kind',
  )
  return new Map([...Map.groupBy(notifications, ({ order_id }) => order_id)].map(([id, of]) => [id, new Set(of.map(({ kind }) => kind))]))
}

async function readHistories(evidence: Evidence) {
  const orders = await readOrders(evidence)
  return new Map(orders.map(({ id, status }) => [id, { status, kinds: HISTORY[status].map((step) => `order-${step}`) }]))
}
