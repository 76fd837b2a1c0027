/** Two hosts that find the fast wire between them by themselves, over a network that delays, cuts and swallows; and that stay on HTTP when one is told to. */
import { contract, get, service, system } from 'skerry'
import type { Host } from 'skerry/runtime'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { TcpProxy } from '../services/tcp-proxy.ts'

const stock = contract('stock', {
  version: '1.0.0',
  operations: {
    getStock: get('/stock/{sku}', {
      input: z.object({ sku: z.string() }),
      output: z.object({ sku: z.string(), left: z.int() }),
      deadline: '20s',
    }),
  },
})
const carts = contract('carts', { version: '1.0.0', operations: {} })
const shop = system('shop', {
  services: [
    service(stock).implement({ getStock: async ({ input }) => ({ sku: input.sku, left: input.sku.length }) }),
    service(carts, { uses: { stock } }).implement({}),
  ],
})

let open = new AsyncDisposableStack()
afterEach(async () => {
  await open.disposeAsync()
  open = new AsyncDisposableStack()
})

async function host(name: string, environment: Record<string, string>): Promise<Host> {
  const selection = select(shop, [name])
  const started = await startHost({
    system: shop,
    selection,
    configuration: await readConfiguration(shop, selection, { PORT: '0', SKERRY_DATA: 'memory', ...environment }),
    engines: { database: () => Promise.reject(new Error('unused')), broker: () => Promise.reject(new Error('unused')) },
    log: createLog({ level: 'silent' }),
  })
  open.defer(() => started.stop())
  return started
}

/** A host that calls another through a proxy, and how many requests and upgrades have been seen on the way. */
async function scene(caller: Record<string, string> = {}, callee: Record<string, string> = {}) {
  const answering = await host('stock', callee)
  const proxy = await TcpProxy.start({ host: '127.0.0.1', port: Number(new URL(answering.serviceUrls.get('stock')!).port) })
  open.defer(() => proxy.close())
  const seen = { requests: 0, upgrades: 0, switched: 0 }
  proxy.onClientBytes = (bytes) => {
    const text = bytes.toString('latin1')
    if (/^upgrade: skerry-wire\/1/im.test(text)) seen.upgrades++
    else if (/^GET \S+ HTTP/.test(text)) seen.requests++
    return 'forward'
  }
  proxy.onServerBytes = (bytes) => {
    if (bytes.toString('latin1').startsWith('HTTP/1.1 101')) seen.switched++
    return 'forward'
  }
  const calling = await host('carts', { STOCK_URL: `http://127.0.0.1:${proxy.port}`, ...caller })
  const client = calling.clientFor(stock)
  return { proxy, seen, answering, call: async (sku: string) => (await client.getStock({ sku })).left }
}

describe('two hosts', () => {
  it('change to the fast wire by themselves, and then send no request more over HTTP', async () => {
    const { seen, call } = await scene()
    expect(await call('a')).toBe(1)
    await expect.poll(() => seen.switched).toBe(1)
    // Whether the answer has arrived shows only in where the calls go.
    await expect
      .poll(async () => {
        const before = seen.requests
        await call('b')
        return seen.requests - before
      })
      .toBe(0)
    const { requests } = seen
    expect(await Promise.all(Array.from({ length: 500 }, (_, n) => call('x'.repeat(n + 1))))).toEqual(
      Array.from({ length: 500 }, (_, n) => n + 1),
    )
    expect(seen).toEqual({ requests, upgrades: 1, switched: 1 })
  })

  it.each([
    ['the calling one', { SKERRY_FAST_WIRE: 'off' }, {}, 0],
    ['the answering one', {}, { SKERRY_FAST_WIRE: 'off' }, 1],
  ] as const)('stay on HTTP when %s is told so', async (_which, caller, callee, upgrades) => {
    const { seen, call } = await scene(caller, callee)
    for (let n = 1; n <= 20; n++) expect(await call('x'.repeat(n))).toBe(n)
    expect(seen).toEqual({ requests: 20, upgrades, switched: 0 })
  })

  it('go on after the network between them has been slow and cut', async () => {
    const { proxy, seen, call } = await scene()
    await call('a')
    await expect.poll(() => seen.switched).toBe(1)
    for (const delayMs of [0, 5, 0, 5, 0, 5]) {
      proxy.delayMs = delayMs
      // So few that the circuit breaker does not open.
      const calls = Promise.all(['x', 'xy'].map((sku) => call(sku).catch((error: unknown) => error)))
      proxy.cut()
      // Reads are made again once; what was cut twice has failed, and says so.
      for (const [n, outcome] of (await calls).entries()) if (outcome !== n + 1) expect(outcome).toMatchObject({ code: 'unavailable' })
      await expect.poll(() => call('abc').catch(() => undefined)).toBe(3)
    }
  })
})
