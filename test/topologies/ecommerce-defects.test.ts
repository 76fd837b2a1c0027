/**
 * What the code in the seed's documents gets wrong when processes, brokers and machines fail, shown not to happen here:
 * everything apart, on real servers. Defects that one service can show alone have their tests beside that service.
 */
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { freePort } from '../services/free-port.ts'
import { startMailbox } from '../services/mailbox.ts'
import type { RabbitmqServer } from '../services/rabbitmq.ts'
import { startRabbitmq } from '../services/rabbitmq.ts'
import { TcpProxy } from '../services/tcp-proxy.ts'
import { waitUntil } from '../services/wait-until.ts'
import { createBrokerCorner } from './broker.ts'
import { createDatabases, query } from './databases.ts'
import { ecommerce, notificationSent } from './ecommerce-suite.ts'
import type { HostOptions, RunningHost } from './host.ts'
import { startHost } from './host.ts'
import { request } from './request.ts'
import { startApart } from './topology.ts'

const ann = { id: 1, name: 'Ann', email: 'ann@example.com' }
const order = { id: 7, user_id: 1, product: 'kettle', amount: 19.99 }
const timeoutMs = 60_000
vi.setConfig({ testTimeout: 3 * timeoutMs })

/** Ours alone, because it is killed, and because queues of other consumers have fixed names. */
let rabbitmq: RabbitmqServer
beforeAll(async () => {
  rabbitmq = await startRabbitmq()
})
afterAll(() => rabbitmq.close())

async function shop(brokerUrl = corner(), env: Readonly<Record<string, string>> = {}) {
  const running = await startApart({ ...ecommerce, env }, brokerUrl)
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail')
      for (const name of [...ecommerce.services, 'gateway']) console.log(name, await running.host(name).output())
    await running[Symbol.asyncDispose]()
  })
  expect(await request('POST', `${running.gatewayUrl}/users`, ann)).toMatchObject({ status: 200 })
  return running
}

/** Queues of one's own on this file's broker. */
function corner(): string {
  const url = new URL(rabbitmq.url)
  url.searchParams.set('prefix', randomUUID())
  return url.href
}

const place = (at: { readonly gatewayUrl: string }, id: number | string) => request('POST', `${at.gatewayUrl}/orders`, { ...order, id })

test.each(['dead', 'hanging'])(
  'defect gone: a %s user service reported as 400 "User not found" or as a bare 500; and no timeouts',
  async (state) => {
    const running = await shop()
    if (state === 'dead') await running.host('user-service').kill()
    else running.host('user-service').pause()
    for (const url of [running.gatewayUrl, running.serviceUrls['order-service']!]) {
      const answer = await request('POST', `${url}/orders`, order)
      expect(answer).toMatchObject({ status: 503, body: { code: 'usersUnavailable', detail: 'The user cannot be verified at the moment' } })
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
      expect(await request('GET', `${url}/orders/7`)).toMatchObject({ status: 404 })
    }
    if (state === 'dead') await running.restart('user-service')
    else running.host('user-service').resume()
    const answer = await waitUntil('orders are taken again', timeoutMs, async () => {
      const again = await place(running, 7)
      return again.status === 200 ? again : undefined
    })
    expect(answer.body).toEqual({ order, status: 'created' })
  },
)

test('defect gone: write-then-publish; what is stored is published, though the process dies between the two', async () => {
  const running = await shop()
  const dying = await running.restart('order-service', { SKERRY_CRASH_AT: 'transaction.committed' })
  await expect(request('POST', `${running.serviceUrls['order-service']!}/orders`, order)).rejects.toThrow('fetch failed')
  expect(await dying.exited).toMatchObject({ signal: 'SIGKILL' })
  await running.restart('order-service')
  await notificationSent(running, order.id)
  expect((await request('GET', `${running.gatewayUrl}/orders/7`)).body).toEqual(order)
  expect((await place(running, 7)).body).toEqual({ order, status: 'created' })
})

test('defect gone: non-durable queue, transient messages, no confirms; the broker may die while a message waits in it', async () => {
  const running = await shop()
  // RabbitMQ 3 forgets who leads a quorum queue if it is killed in the first half second of the queue's life.
  await rabbitmq.stop()
  await rabbitmq.start()
  await running.host('notification-service').stop()
  expect(await place(running, 7)).toMatchObject({ status: 200 })
  await waitUntil('the broker has confirmed the event', timeoutMs, async () => {
    const [row] = await query(
      running.databases.urls['order-service']!,
      'select count(*)::int as waiting from "order-service".skerry_outbox',
    )
    return row?.['waiting'] === 0 || undefined
  })
  await rabbitmq.kill()
  expect(await place(running, 8)).toMatchObject({ status: 200 })
  await rabbitmq.start()
  await running.restart('notification-service')
  await notificationSent(running, 7)
  await notificationSent(running, 8)
})

test('defect gone: a connection per publish', async () => {
  const url = new URL(corner())
  const proxy = await TcpProxy.start({ host: url.hostname, port: Number(url.port) })
  onTestFinished(() => proxy.close())
  const running = await shop(proxy.through(url.href))
  await place(running, 7)
  await notificationSent(running, 7)
  const connections = proxy.accepted
  expect(connections).toBeGreaterThan(0)
  for (let id = 100; id < 120; id++) await place(running, id)
  for (let id = 100; id < 120; id++) await notificationSent(running, id)
  expect(proxy.accepted).toBe(connections)
})

test('defect gone: a consumer that never acknowledges', async () => {
  const brokerUrl = corner()
  const running = await shop(brokerUrl)
  for (let id = 100; id < 110; id++) await place(running, id)
  for (let id = 100; id < 110; id++) await notificationSent(running, id)
  await running.host('notification-service').stop()
  const connection = await connect(rabbitmq.url)
  const channel = await connection.createChannel()
  const queue = await channel.checkQueue(`${new URL(brokerUrl).searchParams.get('prefix')}.notification-service`)
  await connection.close()
  // What a consumer holds unacknowledged is counted again once it has gone.
  expect(queue.messageCount).toBe(0)
})

test('a mail that has been sent is not sent again when the process dies before it could say so', async () => {
  const mailbox = await startMailbox()
  onTestFinished(() => mailbox[Symbol.asyncDispose]())
  const running = await shop(corner(), { SMTP_URL: mailbox.url })
  // The second event that it handles is its own, whose handler has sent the mail when this point is passed.
  const dying = await running.restart('notification-service', { SKERRY_CRASH_AT: 'inbox.handled:2' })
  await place(running, 7)
  expect(await dying.exited).toMatchObject({ signal: 'SIGKILL' })
  expect(mailbox.mails).toHaveLength(1)
  await running.restart('notification-service')
  await waitUntil('nothing waits for the notification service any more', timeoutMs, async () => {
    await place(running, 8)
    await notificationSent(running, 8)
    const sql = 'select (select count(*) from skerry_key_cursor) as handled, (select count(*) from skerry_delivery) as waiting'
    const [row] = await query(`${running.databases.urls['notification-service']!}?options=-csearch_path%3Dnotification-service`, sql)
    return (row?.['handled'] === '4' && row['waiting'] === '0') || undefined
  })
  expect(mailbox.mails.map(({ subject }) => subject)).toEqual(['Your order 7', 'Your order 8'])
})

test.each(['before', 'after'])(
  "the seed's own consumer finds the order's plain JSON on its queue, declared %s we have used it",
  async (declared) => {
    const connection = await connect(rabbitmq.url)
    onTestFinished(() => connection.close())
    const channel = await connection.createChannel()
    await channel.deleteQueue('orders')
    const declare = () => channel.assertQueue('orders', { durable: false })
    if (declared === 'before') await declare()
    const running = await shop()
    const ids = [randomUUID(), 4711]
    for (const id of ids) await place(running, id)
    if (declared === 'after') {
      await notificationSent(running, 4711)
      await declare()
    }
    const received: unknown[] = []
    await channel.consume('orders', (message) => {
      received.push(JSON.parse(message!.content.toString()))
      channel.ack(message!)
    })
    await waitUntil('both orders have come', timeoutMs, async () => received.length >= ids.length || undefined)
    expect(received).toHaveLength(ids.length)
    expect(received).toEqual(expect.arrayContaining(ids.map((id) => ({ ...order, id }))))
  },
)

test('defect gone: names resolved once at start; a service that moves is found at its new address', async () => {
  const databases = await createDatabases(['user-service', 'order-service'])
  onTestFinished(() => databases[Symbol.asyncDispose]())
  const names = join(tmpdir(), `skerry-test-names-${randomUUID()}.json`)
  const moveTo = (address: string) => writeFile(names, JSON.stringify({ 'users.test': address }))
  const port = String(await freePort())
  const start = async (options: Omit<HostOptions, 'system'>): Promise<RunningHost> => {
    const host = await startHost({ system: ecommerce.file, ...options })
    onTestFinished(() => host[Symbol.asyncDispose]())
    return host
  }
  const startUsers = (HOST: string) =>
    start({ services: ['user-service'], env: { HOST, PORT: port, DATABASE_URL: databases.urls['user-service']! } })

  await moveTo('127.0.0.2')
  const first = await startUsers('127.0.0.2')
  await request('POST', `${first.serviceUrls['user-service']!}/users`, ann)
  const broker = createBrokerCorner(['notification-service'])
  onTestFinished(() => broker[Symbol.asyncDispose]())
  const orders = await start({
    services: ['order-service'],
    env: {
      NODE_OPTIONS: `--import ${new URL('./name-table.ts', import.meta.url).href}`,
      NAME_TABLE: names,
      USER_SERVICE_URL: `http://users.test:${port}`,
      DATABASE_URL: databases.urls['order-service']!,
      RABBITMQ_URL: broker.url,
    },
  })
  const placeDirectly = (id: number) => request('POST', `${orders.serviceUrls['order-service']!}/orders`, { ...order, id })
  expect(await placeDirectly(1)).toMatchObject({ status: 200 })
  await first.stop()
  await moveTo('127.0.0.3')
  await startUsers('127.0.0.3')
  expect(await placeDirectly(2)).toMatchObject({ status: 200 })
})
