/**
 * The shop, browsed and bought from: everything in one process, a process for each service with HTTP between them, and the same with the fast
 * wire. How long a customer waits, and what it takes of the processor.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { request } from '../../test/topologies/request.ts'
import { shop } from '../../test/topologies/shop-suite.ts'
import type { RunningTopology } from '../../test/topologies/topology.ts'
import { startApart, startOnPostgres } from '../../test/topologies/topology.ts'
import { medianOf } from '../harness/pairs.ts'
import type { Servers } from '../harness/servers.ts'

export interface JourneyFigures {
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of all the shop's processes, for each request; of an order until it is paid and has left the warehouse. */
  readonly processorMs: number
}

export interface WayFigures {
  readonly name: string
  readonly browse: JourneyFigures
  readonly checkout: JourneyFigures
}

const WAYS: readonly { readonly name: string; readonly start: () => Promise<RunningTopology> }[] = [
  { name: 'one process', start: () => startOnPostgres(shop) },
  { name: 'split, HTTP', start: () => startApart({ ...shop, env: { SKERRY_FAST_WIRE: 'off' } }) },
  { name: 'split, fast wire', start: () => startApart({ ...shop, env: { SKERRY_FAST_WIRE: 'on' } }) },
]
const VISITORS = 4
const WARM_UP_VISITS = 400
const VISITS = 2_000
const WARM_UP_ORDERS = 24
const ORDERS = 120
/** The orders of one are shown up to a hundred. */
const CUSTOMERS = 8
const POLL_MS = 100
const PATIENCE_MS = 120_000
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

export async function benchShopWays(rounds: number, { postgresUrl, rabbitmqUrl }: Servers): Promise<readonly WayFigures[]> {
  Object.assign(process.env, { SKERRY_TEST_POSTGRES_URL: postgresUrl, SKERRY_TEST_RABBITMQ_URL: rabbitmqUrl })
  const all = new Map<string, WayFigures[]>()
  for (let round = 0; round < rounds; round++)
    for (const { name, start } of WAYS) {
      const figures = await measure(name, await start())
      all.set(name, [...(all.get(name) ?? []), figures])
      const { browse, checkout } = figures
      process.stderr.write(`  ${name}: browse p50 ${browse.p50Ms.toFixed(1)} ms, order p50 ${checkout.p50Ms.toFixed(1)} ms\n`)
    }
  return WAYS.map(({ name }) => {
    const median = (of: (figures: WayFigures) => number): number => medianOf(all.get(name)!.map(of))
    const journey = (of: (figures: WayFigures) => JourneyFigures): JourneyFigures => ({
      p50Ms: median((figures) => of(figures).p50Ms),
      p99Ms: median((figures) => of(figures).p99Ms),
      processorMs: median((figures) => of(figures).processorMs),
    })
    return { name, browse: journey(({ browse }) => browse), checkout: journey(({ checkout }) => checkout) }
  })
}

async function measure(name: string, running: RunningTopology): Promise<WayFigures> {
  await using shopAtWork = running
  const { gatewayUrl, serviceUrls } = shopAtWork
  const ask = async (method: string, url: string, body?: unknown): Promise<unknown> => {
    const answer = await request(method, url, body)
    assert.equal(answer.status, 200, `${method} ${url}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const products = ((await ask('GET', `${gatewayUrl}/products`)) as { sku: string }[]).map(({ sku }) => sku)
  for (const sku of products)
    await ask('POST', `${serviceUrls['inventory']}/stock/${sku}/adjustments`, { quantity: 10 * ORDERS, reason: 'delivery' })
  const customers: string[] = []
  for (let n = 0; n < CUSTOMERS; n++) {
    const { id } = (await ask('POST', `${gatewayUrl}/users`, { name: 'Customer', email: 'customer@example.com' })) as { id: string }
    customers.push(id)
  }

  const browse = (visits: number): Promise<number[]> =>
    timed(visits, async (n) => {
      await ask('GET', `${gatewayUrl}/products/${products[n % products.length]}`)
    })
  const order = (orders: number): Promise<number[]> =>
    timed(orders, async (n) => {
      await ask('POST', `${gatewayUrl}/orders`, { user_id: customers[n % CUSTOMERS], product: products[n % products.length] })
    })
  const confirmed = async (count: number): Promise<void> => {
    for (const giveUpAt = performance.now() + PATIENCE_MS; ; await wait(POLL_MS)) {
      let done = 0
      for (const id of customers) {
        const orders = (await ask('GET', `${gatewayUrl}/orders?user_id=${id}`)) as { status: string }[]
        done += orders.filter(({ status }) => status === 'confirmed').length
      }
      if (done >= count) return
      assert.ok(performance.now() < giveUpAt, `not all of ${count} orders were confirmed`)
    }
  }
  await browse(WARM_UP_VISITS)
  await order(WARM_UP_ORDERS)
  await confirmed(WARM_UP_ORDERS)
  const pids = [...new Set([...shop.services, 'gateway'].map((service) => shopAtWork.host(service).pid))]
  const beforeVisits = await processorMs(pids)
  const visits = await browse(VISITS)
  const afterVisits = await processorMs(pids)
  const orders = await order(ORDERS)
  await confirmed(WARM_UP_ORDERS + ORDERS)
  const afterOrders = await processorMs(pids)
  return {
    name,
    browse: journeyOf(visits, (afterVisits - beforeVisits) / VISITS),
    checkout: journeyOf(orders, (afterOrders - afterVisits) / ORDERS),
  }
}

/** How long each took; a few at once. */
async function timed(count: number, once: (n: number) => Promise<void>): Promise<number[]> {
  const tookMs: number[] = []
  let next = 0
  const visitor = async (): Promise<void> => {
    while (next < count) {
      const start = performance.now()
      await once(next++)
      tookMs.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: VISITORS }, visitor))
  return tookMs.toSorted((a, b) => a - b)
}

function journeyOf(sortedMs: readonly number[], perRequestMs: number): JourneyFigures {
  const percentile = (part: number): number => sortedMs[Math.floor(sortedMs.length * part)]!
  return { p50Ms: percentile(0.5), p99Ms: percentile(0.99), processorMs: perRequestMs }
}

/** What processes have used of the processor, as the kernel counts it. */
async function processorMs(pids: readonly number[]): Promise<number> {
  let ticks = 0
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The fields behind the name, which is in brackets: utime and stime are the 14th and 15th of all.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return (ticks / TICKS_PER_SECOND) * 1_000
}
