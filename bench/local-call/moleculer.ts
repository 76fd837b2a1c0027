/** The same call in Moleculer 0.15, with timeout, retry, circuit breaker, bulkhead, metrics and tracing on. It validates the parameters; it does not copy them and does not validate answers. */
import assert from 'node:assert/strict'
import type { Context } from 'moleculer'
import { ServiceBroker } from 'moleculer'
import { CALLS, ITEM, WARM_UP_CALLS } from './item.ts'

const broker = new ServiceBroker({
  logger: false,
  requestTimeout: 3_000,
  retryPolicy: { enabled: true, retries: 1 },
  circuitBreaker: { enabled: true },
  bulkhead: { enabled: true, concurrency: 100, maxQueueSize: 1_000 },
  metrics: { enabled: true },
  tracing: { enabled: true },
  validator: true,
})
broker.createService({
  name: 'items',
  actions: {
    echo: {
      params: { id: 'number', name: 'string', tags: { type: 'array', items: 'string' } },
      handler: async (context: Context<typeof ITEM>) => context.params,
    },
  },
})
await broker.start()

async function run(calls: number): Promise<number> {
  const start = performance.now()
  let last: unknown
  for (let number = 0; number < calls; number++) last = await broker.call('items.echo', { id: ITEM.id, name: ITEM.name, tags: ITEM.tags })
  assert.deepEqual(last, ITEM)
  return (performance.now() - start) / 1_000
}

await run(WARM_UP_CALLS)
const seconds = await run(CALLS)
process.stdout.write(`${JSON.stringify({ callsPerSecond: CALLS / seconds })}\n`)
await broker.stop()
process.exit(0)
