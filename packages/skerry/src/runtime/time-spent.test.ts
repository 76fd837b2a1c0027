/** Where the time went, said by the answer that came too late: through three services, in one process and over HTTP alike; and not to the outside. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { contract } from '../contract/contract.ts'
import { get } from '../contract/operation.ts'
import { gateway } from '../gateway/gateway.ts'
import { service } from '../service/service.ts'
import type { Log } from '../telemetry/log.ts'
import { createLog } from '../telemetry/log.ts'
import { testSystem } from '../testing/test-system.ts'

const output = z.object({ text: z.string() })
const users = contract('users', { version: '1.0.0', operations: { find: get('/user', { output }) } })
const stock = contract('stock', { version: '1.0.0', operations: { find: get('/stock', { output, deadline: '10s' }) } })
const prices = contract('prices', { version: '1.0.0', operations: { find: get('/price', { output, deadline: '10s' }) } })
const shop = contract('shop', { version: '1.0.0', operations: { show: get('/show', { output, deadline: '2s', public: true }) } })

/** The shop asks users, which takes 300 ms, and then prices, which asks stock, which never answers. */
async function slowShop(forceWire: boolean | 'fast', log?: Log) {
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
  const app = await testSystem({ services, gateway: gateway(), forceWire, ...(log && { log }) })
  return { app, asked: asked.promise, begun: begun.promise }
}

async function waitTwoSeconds({ app, asked, begun }: Awaited<ReturnType<typeof slowShop>>): Promise<void> {
  await begun
  await app.clock.advance(300)
  await asked
  await app.clock.advance('2s')
}

const told = /^shop\.show .*: shop\.show \d+ ms.* \(users\.find 300 ms, prices\.find \d+ ms.* \(stock\.find \d+ ms.*\)\)/

describe.each([
  ['in one process', false],
  ['over HTTP', true],
  ['over the fast wire', 'fast'],
] as const)('%s', (_where, forceWire) => {
  it('names to other services all who were waited for, and for how long', async () => {
    const slow = await slowShop(forceWire)
    await using app = slow.app
    const answer = app.call.shop.show.try()
    await waitTwoSeconds(slow)
    const late = await answer
    if (late.ok || late.error.code !== 'deadlineExceeded') throw new Error('It was in time')
    const [root] = late.error.data.timing!
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
    expect(late.error.detail).toMatch(told)
  })

  it('names to the outside nobody but who was asked, and keeps the rest in the span and the log', async () => {
    const lines: string[] = []
    const slow = await slowShop(forceWire, createLog({ level: 'warn', destination: { write: (line) => void lines.push(line) } }))
    await using app = slow.app
    const answer = fetch(`${app.gatewayUrl}/show`)
    await waitTwoSeconds(slow)
    const response = await answer
    expect(response.status).toBe(504)
    const span = app.spans().find(({ kind, service: by }) => kind === 'server' && by === 'gateway')
    expect(await response.json()).toEqual({
      type: 'urn:problem:skerry:deadlineExceeded',
      title: expect.any(String),
      status: 504,
      code: 'deadlineExceeded',
      detail: 'shop.show did not answer in time',
      traceId: span?.traceId,
    })
    expect(span?.failure).toMatch(told)
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line['service'] === 'gateway')
    expect(logged).toEqual([expect.objectContaining({ msg: expect.stringMatching(told), traceId: span?.traceId })])
  })
})

it('a service listener tells peers all of it, without addresses', async () => {
  const slow = await slowShop(true)
  await using app = slow.app
  const answer = fetch(`${app.host.serviceUrls.get('shop')}/show`)
  await waitTwoSeconds(slow)
  const body = await (await answer).text()
  expect(body).not.toMatch(/127\.0\.0\.1|localhost|http:/)
  expect(JSON.parse(body)).toMatchObject({
    code: 'deadlineExceeded',
    detail: expect.stringMatching(/users\.find 300 ms, prices\.find/),
    timing: [{ operation: 'users.find' }, { operation: 'prices.find' }],
  })
})
