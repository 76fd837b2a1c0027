import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { contract, event, get } from '../../contract/index.ts'
import { gateway } from '../../gateway/index.ts'
import { service } from '../../service/index.ts'
import { testSystem } from '../../testing/test-system.ts'
import { remoteAdmin } from './client.ts'

const Id = z.object({ id: z.string().max(3) })
const prices = contract('prices', {
  version: '2.1.0',
  operations: {
    findPrice: get('/prices/{id}', {
      input: Id,
      output: z.object({ cents: z.int() }),
      deprecated: { since: '2026-11-01', sunset: '2027-05-01', instead: 'GET /v2/prices/{id}' },
      public: true,
    }),
    listPrices: get('/prices', { output: z.array(z.int()), deprecated: { since: '2026-12-01' } }),
    getPrice: get('/v2/prices/{id}', { input: Id, output: z.object({ cents: z.int() }) }),
  },
  // So that it has a database.
  events: { priceChanged: event(Id, { key: 'id' }) },
})
const clocks = contract('clocks', {
  version: '1.0.0',
  operations: { now: get('/now', { output: z.object({ time: z.string() }), deprecated: { since: '2026-10-01' } }) },
})
const carts = contract('carts', {
  version: '1.3.0',
  operations: { total: get('/total/{id}', { input: Id, output: z.object({ cents: z.int() }) }) },
})

const priceService = service(prices).implement({
  findPrice: async () => ({ cents: 100 }),
  listPrices: async () => [100],
  getPrice: async () => ({ cents: 100 }),
})
const clockService = service(clocks).implement({ now: async ({ clock }) => ({ time: clock.now().toISOString() }) })
const cartService = service(carts, { uses: { prices, clocks } }).implement({
  async total({ input, call }) {
    await call.clocks.now()
    await call.prices.getPrice(input)
    return call.prices.findPrice(input)
  },
})

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }

describe.each([false, true, 'fast'] as const)('deprecated operations, with calls over HTTP: %s', (forceWire) => {
  async function scene() {
    const held = new AsyncDisposableStack()
    const services = [priceService, clockService, cartService]
    const app = held.use(await testSystem({ services, gateway: gateway(), forceWire, environment: { ADMIN_PORT: '0' } }))
    const { call } = held.use(remoteAdmin(app.host.adminUrl!, app.clock))
    return {
      app,
      call,
      find: (id: string, headers: Readonly<Record<string, string>>) => fetch(`${app.gatewayUrl}/prices/${id}`, { headers }),
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    }
  }

  it('are shown with who has called them: services by their names, others by the products they name', async () => {
    await using shop = await scene()
    await shop.app.call.carts.total({ id: '1' })
    await shop.app.call.carts.total({ id: '2' })
    await shop.app.call.prices.findPrice({ id: '3' })
    await shop.app.clock.advance('1s')
    await shop.find('4', { 'user-agent': 'App/5 (of ann@example.com) Kit/2 Os/3' })
    // What is refused is a call all the same.
    expect((await shop.find('too long', { 'user-agent': 'App/5 (of bob@example.com) Kit/2 Os/3' })).status).toBe(422)
    await shop.app.clock.advance('5s')

    const firstAt = '2026-01-01T00:00:00.000Z'
    const later = '2026-01-01T00:00:01.000Z'
    await expect
      .poll(async () => (await shop.call.listDeprecatedOperations({ service: 'prices' })).operations)
      .toEqual([
        {
          service: 'prices',
          operation: 'findPrice',
          since: '2026-11-01',
          sunset: '2027-05-01',
          instead: 'GET /v2/prices/{id}',
          isCounted: true,
          callers: [
            { caller: 'App/5 Kit/2', calls: 2, firstAt: later, lastAt: later },
            { caller: `carts/1.3.0 skerry/${version}`, calls: 2, firstAt, lastAt: firstAt },
            { caller: `skerry/${version}`, calls: 1, firstAt, lastAt: firstAt },
          ],
        },
        { service: 'prices', operation: 'listPrices', since: '2026-12-01', sunset: null, instead: null, isCounted: true, callers: [] },
      ])
  })

  it('of a service without a database are shown, and that nobody counts their calls', async () => {
    await using shop = await scene()
    await shop.app.call.carts.total({ id: '1' })
    const { operations } = await shop.call.listDeprecatedOperations({})
    expect(operations.map(({ service: name, operation, isCounted }) => [name, operation, isCounted])).toEqual([
      ['prices', 'findPrice', true],
      ['prices', 'listPrices', true],
      ['clocks', 'now', false],
    ])
    expect((await shop.call.listDeprecatedOperations({ service: 'clocks' })).operations).toMatchObject([{ isCounted: false, callers: [] }])
    expect((await shop.call.listDeprecatedOperations({ service: 'carts' })).operations).toEqual([])
    expect(await shop.call.listDeprecatedOperations.try({ service: 'nobody' })).toMatchObject({
      ok: false,
      error: { code: 'serviceNotFound', status: 404 },
    })
  })

  it('are all that is counted', async () => {
    await using shop = await scene()
    await shop.app.call.prices.getPrice({ id: '1' })
    await shop.app.call.prices.listPrices()
    await shop.app.clock.advance('5s')
    const { database } = shop.app.host.instances.get('prices')!
    await expect
      .poll(async () => (await database!.query('select operation, calls from skerry_deprecated_call')).rows)
      .toEqual([{ operation: 'listPrices', calls: 1 }])
  })
})
