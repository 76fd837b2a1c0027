/** Health as orchestrators ask for it, of an order service whose dependencies are cut off one after the other. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { TcpProxy } from '../services/tcp-proxy.ts'
import { waitUntil } from '../services/wait-until.ts'
import { createBrokerCorner } from './broker.ts'
import { createDatabases } from './databases.ts'
import { ecommerce } from './ecommerce-suite.ts'
import type { RunningHost } from './host.ts'
import { startHost } from './host.ts'
import type { Answer } from './request.ts'
import { request } from './request.ts'

const timeoutMs = 60_000
vi.setConfig({ testTimeout: 2 * timeoutMs })

const held = new AsyncDisposableStack()
let database: TcpProxy
let broker: TcpProxy
let host: RunningHost
beforeAll(async () => {
  const databases = held.use(await createDatabases(['user-service', 'order-service']))
  const corner = held.use(createBrokerCorner(['notification-service']))
  const proxy = async (url: string): Promise<TcpProxy> => {
    const { hostname, port } = new URL(url)
    const started = await TcpProxy.start({ host: hostname, port: Number(port) })
    held.defer(() => started.close())
    return started
  }
  database = await proxy(databases.urls['order-service']!)
  broker = await proxy(corner.url)
  host = await startHost({
    system: ecommerce.file,
    services: ['user-service', 'order-service'],
    env: {
      USER_SERVICE_PORT: '0',
      ORDER_SERVICE_PORT: '0',
      USER_SERVICE_DATABASE_URL: databases.urls['user-service']!,
      ORDER_SERVICE_DATABASE_URL: database.through(databases.urls['order-service']!),
      RABBITMQ_URL: broker.through(corner.url),
    },
  })
  held.use(host)
  await request('POST', `${host.serviceUrls['user-service']!}/users`, { id: 1, name: 'Ann', email: 'ann@example.com' })
})
afterAll(() => held.disposeAsync())

const orders = (method: string, path: string, body?: unknown): Promise<Answer> =>
  request(method, host.serviceUrls['order-service']! + path, body)
const place = (id: number) => orders('POST', '/orders', { id, user_id: 1, product: 'kettle', amount: 20 })
const readyIs = (expected: { status: number; body: unknown }) =>
  waitUntil(
    `/health/ready answers ${JSON.stringify(expected)}`,
    timeoutMs,
    async () => {
      const answer = await orders('GET', '/health/ready')
      try {
        expect(answer).toMatchObject(expected)
        return answer
      } catch {
        return undefined
      }
    },
    async () => JSON.stringify((await orders('GET', '/health/ready')).body),
  )

test('with everything in reach it is ready, and lists what it needs', async () => {
  const up = { status: 'up' }
  await readyIs({
    status: 200,
    body: { status: 'ready', checks: { 'database:user-service': up, 'database:order-service': up, broker: up } },
  })
})

test('without the broker it is degraded, says so, and takes orders', async () => {
  broker.refusing = true
  broker.cut()
  await readyIs({
    status: 200,
    body: { status: 'degraded', checks: { broker: { status: 'down' }, 'database:order-service': { status: 'up' } } },
  })
  expect(await place(1)).toMatchObject({ status: 200 })
  broker.refusing = false
  await readyIs({ status: 200, body: { status: 'ready' } })
})

test('without a database it is alive but not ready, names the database, and answers 503 with Retry-After', async () => {
  database.refusing = true
  database.cut()
  const unready = await readyIs({
    status: 503,
    body: {
      detail: 'Not ready: database:order-service cannot be reached',
      data: { checks: { 'database:order-service': { status: 'down' }, 'database:user-service': { status: 'up' } } },
    },
  })
  expect(unready.headers.get('retry-after')).not.toBeNull()
  for (const path of ['/health', '/health/live'])
    expect(await orders('GET', path)).toMatchObject({ status: 200, body: { status: 'healthy' } })
  const answer = await place(2)
  expect({ status: answer.status, retryAfter: answer.headers.get('retry-after') }).toEqual({ status: 503, retryAfter: '1' })
  expect(await request('GET', `${host.serviceUrls['user-service']!}/users/1`)).toMatchObject({ status: 200 })
  database.refusing = false
  await readyIs({ status: 200, body: { status: 'ready' } })
  expect(await place(2)).toMatchObject({ status: 200 })
})
