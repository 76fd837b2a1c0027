/** The database goes away, or only its answer does: what was acknowledged is there afterwards, and what was not can simply be repeated. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PostgresServer } from '../services/postgres.ts'
import { startPostgres } from '../services/postgres.ts'
import { TcpProxy } from '../services/tcp-proxy.ts'
import { waitUntil } from '../services/wait-until.ts'
import type { BrokerCorner } from '../topologies/broker.ts'
import { createBrokerCorner } from '../topologies/broker.ts'
import { query } from '../topologies/databases.ts'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'
import type { Addresses } from './workload.ts'
import { Workload } from './workload.ts'

const SYSTEM = 'test/delivery/fixtures/system.ts'
const TEST_MS = 180_000
const WAIT_MS = 60_000

let postgres: PostgresServer
let broker: BrokerCorner
/** Between the orders and their database. */
let network: TcpProxy
let hosts: RunningHost[] = []
let shop: RunningHost
let mailroom: RunningHost
const workload = new Workload()
/** Not through a gateway: its circuit breaker would keep away for 30 s from what has just come back. */
const at = (): Addresses => ({ orders: shop.serviceUrls['orders']!, notifications: mailroom.serviceUrls['notifications']! })

beforeAll(async () => {
  postgres = await startPostgres({ fsync: false })
  broker = createBrokerCorner(['notifications'])
  const { hostname, port } = new URL(postgres.url)
  network = await TcpProxy.start({ host: hostname, port: Number(port) })
  await query(postgres.url, 'create database orders')
  await query(postgres.url, 'create database notifications')
  const database = (name: string): string => postgres.url.replace(/[^/]*$/, name)
  const start = async (services: readonly string[], env: Record<string, string>): Promise<RunningHost> => {
    const host = await startHost({ system: SYSTEM, services, env: { RABBITMQ_URL: broker.url, ...env } })
    hosts.push(host)
    return host
  }
  ;[shop, mailroom] = await Promise.all([
    start(['orders'], {
      DATABASE_URL: network.through(database('orders')),
    }),
    start(['notifications'], { DATABASE_URL: database('notifications') }),
  ])
}, TEST_MS)
afterAll(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]()
  await network?.close()
  await broker?.[Symbol.asyncDispose]()
  await postgres?.close()
})

const moreAcknowledged = (count: number): Promise<unknown> => {
  const enough = workload.acknowledged + count
  return waitUntil(`${count} more orders are acknowledged`, WAIT_MS, async () => (workload.acknowledged >= enough ? true : undefined))
}
const moreRefused = (count: number): Promise<unknown> => {
  const enough = workload.refusals.length + count
  return waitUntil(`${count} more requests are refused`, WAIT_MS, async () => (workload.refusals.length >= enough ? true : undefined))
}

test('PostgreSQL crashes and comes back while orders are placed, twice', { timeout: TEST_MS }, async () => {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const placed = workload.run(at(), ended)
  try {
    for (let time = 0; time < 2; time++) {
      await moreAcknowledged(20)
      await postgres.stop('immediate')
      await moreRefused(20)
      expect(await readiness()).toMatchObject({
        status: 503,
        body: { code: 'unavailable', data: { checks: { 'database:orders': { status: 'down' } } } },
      })
      await postgres.start()
    }
    await moreAcknowledged(20)
  } finally {
    end()
    await placed
  }
  expect(new Set(workload.refusals.map(({ status }) => status))).toEqual(new Set([503]))
  for (const { code } of workload.refusals) expect(['unavailable', 'outcomeUnknown']).toContain(code)
  for (const { retryAfter } of workload.refusals) expect(Number(retryAfter)).toBeGreaterThanOrEqual(1)
  await workload.finish(at())
  await workload.verify(at())
  expect((await readiness()).status).toBe(200)
})

test('the answer to COMMIT is lost: 503 outcomeUnknown, and the repetition finds one order', { timeout: TEST_MS }, async () => {
  const place = (id: number): Promise<Response> =>
    fetch(`${at().orders}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id, product: `kettle ${id}` }),
    })
  for (const [index, verdict] of (['cut after', 'cut before'] as const).entries()) {
    const id = 1_000_000 + index
    let cut = false
    // Only the transaction of this order: relays and consumers commit all the while.
    let ours: object | undefined
    network.onClientBytes = (bytes, connection) => {
      const text = bytes.toString('latin1')
      if (text.includes(`kettle ${id}`)) ours ??= connection
      if (cut || connection !== ours || !/commit/i.test(text)) return 'forward'
      cut = true
      return verdict
    }
    const answer = await place(id)
    expect(cut).toBe(true)
    expect(answer.status).toBe(503)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(await answer.json()).toMatchObject({ code: 'outcomeUnknown', status: 503 })
    network.onClientBytes = () => 'forward'
    const again = await place(id)
    expect(again.status).toBe(200)
    expect(await again.json()).toEqual({ id, product: `kettle ${id}`, confirmed: false })
    await waitUntil(`order ${id} is notified once`, WAIT_MS, async () => {
      const all = (await (await fetch(`${at().notifications}/notifications`)).json()) as { order_id: number; kind: string }[]
      const ours = all.filter(({ order_id }) => order_id === id)
      if (ours.length === 0) return undefined
      expect(ours).toEqual([{ order_id: id, kind: 'placed' }])
      return true
    })
  }
})

async function readiness(): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${at().orders}/health/ready`)
  return { status: response.status, body: await response.json() }
}
