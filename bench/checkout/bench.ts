/**
 * The whole shop: orders placed at the gateway and followed until they are paid and have left the warehouse, in one process on the embedded
 * engines, and with a process and a database for each service. The auditor then looks for what the load has broken.
 */
import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { auditShop } from '../../test/topologies/audit-shop.ts'
import { request } from '../../test/topologies/request.ts'
import { shop } from '../../test/topologies/shop-suite.ts'
import type { RunningTopology } from '../../test/topologies/topology.ts'
import { startApart, topologies } from '../../test/topologies/topology.ts'
import type { Servers } from '../harness/servers.ts'

const WARM_UP_ORDERS = 32
const ORDERS = 160
const CUSTOMERS = 16
/** Between two looks of one customer at the orders. */
const POLL_MS = 250
const PATIENCE_MS = 120_000

export interface Checkouts {
  /** Orders placed, paid and sent in a second, one value per run. */
  readonly together: readonly number[]
  readonly apart: readonly number[]
}

export async function benchCheckouts(runs: number, { postgresUrl, rabbitmqUrl }: Servers): Promise<Checkouts> {
  Object.assign(process.env, { SKERRY_TEST_POSTGRES_URL: postgresUrl, SKERRY_TEST_RABBITMQ_URL: rabbitmqUrl })
  const together: number[] = []
  const apart: number[] = []
  for (let run = 0; run < runs; run++) {
    together.push(await measure(await topologies[0]!.start(shop)))
    apart.push(await measure(await startApart(shop)))
    process.stderr.write(`  run ${run + 1}/${runs}: ${together.at(-1)!.toFixed(1)} together, ${apart.at(-1)!.toFixed(1)} apart\n`)
  }
  return { together, apart }
}

async function measure(running: RunningTopology): Promise<number> {
  await using shopAtWork = running
  const ask = async (method: string, url: string, body?: unknown): Promise<unknown> => {
    const answer = await request(method, url, body)
    assert.equal(answer.status, 200, `${method} ${url}: ${JSON.stringify(answer.body)}`)
    return answer.body
  }
  const products = ((await ask('GET', `${running.gatewayUrl}/products`)) as { sku: string }[]).map(({ sku }) => sku)
  for (const sku of products)
    await ask('POST', `${running.serviceUrls['inventory']}/stock/${sku}/adjustments`, { quantity: ORDERS, reason: 'delivery' })

  /** Resolves when all of them are confirmed, with how many that was in a second. */
  const checkOut = async (count: number): Promise<number> => {
    const start = performance.now()
    await Promise.all(
      Array.from({ length: CUSTOMERS }, async (_, customer) => {
        const name = `Customer ${customer}`
        const { id } = (await ask('POST', `${running.gatewayUrl}/users`, { name, email: 'customer@example.com' })) as { id: string }
        const mine = Math.floor(count / CUSTOMERS)
        for (let n = 0; n < mine; n++)
          await ask('POST', `${running.gatewayUrl}/orders`, { user_id: id, product: products[(customer + n) % products.length] })
        for (const giveUpAt = start + PATIENCE_MS; ; await wait(POLL_MS)) {
          const orders = (await ask('GET', `${running.gatewayUrl}/orders?user_id=${id}`)) as { status: string }[]
          assert.equal(orders.length, mine)
          const open = orders.filter(({ status }) => status !== 'confirmed')
          if (open.length === 0) return
          assert.ok(performance.now() < giveUpAt, `not confirmed: ${JSON.stringify(open).slice(0, 2_000)}`)
        }
      }),
    )
    return (Math.floor(count / CUSTOMERS) * CUSTOMERS) / ((performance.now() - start) / 1_000)
  }
  await checkOut(WARM_UP_ORDERS)
  const perSecond = await checkOut(ORDERS)
  await audited(shopAtWork)
  return perSecond
}

/** What is on its way arrives sooner or later; then the auditor must find nothing. */
async function audited(running: RunningTopology): Promise<void> {
  for (const giveUpAt = performance.now() + PATIENCE_MS; ; await wait(1_000)) {
    const violations = await auditShop(running)
    if (violations.length === 0) return
    assert.ok(performance.now() < giveUpAt, `the auditor has found: ${JSON.stringify(violations.slice(0, 10), undefined, 2)}`)
  }
}
