/** The broker goes away, comes back, loses queues and carries what is none of ours: orders are taken all the while, and each is notified once, in order. */
import { connect } from 'amqplib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RabbitmqServer } from '../services/rabbitmq.ts'
import { startRabbitmq } from '../services/rabbitmq.ts'
import { waitUntil } from '../services/wait-until.ts'
import type { ServiceDatabases } from '../topologies/databases.ts'
import { createDatabases, query } from '../topologies/databases.ts'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'
import type { Addresses } from './workload.ts'
import { Workload } from './workload.ts'

const SYSTEM = 'test/delivery/fixtures/system.ts'
const TEST_MS = 180_000
const WAIT_MS = 60_000
const QUEUE = 'skerry.notifications'

let rabbitmq: RabbitmqServer
let databases: ServiceDatabases
let hosts: RunningHost[] = []
let shop: RunningHost
let mailroom: RunningHost
const workload = new Workload()
/** Not through a gateway: its circuit breaker would keep away for 30 s from what has just come back. */
const at = (): Addresses => ({ orders: shop.serviceUrls['orders']!, notifications: mailroom.serviceUrls['notifications']! })

const start = async (services: readonly string[], env: Record<string, string>): Promise<RunningHost> => {
  const host = await startHost({ system: SYSTEM, services, env: { RABBITMQ_URL: rabbitmq.url, ...env } })
  hosts.push(host)
  return host
}

const startMailroom = (): Promise<RunningHost> => start(['notifications'], { DATABASE_URL: databases.urls['notifications']! })

beforeAll(async () => {
  ;[rabbitmq, databases] = await Promise.all([startRabbitmq(), createDatabases(['orders', 'notifications'])])
  // The broker is not there yet when the hosts start: see the first test.
  await rabbitmq.stop()
  const starting = [start(['orders'], { DATABASE_URL: databases.urls['orders']! }), startMailroom()] as const
  ;[shop, mailroom] = await Promise.all(starting)
}, TEST_MS)
afterAll(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]()
  await databases?.[Symbol.asyncDispose]()
  await rabbitmq?.close()
})

/** Orders are placed as long as the work takes; all of them have been answered when this resolves. */
async function whilePlacing(work: () => Promise<void>): Promise<void> {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const placed = workload.run(at(), ended)
  try {
    await work()
  } finally {
    end()
    await placed
  }
}

const moreAcknowledged = (count: number): Promise<unknown> => {
  const enough = workload.acknowledged + count
  return waitUntil(`${count} more orders are acknowledged`, WAIT_MS, async () => (workload.acknowledged >= enough ? true : undefined))
}

const unsent = async (): Promise<number> => ((await (await fetch(`${at().orders}/orders-unsent`)).json()) as { events: number }).events

async function brokerStatus(): Promise<{ readonly status: string; readonly reason?: string }> {
  const ready = (await (await fetch(`${at().orders}/health/ready`)).json()) as {
    checks: { broker: { status: string; reason?: string } }
  }
  return ready.checks.broker
}

async function withChannel<T>(
  work: (channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>['createConfirmChannel']>>) => Promise<T>,
): Promise<T> {
  const connection = await connect(rabbitmq.url)
  try {
    return await work(await connection.createConfirmChannel())
  } finally {
    await connection.close()
  }
}

describe('while the broker is away', () => {
  test('hosts start, say so, and take orders; when it comes up all is delivered', { timeout: TEST_MS }, async () => {
    expect(await brokerStatus()).toMatchObject({ status: 'down', reason: expect.stringContaining('ECONNREFUSED') as string })
    await workload.place(at(), 12)
    expect(workload.refusals).toEqual([])
    expect(await unsent()).toBe(24)
    await rabbitmq.start()
    await workload.verify(at())
    expect(await brokerStatus()).toEqual({ status: 'up' })
  })

  test.each(['stopped', 'killed'] as const)(
    'orders are taken although it is %s in the middle of its work',
    { timeout: TEST_MS },
    async (how) => {
      await whilePlacing(async () => {
        await moreAcknowledged(20)
        await (how === 'stopped' ? rabbitmq.stop() : rabbitmq.kill())
        await moreAcknowledged(20)
        await rabbitmq.start()
        await moreAcknowledged(20)
      })
      expect(workload.refusals).toEqual([])
      await workload.verify(at())
    },
  )
})

describe('a queue that is deleted', () => {
  // While it is empty: what the broker had confirmed and then threw away is gone, and nobody could bring it back.
  const deleteQueue = (): Promise<unknown> => withChannel((channel) => channel.deleteQueue(QUEUE))

  test('is made again under its consumer, and what was published meanwhile is delivered', { timeout: TEST_MS }, async () => {
    await workload.verify(at())
    await deleteQueue()
    await workload.place(at(), 12)
    await workload.verify(at())
  })

  test('is made again for a consumer that is away, before anything is taken for delivered', { timeout: TEST_MS }, async () => {
    await mailroom.kill()
    await deleteQueue()
    await workload.place(at(), 12)
    mailroom = await startMailroom()
    await workload.verify(at())
  })
})

test('what a stranger publishes is kept as a dead letter, and holds up nobody', { timeout: TEST_MS }, async () => {
  const event = {
    specversion: '1.0',
    id: 'forged-1',
    source: '/stranger',
    type: 'orders.orderPlaced.v1',
    subject: 'forged',
    data: { id: 'no number' },
  }
  const bodies = [
    'garbage',
    '',
    '\u0000',
    Buffer.from([0xff, 0xfe]),
    '[]',
    JSON.stringify({ ...event, id: 'x'.repeat(5_000) }),
    JSON.stringify({ ...event, id: 'a\u0000b' }),
    JSON.stringify(event),
    JSON.stringify({ ...event, id: 'forged-2', type: 'orders.orderLost.v7' }),
    '['.repeat(100_000),
  ]
  await withChannel(async (channel) => {
    for (const [index, body] of bodies.entries())
      channel.publish('skerry', 'orders', Buffer.from(body), index % 2 === 0 ? {} : { messageId: `stranger-${index}`, type: 'nonsense' })
    // Straight into the queue, too, past the exchange.
    channel.sendToQueue(QUEUE, Buffer.from('garbage by the back door'))
    await channel.waitForConfirms()
  })
  const causes = async (): Promise<Record<string, unknown>[]> =>
    query(
      databases.urls['notifications']!,
      `select cause, count(*)::int as letters from notifications.skerry_dead_letter where source not like '/services/%' group by cause order by cause`,
    )
  await waitUntil(
    'all of it is dead',
    WAIT_MS,
    async () => ((await causes()).reduce((sum, { letters }) => sum + (letters as number), 0) >= bodies.length + 1 ? true : undefined),
    async () => JSON.stringify(await causes()),
  )
  expect(await causes()).toEqual([
    { cause: 'invalid', letters: 1 },
    { cause: 'undeclared', letters: 1 },
    { cause: 'undecodable', letters: 9 },
  ])
  await workload.place(at(), 8)
  await workload.verify(at())
})
