/** Services that begin to listen when others have long been speaking: what can still reach them they hear in order, and nothing is skipped that can. */
import { connect } from 'amqplib'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { waitUntil } from '../services/wait-until.ts'
import type { BrokerCorner } from '../topologies/broker.ts'
import { createBrokerCorner, rabbitmqUrl } from '../topologies/broker.ts'
import type { ServiceDatabases } from '../topologies/databases.ts'
import { createDatabases, query } from '../topologies/databases.ts'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'
import { Workload } from './workload.ts'

const SYSTEM = 'test/delivery/fixtures/system.ts'
const AUDITED = 'test/delivery/fixtures/audited-system.ts'
const TEST_MS = 180_000
const WAIT_MS = 60_000

let databases: ServiceDatabases
let broker: BrokerCorner
let hosts: RunningHost[]

beforeAll(async () => {
  databases = await createDatabases(['orders', 'notifications', 'audits'])
})
afterAll(() => databases[Symbol.asyncDispose]())
beforeEach(() => {
  broker = createBrokerCorner(['notifications', 'audits'])
  hosts = []
})
afterEach(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
  for (const [service, url] of Object.entries(databases.urls)) await query(url, `drop schema if exists ${service} cascade`)
})

async function start(service: string, system = SYSTEM): Promise<RunningHost> {
  const env = { DATABASE_URL: databases.urls[service]!, RABBITMQ_URL: broker.url }
  const host = await startHost({ system, services: [service], env })
  hosts.push(host)
  return host
}

const databaseOf = (service: string): string => databases.urls[service]!

test(
  'one that starts long after the others hears all that waits for it, and skips nothing that fails or is dead',
  { timeout: TEST_MS },
  async () => {
    const orders = await start('orders')
    const at = { orders: orders.serviceUrls['orders']!, notifications: '' }
    const workload = new Workload()
    await workload.place(at, 20)
    const notifications = await start('notifications')
    at.notifications = notifications.serviceUrls['notifications']!
    await workload.verify(at)
    // What waits behind a dead letter is looked at again when the grace is over after which a key may begin in the middle.
    await waitUntil('the grace is over', WAIT_MS, async () => {
      const [row] = await query(
        databaseOf('notifications'),
        `select count(*)::int as waiting, bool_and(next_at > first_at + interval '6 seconds') as looked_at
       from notifications.skerry_delivery where reason = 'early'`,
      )
      expect(row!['waiting']).toBe(4)
      return row!['looked_at'] === true ? true : undefined
    })
    await workload.verify(at)
  },
)

test(
  'one that is added later begins in the middle of what it has missed, and misses nothing from then on',
  { timeout: TEST_MS },
  async () => {
    const orders = await start('orders')
    const ordersUrl = orders.serviceUrls['orders']!
    const post = async (path: string, body: unknown): Promise<void> => {
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(ordersUrl + path, { method: 'POST', headers, body: JSON.stringify(body) })
      expect(answer.status).toBe(200)
    }
    const old = [1, 2, 3, 4, 5]
    const young = [11, 12, 13, 14, 15]
    for (const id of old) await post('/orders', { id, product: 'kettle' })
    await waitUntil('all is published', WAIT_MS, async () => {
      const { events } = (await (await fetch(`${ordersUrl}/orders-unsent`)).json()) as { events: number }
      return events === 0 ? true : undefined
    })

    const audits = await start('audits', AUDITED)
    await waitUntil('it has subscribed', WAIT_MS, async () => {
      const subscriptions = await query(databaseOf('audits'), 'select from audits.skerry_subscription')
      return subscriptions.length === 1 ? true : undefined
    })
    for (const id of old) await post(`/orders/${id}/confirmation`, {})
    for (const id of young) await post('/orders', { id, product: 'cup' })
    for (const id of young) await post(`/orders/${id}/confirmation`, {})

    const entries = async (): Promise<{ order_id: number; kind: string }[]> =>
      (await (await fetch(`${audits.serviceUrls['audits']}/entries`)).json()) as { order_id: number; kind: string }[]
    await waitUntil(
      'it has heard everything since',
      WAIT_MS,
      async () => ((await entries()).length >= 15 ? true : undefined),
      async () => JSON.stringify(await entries()),
    )
    const heard = await entries()
    const kindsOf = (order: number): string[] => heard.filter(({ order_id }) => order_id === order).map(({ kind }) => kind)
    for (const id of old) expect(kindsOf(id)).toEqual(['confirmed'])
    for (const id of young) expect(kindsOf(id)).toEqual(['placed', 'confirmed'])
    expect(heard).toHaveLength(15)
    expect(await query(databaseOf('audits'), 'select from audits.skerry_dead_letter')).toEqual([])
  },
)

test(
  'one that was removed holds nothing back: its queue fills until it is deleted, and the outbox does not wait for it',
  { timeout: TEST_MS },
  async () => {
    await using connection = disposable(await connect(rabbitmqUrl()))
    const queue = `${new URL(broker.url).searchParams.get('prefix')}.audits`
    /** Undefined when there is no such queue: RabbitMQ then closes the channel of whoever asks. */
    const messagesWaiting = async (): Promise<number | undefined> => {
      const channel = await connection.createChannel()
      channel.on('error', () => {})
      try {
        const { messageCount } = await channel.checkQueue(queue)
        await channel.close()
        return messageCount
      } catch {
        return undefined
      }
    }
    let orders = ''
    const place = async (id: number): Promise<void> => {
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${orders}/orders`, { method: 'POST', headers, body: JSON.stringify({ id, product: 'kettle' }) })
      expect(answer.status).toBe(200)
      await waitUntil('nothing is unsent', WAIT_MS, async () => {
        const { events } = (await (await fetch(`${orders}/orders-unsent`)).json()) as { events: number }
        return events === 0 ? true : undefined
      })
    }
    const holds = (count: number) =>
      waitUntil(`its queue holds ${count}`, WAIT_MS, async () => ((await messagesWaiting()) === count ? true : undefined))

    const before = await start('orders', AUDITED)
    orders = before.serviceUrls['orders']!
    await place(1)
    await holds(1)
    await before[Symbol.asyncDispose]()
    hosts = []
    orders = (await start('orders')).serviceUrls['orders']!
    await place(2)
    await holds(2)
    const channel = await connection.createChannel()
    await channel.deleteQueue(queue)
    await place(3)
    // It stays away, for nobody declares it any more.
    expect(await messagesWaiting()).toBeUndefined()
  },
)

function disposable<T extends { close(): Promise<unknown> }>(connection: T): T & AsyncDisposable {
  return Object.assign(connection, {
    [Symbol.asyncDispose]: async () => {
      await connection.close()
    },
  })
}
