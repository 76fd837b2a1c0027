/**
 * One PostgreSQL, one RabbitMQ, one NATS and one etcd for the whole run of the projects that name this file in vitest.config.ts, unless
 * the environment names others. Tests find them in SKERRY_TEST_POSTGRES_URL, SKERRY_TEST_RABBITMQ_URL, SKERRY_TEST_NATS_URL and
 * SKERRY_TEST_ETCD_URL and keep apart by making their own databases, roles, queues, streams and services. A test that breaks a server starts its own.
 */
import { startEtcd } from './etcd.ts'
import { startNats } from './nats.ts'
import { startPostgres } from './postgres.ts'
import { startRabbitmq } from './rabbitmq.ts'

interface Server {
  readonly url: string
  close(): Promise<void>
}

export default async function setUp(): Promise<() => Promise<void>> {
  // A second project of the same run finds the variables set by the first and starts nothing.
  const results = await Promise.allSettled([
    provide('SKERRY_TEST_POSTGRES_URL', () => startPostgres({ fsync: false })),
    provide('SKERRY_TEST_RABBITMQ_URL', startRabbitmq),
    // These are there in a twentieth of a second.
    provide('SKERRY_TEST_NATS_URL', startNats),
    provide('SKERRY_TEST_ETCD_URL', startEtcd),
  ])
  const tearDown = async (): Promise<void> => {
    await Promise.all(results.flatMap((result) => (result.status === 'fulfilled' ? [result.value()] : [])))
  }
  const failed = results.find((result) => result.status === 'rejected')
  if (failed === undefined) return tearDown
  await tearDown()
  throw failed.reason
}

async function provide(variable: string, start: () => Promise<Server>): Promise<() => Promise<void>> {
  if (process.env[variable] !== undefined && process.env[variable] !== '') return async () => {}
  const server = await start()
  process.env[variable] = server.url
  return async () => {
    delete process.env[variable]
    await server.close()
  }
}
