/** `serve`, or `call <url>`: the operation as a Skerry service, called by another as handlers do it: validated both ways, with deadline, breaker, retry budget and trace. SKERRY_FAST_WIRE decides how. */
import { contract, post, service, system } from 'skerry'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { z } from 'zod'
import { placed, reportCalls } from './calls.ts'

const NewOrder = z.object({
  id: z.int(),
  customer: z.string().min(1).max(100),
  lines: z.array(z.object({ sku: z.string().min(1).max(40), quantity: z.int().min(1), cents: z.int().min(0) })).max(100),
})
const Order = z.object({ id: z.int(), status: z.string(), totalCents: z.int() })
const orders = contract('orders', { version: '1.0.0', operations: { placeOrder: post('/orders', { input: NewOrder, output: Order }) } })
const callers = contract('callers', { version: '1.0.0', operations: {} })

const definition = system('bench', {
  services: [
    service(orders).implement({ placeOrder: async ({ input }) => placed(input) }),
    service(callers, { uses: { orders } }).implement({}),
  ],
})
const [role, url = ''] = process.argv.slice(2)
const selection = select(definition, [role === 'serve' ? 'orders' : 'callers'])
const host = await startHost({
  system: definition,
  selection,
  configuration: await readConfiguration(definition, selection, { ...process.env, PORT: '0', ORDERS_URL: url }),
  engines: { database: () => Promise.reject(new Error('unused')), broker: () => Promise.reject(new Error('unused')) },
  log: createLog({ level: 'warn' }),
})
if (role === 'serve') {
  process.stdout.write(`${JSON.stringify({ address: host.serviceUrls.get('orders') })}\n`)
  process.once('SIGTERM', () => void host.stop().then(() => process.exit(0)))
} else {
  const client = host.clientFor(orders)
  await reportCalls((order) => client.placeOrder(order), true)
  await host.stop()
}
