/**
 * The processes of orders and notifications, with PostgreSQL and RabbitMQ between them, are killed at every crash point of placing an order
 * and of consuming its events: each at those that it passes, both at the same time, while orders are placed.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { freePort } from '../services/free-port.ts'
import type { BrokerCorner } from '../topologies/broker.ts'
import { createBrokerCorner } from '../topologies/broker.ts'
import type { ServiceDatabases } from '../topologies/databases.ts'
import { createDatabases } from '../topologies/databases.ts'
import type { Deaths } from '../topologies/deaths.ts'
import { dieAtEach } from '../topologies/deaths.ts'
import type { HostOptions } from '../topologies/host.ts'
import { launchHost, startHost } from '../topologies/host.ts'
import type { CrashPoint } from './crash-points.ts'
import { ALL_LIVES_MS, CRASH_POINTS, LIFE_MS, passesOf, SYSTEM } from './crash-points.ts'
import type { Addresses } from './workload.ts'
import { Workload } from './workload.ts'

vi.setConfig({ testTimeout: ALL_LIVES_MS })

type Victim = 'orders' | 'notifications'
const isConsuming = (point: CrashPoint): boolean => point.startsWith('inbox.')
/** The points that publishing passes, and those that consuming does; the transaction's are passed by both. */
const POINTS: Readonly<Record<Victim, readonly CrashPoint[]>> = {
  orders: CRASH_POINTS.filter((point) => !isConsuming(point)),
  notifications: CRASH_POINTS.filter((point) => isConsuming(point) || point.startsWith('transaction.')),
}
const CASES = (['orders', 'notifications'] as const).flatMap((victim) => POINTS[victim].map((point) => ({ victim, point })))

let databases: ServiceDatabases
let broker: BrokerCorner
let ports: Readonly<Record<Victim, number>>
let at: Addresses
let deaths: Readonly<Record<Victim, Deaths<CrashPoint>>>
let placing: Promise<void>
const workload = new Workload({ pauseMs: 200 })

const options = (service: Victim, env: Readonly<Record<string, string>> = {}): HostOptions => ({
  system: SYSTEM,
  services: [service],
  env: { PORT: String(ports[service]), DATABASE_URL: databases.urls[service]!, RABBITMQ_URL: broker.url, ...env },
})
const die = (host: Victim): Deaths<CrashPoint> =>
  dieAtEach({
    host,
    points: POINTS[host],
    passes: passesOf,
    launch: (armed) => launchHost(options(host, armed)),
    restart: () => startHost(options(host)),
    lifeMs: LIFE_MS,
  })

beforeAll(async () => {
  databases = await createDatabases(['orders', 'notifications'])
  broker = createBrokerCorner(['notifications'])
  ports = { orders: await freePort(), notifications: await freePort() }
  // Not through a gateway: its circuit breaker would keep away for 30 s from a service that has just come back.
  at = { orders: `http://127.0.0.1:${ports.orders}`, notifications: `http://127.0.0.1:${ports.notifications}` }
  // Lives that end in order leave to the others what they have compiled.
  for (const service of ['orders', 'notifications'] as const) await (await startHost(options(service))).stop()
  deaths = { orders: die('orders'), notifications: die('notifications') }
  placing = workload.run(at, Promise.allSettled([deaths.orders.all, deaths.notifications.all]))
})
afterAll(async () => {
  await deaths?.orders[Symbol.asyncDispose]()
  await deaths?.notifications[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
  await databases?.[Symbol.asyncDispose]()
})

test.each(CASES)('$victim killed at $point', ({ victim, point }) => expect(deaths[victim].at(point)).resolves.toBeUndefined())

test('afterwards every order that was acknowledged is there, and each is notified once, in order', async () => {
  await Promise.all([deaths.orders.all, deaths.notifications.all])
  await placing
  await workload.finish(at)
  await workload.verify(at)
  expect(workload.acknowledged).toBeGreaterThan(CASES.length)
})
