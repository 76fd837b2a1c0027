/** `serve`, or `call <port>`: the same operation in Moleculer 0.15 over its TCP transporter, as it comes, or with POLICIES=on. It validates the parameters; it does not validate answers. */
import type { Context } from 'moleculer'
import { ServiceBroker } from 'moleculer'
import { freePort } from '../../test/services/free-port.ts'
import type { PlacedOrder } from '../http-operation/order.ts'
import type { OrderAnswer } from './calls.ts'
import { placed, reportCalls } from './calls.ts'

const [role, given] = process.argv.slice(2)
const port = given === undefined ? await freePort() : Number(given)
const where = role === 'serve' ? { port } : { urls: `tcp://127.0.0.1:${port}/server` }
/** What a call of ours has by default. */
const POLICIES = {
  requestTimeout: 3_000,
  retryPolicy: { enabled: true, retries: 1 },
  circuitBreaker: { enabled: true },
  bulkhead: { enabled: true, concurrency: 1_000, maxQueueSize: 1_000 },
  metrics: { enabled: true },
  tracing: { enabled: true },
}
const broker = new ServiceBroker({
  nodeID: role === 'serve' ? 'server' : 'caller',
  logger: false,
  ...(process.env['POLICIES'] === 'on' ? POLICIES : {}),
  transporter: { type: 'TCP', options: { udpDiscovery: false, ...where } },
})
if (role === 'serve')
  broker.createService({
    name: 'orders',
    actions: {
      place: {
        params: {
          id: { type: 'number', integer: true },
          customer: { type: 'string', min: 1, max: 100 },
          lines: {
            type: 'array',
            max: 100,
            items: {
              type: 'object',
              props: {
                sku: { type: 'string', min: 1, max: 40 },
                quantity: { type: 'number', integer: true, min: 1 },
                cents: { type: 'number', integer: true, min: 0 },
              },
            },
          },
        },
        handler: async ({ params }: Context<PlacedOrder>) => placed(params),
      },
    },
  })
await broker.start()
if (role === 'serve') {
  process.stdout.write(`${JSON.stringify({ address: String(port) })}\n`)
  process.once('SIGTERM', () => process.exit(0))
} else {
  await broker.waitForServices('orders')
  await reportCalls((order) => broker.call<OrderAnswer, PlacedOrder>('orders.place', order), true)
  process.exit(0)
}
