/** One checkout is one trace, from the request at the gateway to whoever is told last, whatever carries it. */
import { expect, test } from 'vitest'
import { openCheckout } from './fixtures/whole-checkout.ts'

/** `service: span` of whoever did it, below whom it was done for. `→` crosses from one service to another. */
const EXPECTED = [
  'gateway: POST /orders',
  'gateway: POST /orders > gateway: orders.placeOrder',
  'gateway: orders.placeOrder → orders: orders.placeOrder',
  'orders: orders.placeOrder > orders: users.getUser',
  'orders: users.getUser → users: users.getUser',
  'orders: orders.placeOrder > orders: catalog.getPrices',
  'orders: catalog.getPrices → catalog: catalog.getPrices',
  'orders: orders.placeOrder > orders: transaction',
  // Told of the order
  'orders: transaction > orders: emit orders.orderPlaced.v1',
  'orders: emit orders.orderPlaced.v1 > orders: publish orders.orderPlaced.v1',
  'orders: emit orders.orderPlaced.v1 → recommendations: deliver orders.orderPlaced.v1',
  'orders: emit orders.orderPlaced.v1 → notifications: deliver orders.orderPlaced.v1',
  'notifications: deliver orders.orderPlaced.v1 > notifications: transaction',
  'notifications: transaction > notifications: handle orders.orderPlaced.v1',
  // The saga
  'orders: transaction > orders: step checkout.reserveStock',
  'orders: step checkout.reserveStock > orders: inventory.reserveStock',
  'orders: inventory.reserveStock → inventory: inventory.reserveStock',
  'inventory: inventory.reserveStock > inventory: transaction',
  'inventory: transaction > inventory: emit inventory.stockReserved.v1',
  'inventory: emit inventory.stockReserved.v1 > inventory: publish inventory.stockReserved.v1',
  'orders: transaction > orders: step checkout.noteReservation',
  'orders: step checkout.noteReservation > orders: transaction',
  'orders: transaction > orders: step checkout.authorizePayment',
  'orders: step checkout.authorizePayment > orders: payments.authorizePayment',
  'orders: payments.authorizePayment → payments: payments.authorizePayment',
  'payments: transaction > payments: emit payments.paymentAuthorized.v1',
  'payments: emit payments.paymentAuthorized.v1 > payments: deliver payments.paymentAuthorized.v1',
  'orders: transaction > orders: step checkout.commitStock',
  'orders: inventory.commitReservation → inventory: inventory.commitReservation',
  'inventory: transaction > inventory: emit inventory.stockCommitted.v1',
  'orders: transaction > orders: step checkout.capturePayment',
  'orders: payments.capturePayment → payments: payments.capturePayment',
  'payments: transaction > payments: emit payments.paymentCaptured.v1',
  'orders: transaction > orders: step checkout.confirm',
  'orders: step checkout.confirm > orders: transaction',
  // Told of its end
  'orders: transaction > orders: emit orders.orderConfirmed.v1',
  'orders: emit orders.orderConfirmed.v1 → recommendations: deliver orders.orderConfirmed.v1',
  'recommendations: transaction > recommendations: handle orders.orderConfirmed.v1',
  'recommendations: transaction > recommendations: project purchases',
  'orders: emit orders.orderConfirmed.v1 → notifications: deliver orders.orderConfirmed.v1',
  'notifications: transaction > notifications: handle orders.orderConfirmed.v1',
  'notifications: handle orders.orderConfirmed.v1 > notifications: emit notifications.notificationCreated.v1',
  'notifications: emit notifications.notificationCreated.v1 > notifications: deliver notifications.notificationCreated.v1',
  'notifications: deliver notifications.notificationCreated.v1 > notifications: handle notifications.notificationCreated.v1',
  'notifications: handle notifications.notificationCreated.v1 > notifications: users.getUser',
  'notifications: users.getUser → users: users.getUser',
]

test.each([
  ['in one process', false],
  ['over HTTP', true],
  ['over the fast wire', 'fast'],
] as const)('a checkout is one trace from the gateway to the last consumer, with calls %s', async (_how, forceWire) => {
  const shop = await openCheckout({ forceWire })
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const answer = await fetch(`${shop.app.gatewayUrl}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    body: JSON.stringify({ user_id: 1, card: 'tok_ok', lines: [{ sku: 'mug', quantity: 2 }] }),
  })
  const { order } = (await answer.json()) as { order: { id: number } }
  expect(await shop.outcome(order.id)).toBe('confirmed')

  const spans = shop.app.spans().filter((span) => span.traceId === traceId)
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const edges = spans.map(({ parentSpanId = '', service, name }) => {
    const parent = byId.get(parentSpanId)
    if (parent !== undefined) return `${parent.service}: ${parent.name} ${parent.service === service ? '>' : '→'} ${service}: ${name}`
    return parentSpanId === 'b7ad6b7169203331' ? `${service}: ${name}` : `${parentSpanId} is missing above ${service}: ${name}`
  })
  expect(edges).toEqual(expect.arrayContaining(EXPECTED))
  expect(edges.filter((edge) => edge.includes('is missing above'))).toEqual([])
  expect(spans.filter(({ failure }) => failure !== undefined)).toEqual([])
})
