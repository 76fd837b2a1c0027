/** What a host needs and does not find: it says what and where and keeps passwords to itself, or does without until it is there. */
import { expect, test } from 'vitest'
import { startRabbitmq } from '../services/rabbitmq.ts'
import { createDatabases } from '../topologies/databases.ts'
import { ecommerce, notificationSent } from '../topologies/ecommerce-suite.ts'
import { startHost } from '../topologies/host.ts'
import { request } from '../topologies/request.ts'

test('a broker that is down at the start: orders are taken meanwhile, and told of as soon as it is up', async () => {
  await using held = new AsyncDisposableStack()
  const broker = await startRabbitmq()
  held.defer(() => broker.close())
  await broker.stop()
  const host = held.use(await startHost({ system: ecommerce.file, env: { RABBITMQ_URL: broker.url } }))
  const gateway = host.gatewayUrl
  expect(await request('GET', `${gateway}/health/ready`)).toMatchObject({
    status: 200,
    body: { status: 'degraded', checks: { broker: { status: 'down' } } },
  })
  await request('POST', `${gateway}/users`, { id: 1, name: 'Ann', email: 'ann@example.com' })
  for (const id of [7, 8])
    expect(await request('POST', `${gateway}/orders`, { id, user_id: 1, product: 'kettle', amount: 20 })).toMatchObject({ status: 200 })
  expect(await request('GET', `${gateway}/notifications?order_id=7`)).toMatchObject({ status: 200, body: [] })

  await broker.start()
  for (const id of [7, 8])
    expect(await notificationSent({ serviceUrls: { 'notification-service': gateway } }, id)).toMatchObject({ order_id: id })
  expect(await request('GET', `${gateway}/health/ready`)).toMatchObject({ status: 200, body: { status: 'ready' } })
  expect(await host.output()).not.toContain(new URL(broker.url).password)
})

test.each(['secret-of-nobody', 'p@ss/word?#%25'])(
  'a wrong password for the database: host and database are named, the password %s is not',
  async (password) => {
    await using databases = await createDatabases(['orders'])
    const url = new URL(databases.urls['orders']!)
    const right = url.password
    url.password = encodeURIComponent(password)
    const started = startHost({ system: ecommerce.file, env: { DATABASE_URL: url.href } })
    const failure = await started.then(
      async (host) => {
        await host[Symbol.asyncDispose]()
        return new Error('The host has started')
      },
      (error: unknown) => error as Error,
    )
    expect(failure.message).toContain(`(PostgreSQL at ${url.hostname}:${url.port}${url.pathname})`)
    expect(failure.message).toContain('What to do: Start the database, or correct its URL.')
    for (const secret of [password, url.password, right]) expect(failure.message).not.toContain(secret)
  },
)
