/** Hosts that are killed at any moment, again and again: embedded under load, by a message that kills whoever handles it, and as one of two that share the work. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePort } from '../services/free-port.ts'
import { waitUntil } from '../services/wait-until.ts'
import { createBrokerCorner } from '../topologies/broker.ts'
import { createDatabases } from '../topologies/databases.ts'
import type { RunningHost } from '../topologies/host.ts'
import { startHost } from '../topologies/host.ts'
import type { Addresses } from './workload.ts'
import { Workload } from './workload.ts'

const SYSTEM = 'test/delivery/fixtures/system.ts'
const TEST_MS = 240_000
const WAIT_MS = 60_000
/** More than the attempts that an event is given. */
const MAX_DEATHS = 20

test('the embedded system, killed under load and restarted on its data directory', { timeout: TEST_MS }, async () => {
  const data = await mkdtemp(join(tmpdir(), 'skerry-killed-'))
  const workload = new Workload()
  const start = (): Promise<RunningHost> => startHost({ system: SYSTEM, env: { SKERRY_DATA: data } })
  const through = ({ gatewayUrl }: RunningHost): Addresses => ({ orders: gatewayUrl, notifications: gatewayUrl })
  try {
    for (let life = 1; life <= 3; life++) {
      await using host = await start()
      const running = workload.run(through(host), host.exited)
      const enough = workload.acknowledged + 40
      await waitUntil('40 more orders are acknowledged', WAIT_MS, async () => (workload.acknowledged >= enough ? true : undefined))
      await host.kill()
      await running
    }
    await using host = await start()
    await workload.finish(through(host))
    await workload.verify(through(host))
  } finally {
    await rm(data, { recursive: true, force: true })
  }
})

test('a message that kills each process that handles it becomes a dead letter, and holds up no other', { timeout: TEST_MS }, async () => {
  await using databases = await createDatabases(['orders', 'notifications'])
  await using broker = createBrokerCorner(['notifications'])
  const port = await freePort()
  const startMailroom = (): Promise<RunningHost> =>
    startHost({
      system: SYSTEM,
      services: ['notifications'],
      env: { PORT: String(port), DATABASE_URL: databases.urls['notifications']!, RABBITMQ_URL: broker.url, KILLS: 'yes' },
    })
  await using shop = await startHost({
    system: SYSTEM,
    services: ['orders'],
    env: { DATABASE_URL: databases.urls['orders']!, RABBITMQ_URL: broker.url },
  })
  const at: Addresses = { orders: shop.serviceUrls['orders']!, notifications: `http://127.0.0.1:${port}` }
  const headers = { 'content-type': 'application/json' }
  for (const [id, product] of ['kettle', 'kills', 'cup'].entries())
    await fetch(`${at.orders}/orders`, { method: 'POST', headers, body: JSON.stringify({ id, product }) })

  let deaths = 0
  const seen = async (): Promise<{ letters: unknown[]; notified: number[] } | undefined> => {
    const read = async <T>(path: string): Promise<T | undefined> =>
      fetch(at.notifications + path)
        .then(async (response) => (await response.json()) as T)
        .catch(() => undefined)
    const letters = await read<unknown[]>('/dead-letters')
    const notifications = await read<{ order_id: number }[]>('/notifications')
    return letters === undefined || notifications === undefined || letters.length === 0
      ? undefined
      : { letters, notified: notifications.map(({ order_id }) => order_id) }
  }
  let mailroom: RunningHost | undefined
  try {
    for (;;) {
      mailroom = await startMailroom().catch(() => undefined)
      const survived =
        mailroom && (await Promise.race([mailroom.exited.then(() => undefined), waitUntil('it is a dead letter', WAIT_MS, seen)]))
      if (survived !== undefined) {
        expect(survived.letters).toEqual([expect.objectContaining({ key: '1', cause: 'exhausted' })])
        expect(survived.notified.toSorted((a, b) => a - b)).toEqual([0, 2])
        break
      }
      expect(++deaths, 'the process dies again and again').toBeLessThan(MAX_DEATHS)
    }
  } finally {
    await mailroom?.kill()
  }
  expect(deaths).toBeGreaterThan(1)
})

test('two hosts of a service share its outbox, and one goes on when the other is killed', { timeout: TEST_MS }, async () => {
  await using databases = await createDatabases(['orders', 'notifications'])
  await using broker = createBrokerCorner(['notifications'])
  const start = (service: 'orders' | 'notifications'): Promise<RunningHost> =>
    startHost({ system: SYSTEM, services: [service], env: { DATABASE_URL: databases.urls[service]!, RABBITMQ_URL: broker.url } })
  await using mailroom = await start('notifications')
  await using spareMailroom = await start('notifications')
  await using first = await start('orders')
  await using second = await start('orders')
  const workload = new Workload()
  const through = (shop: RunningHost, reader: RunningHost): Addresses => ({
    orders: shop.serviceUrls['orders']!,
    notifications: reader.serviceUrls['notifications']!,
  })
  await Promise.all([workload.place(through(first, mailroom), 40), workload.place(through(second, mailroom), 40)])
  const running = workload.run(through(first, mailroom), first.exited)
  await waitUntil('more orders are acknowledged', WAIT_MS, async () => (workload.acknowledged >= 100 ? true : undefined))
  await Promise.all([first.kill(), mailroom.kill()])
  await running
  await workload.finish(through(second, spareMailroom))
  await workload.verify(through(second, spareMailroom))
})

test(
  'a host paused until another took its outbox over relays again what it had in hand, and nobody is told twice',
  {
    timeout: TEST_MS,
  },
  async () => {
    await using databases = await createDatabases(['orders', 'notifications'])
    await using broker = createBrokerCorner(['notifications'])
    const start = (service: 'orders' | 'notifications'): Promise<RunningHost> =>
      startHost({ system: SYSTEM, services: [service], env: { DATABASE_URL: databases.urls[service]!, RABBITMQ_URL: broker.url } })
    await using mailroom = await start('notifications')
    await using zombie = await start('orders')
    await using other = await start('orders')
    const workload = new Workload()
    const through = (shop: RunningHost): Addresses => ({
      orders: shop.serviceUrls['orders']!,
      notifications: mailroom.serviceUrls['notifications']!,
    })
    for (let pause = 1; pause <= 3; pause++) {
      const { promise: ended, resolve: end } = Promise.withResolvers<void>()
      const running = workload.run(through(zombie), ended)
      const enough = workload.acknowledged + 30
      await waitUntil('30 more orders are acknowledged', WAIT_MS, async () => (workload.acknowledged >= enough ? true : undefined))
      zombie.pause()
      end()
      await waitUntil('the other has sent everything', WAIT_MS, async () => {
        const { events } = (await (await fetch(`${through(other).orders}/orders-unsent`)).json()) as { events: number }
        return events === 0 ? true : undefined
      })
      zombie.resume()
      await running
    }
    await workload.finish(through(other))
    await workload.verify(through(other))
  },
)
