/** The operation as a Skerry service, with all that a service has: validation both ways, deadline, trace, problems. */
import { contract, post, service, system } from 'skerry'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { z } from 'zod'
import { telemetryOfEnvironment } from '../harness/telemetry.ts'
import { totalOf } from './order.ts'

const NewOrder = z.object({
  id: z.int(),
  customer: z.string().min(1).max(100),
  lines: z.array(z.object({ sku: z.string().min(1).max(40), quantity: z.int().min(1), cents: z.int().min(0) })).max(100),
})
const Order = z.object({ id: z.int(), status: z.string(), totalCents: z.int() })

const orders = contract('orders', { version: '1.0.0', operations: { placeOrder: post('/orders', { input: NewOrder, output: Order }) } })
const orderService = service(orders).implement({
  placeOrder: async ({ input }) => ({ id: input.id, status: 'created', totalCents: totalOf(input.lines) }),
})

const definition = system('bench', { services: [orderService] })
const selection = select(definition, [])
const host = await startHost({
  system: definition,
  selection,
  configuration: await readConfiguration(definition, selection, { PORT: '0' }),
  engines: { database: () => Promise.reject(new Error('unused')), broker: () => Promise.reject(new Error('unused')) },
  log: createLog({ level: 'warn' }),
  ...(await telemetryOfEnvironment()),
})
process.stdout.write(`${JSON.stringify({ url: host.serviceUrls.get('orders') })}\n`)
process.once('SIGTERM', () => void host.stop().then(() => process.exit(0)))
