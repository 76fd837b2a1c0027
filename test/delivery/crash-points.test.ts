/**
 * A process is killed at every named crash point of placing an order and of consuming its events, and restarted on the same data. The
 * points come from the platform's own list, so a new one is tested without anyone writing a test.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CRASH_POINTS as ALL_POINTS } from 'skerry/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../services/free-port.ts'
import type { BrokerCorner } from '../topologies/broker.ts'
import { createBrokerCorner } from '../topologies/broker.ts'
import type { ServiceDatabases } from '../topologies/databases.ts'
import { createDatabases } from '../topologies/databases.ts'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'
import type { Addresses } from './workload.ts'
import { Workload } from './workload.ts'

/** Those of sagas are passed by a system of their own: see test/sagas. */
const CRASH_POINTS = ALL_POINTS.filter((point) => !point.startsWith('saga.'))
const SYSTEM = 'test/delivery/fixtures/system.ts'
/** Not at the first pass, so that work is under way all around. */
const PASSES: Readonly<Record<string, number>> = {
  default: 4,
  'inbox.attempt-counted': 1,
  'inbox.failure-recorded': 1,
  'inbox.early-parked': 1,
  'inbox.dead-lettered': 1,
}
const TEST_MS = 150_000

const armedAt = (point: string): string => `${point}:${PASSES[point] ?? PASSES['default']!}`
/** The points that publishing passes, and those that consuming does; the transaction's are passed by both. */
const through = ({ gatewayUrl }: RunningHost): Addresses => ({ orders: gatewayUrl, notifications: gatewayUrl })
const isConsuming = (point: string): boolean => point.startsWith('inbox.')

describe('embedded, in one process', () => {
  let data: string
  const workload = new Workload()

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), 'skerry-crash-'))
  })
  afterAll(() => rm(data, { recursive: true, force: true }))

  test.each(CRASH_POINTS)('killed at %s', { timeout: TEST_MS }, async (point) => {
    await using armed = await startHost({ system: SYSTEM, env: { SKERRY_DATA: data, SKERRY_CRASH_AT: armedAt(point) } })
    await workload.run(through(armed), armed.exited)
    expect(await armed.exited).toMatchObject({ signal: 'SIGKILL' })
    await using host = await startHost({ system: SYSTEM, env: { SKERRY_DATA: data } })
    await workload.finish(through(host))
    await workload.verify(through(host))
  })
})

describe('apart, on PostgreSQL and RabbitMQ', () => {
  let databases: ServiceDatabases
  let broker: BrokerCorner
  let ports: { orders: number; notifications: number }
  let at: Addresses
  const workload = new Workload()

  beforeAll(async () => {
    databases = await createDatabases(['orders', 'notifications'])
    broker = createBrokerCorner(['notifications'])
    ports = { orders: await freePort(), notifications: await freePort() }
    // Not through a gateway: its circuit breaker would keep away for 30 s from a service that has just come back.
    at = { orders: `http://127.0.0.1:${ports.orders}`, notifications: `http://127.0.0.1:${ports.notifications}` }
  }, TEST_MS)
  afterAll(async () => {
    await broker[Symbol.asyncDispose]()
    await databases[Symbol.asyncDispose]()
  })

  const start = (service: 'orders' | 'notifications', env: Record<string, string> = {}): Promise<RunningHost> =>
    startHost({
      system: SYSTEM,
      services: [service],
      env: { PORT: String(ports[service]), DATABASE_URL: databases.urls[service]!, RABBITMQ_URL: broker.url, ...env },
    })

  const publishing = CRASH_POINTS.filter((point) => !isConsuming(point)).map((point) => ({ victim: 'orders' as const, point }))
  const consuming = CRASH_POINTS.filter((point) => isConsuming(point) || point.startsWith('transaction.')).map((point) => ({
    victim: 'notifications' as const,
    point,
  }))

  test.each([...publishing, ...consuming])('$victim killed at $point', { timeout: TEST_MS }, async ({ victim, point }) => {
    await using bystander = await start(victim === 'orders' ? 'notifications' : 'orders')
    await using armed = await start(victim, { SKERRY_CRASH_AT: armedAt(point) })
    await workload.run(at, armed.exited)
    expect(await armed.exited).toMatchObject({ signal: 'SIGKILL' })
    await using host = await start(victim)
    await workload.finish(at)
    await workload.verify(at)
    expect(bystander.pid).not.toBe(host.pid)
  })
})
