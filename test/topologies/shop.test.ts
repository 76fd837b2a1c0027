import type { Violation } from '@shop/auditor'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startProvider } from '../faults/provider.ts'
import { waitUntil } from '../services/wait-until.ts'
import { auditShop } from './audit-shop.ts'
import { request } from './request.ts'
import { shop, shopSuite } from './shop-suite.ts'
import type { RunningTopology } from './topology.ts'
import { topologies } from './topology.ts'

vi.setConfig({ testTimeout: 240_000 })

describe.each(topologies)('$name', (topology) => {
  let running: RunningTopology
  let last: readonly Violation[] = []
  const held = new AsyncDisposableStack()
  beforeAll(async () => {
    // Left to itself every instance of payments starts a sandbox of its own, which knows nothing of the others' payments.
    const provider = topology.isReplicated === true ? held.use(await startProvider()) : undefined
    running = held.use(await topology.start({ ...shop, env: { ...shop.env, ...provider?.env } }))
    await provider?.sendWebhooksTo(`${running.serviceUrls['payments']!}/webhooks/provider`)
  })
  afterAll(() => held.disposeAsync())

  shopSuite(() => running)

  test('nothing that the shop promises is broken by what was done to it', async () => {
    // What is on its way arrives sooner or later; but an embedded database can only be looked at while its host is stopped, and nothing
    // arrives where that happens all the time.
    await waitUntil(
      'the auditor finds nothing',
      200_000,
      async () => ((last = await auditShop(running)).length === 0 ? true : undefined),
      async () => JSON.stringify(last, undefined, 2),
      { doubling: 500 },
    )
  })

  test('orders survive a restart of every host, and the first users and products are there once', async () => {
    const order = { id: 7, user_id: 2, product: 'lighthouse', amount: 129 }
    await request('POST', `${running.gatewayUrl}/orders`, order)
    const products = await request('GET', `${running.gatewayUrl}/products`)
    await running.stop()
    await running.start()
    expect((await request('GET', `${running.gatewayUrl}/orders/7`)).body).toMatchObject(order)
    expect((await request('GET', `${running.gatewayUrl}/products`)).body).toEqual(products.body)
    expect((await request('GET', `${running.gatewayUrl}/users/2`)).body).toEqual({ id: 2, name: 'Bob Baker', email: 'bob@example.com' })
  })
})
