/** Runs the system in one process, on PGlite or on PostgreSQL and RabbitMQ, as the environment says. */
import { pglite } from '@skerry/pglite'
import { postgres } from '@skerry/postgres'
import { rabbitmq } from '@skerry/rabbitmq'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { telemetryOfEnvironment } from '../harness/telemetry.ts'
import { placement } from './skerry-system.ts'

const selection = select(placement, [])
const configuration = await readConfiguration(placement, selection, { ...process.env, ORDERS_PORT: '0', NOTIFICATIONS_PORT: '0' })
const host = await startHost({
  system: placement,
  selection,
  configuration,
  engines: {
    database: async (url, dataDirectory) =>
      url === undefined ? pglite({ dataDir: `${dataDirectory ?? ''}/data` }) : postgres({ url, poolSize: 10 }),
    broker: async (url) => rabbitmq({ url, exchange: process.env['EXCHANGE'] ?? 'skerry' }),
  },
  log: createLog({ level: 'error' }),
  ...(await telemetryOfEnvironment()),
})
process.stdout.write(
  `${JSON.stringify({ orders: host.serviceUrls.get('orders'), notifications: host.serviceUrls.get('notifications') })}\n`,
)
process.once('SIGTERM', () => void host.stop().then(() => process.exit(0)))
