/** Where the time went, said by the answer that came too late: through three services and the gateway, in one process and over HTTP alike. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { contract } from '../contract/contract.ts'
import { get } from '../contract/operation.ts'
import type { ProblemDetails } from '../contract/problem.ts'
import { gateway } from '../gateway/gateway.ts'
import { service } from '../service/service.ts'
import { testSystem } from '../testing/test-system.ts'

const output = z.object({ text: z.string() })
const users = contract('users', { version: '1.0.0', operations: { find: get('/user', { output }) } })
const stock = contract('stock', { version: '1.0.0', operations: { find: get('/stock', { output, deadline: '10s' }) } })
const prices = contract('prices', { version: '1.0.0', operations: { find: get('/price', { output, deadline: '10s' }) } })
const shop = contract('shop', { version: '1.0.0', operations: { show: get('/show', { output, deadline: '2s', public: true }) } })

/** The shop asks users, which takes 300 ms, and then prices, which asks stock, which never answers. */
async function slowShop(forceWire: boolean | 'fast') {
  const asked = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const services = [
    service(users).implement({
      async find({ clock }) {
        begun.resolve()
        await new Promise<void>((resolve) => clock.setTimer(300, resolve))
        return { text: 'user' }
      },
    }),
    service(stock).implement({
      find() {
        asked.resolve()
        return new Promise(() => undefined)
      },
    }),
    service(prices, { uses: { stock } }).implement({ find: ({ call }) => call.stock.find() }),
    service(shop, { uses: { users, prices } }).implement({
      async show({ call }) {
        await call.users.find()
        return call.prices.find()
      },
    }),
  ]
  const app = await testSystem({ services, gateway: gateway(), forceWire })
  return { app, asked: asked.promise, begun: begun.promise }
}

describe.each([
  ['in one process', false],
  ['over HTTP', true],
  ['over the fast wire', 'fast'],
] as const)('%s', (_where, forceWire) => {
  it('names all who were waited for, and for how long', async () => {
    const { app, asked, begun } = await slowShop(forceWire)
    await using _ = app
    const response = fetch(`${app.gatewayUrl}/show`)
    await begun
    await app.clock.advance(300)
    await asked
    await app.clock.advance('2s')
    expect((await response).status).toBe(504)
    const problem = (await (await response).json()) as ProblemDetails
    expect(problem.code).toBe('deadlineExceeded')
    expect(JSON.stringify(problem)).not.toMatch(/127\.0\.0\.1|localhost|http:/)
    const [root] = problem.timing!
    expect(root).toMatchObject({
      operation: 'shop.show',
      waitedFor: [
        { operation: 'users.find', ms: 300, outcome: 'answered' },
        { operation: 'prices.find', waitedFor: [{ operation: 'stock.find' }] },
      ],
    })
    const [, price] = root!.waitedFor!
    for (const { ms } of [price!, price!.waitedFor![0]!]) {
      expect(ms).toBeGreaterThan(1_600)
      expect(ms).toBeLessThanOrEqual(1_700)
    }
    expect(problem.detail).toMatch(
      /^shop\.show .*: shop\.show \d+ ms.* \(users\.find 300 ms, prices\.find \d+ ms.* \(stock\.find \d+ ms.*\)\)$/,
    )
  })
})
