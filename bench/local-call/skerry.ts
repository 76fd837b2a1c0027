/** Calls between two services in one process, as a handler makes them: copied, validated both ways, with deadline, breaker and trace. */
import assert from 'node:assert/strict'
import { contract, post, service, system } from 'skerry'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { z } from 'zod'
import { CALLS, ITEM, WARM_UP_CALLS } from './item.ts'

const Item = z.object({ id: z.int(), name: z.string(), tags: z.array(z.string()) })
const items = contract('items', { version: '1.0.0', operations: { echo: post('/items', { input: Item, output: Item }) } })
const callers = contract('callers', {
  version: '1.0.0',
  operations: { run: post('/run', { input: z.object({ calls: z.int() }), output: z.object({ seconds: z.number() }), deadline: '10m' }) },
})

const itemService = service(items).implement({ echo: async ({ input }) => input })
const callerService = service(callers, { uses: { items } }).implement({
  async run({ input, call }) {
    const start = performance.now()
    let last: unknown
    for (let number = 0; number < input.calls; number++) last = await call.items.echo(ITEM)
    const seconds = (performance.now() - start) / 1_000
    assert.deepEqual(last, ITEM)
    assert.notEqual(last, ITEM)
    return { seconds }
  },
})

const definition = system('bench', { services: [itemService, callerService] })
const selection = select(definition, [])
const host = await startHost({
  system: definition,
  selection,
  configuration: await readConfiguration(definition, selection, {}),
  engines: { database: () => Promise.reject(new Error('unused')), broker: () => Promise.reject(new Error('unused')) },
  log: createLog({ level: 'error' }),
})
const client = host.clientFor(callers)
await client.run({ calls: WARM_UP_CALLS })
const { seconds } = await client.run({ calls: CALLS })
process.stdout.write(`${JSON.stringify({ callsPerSecond: CALLS / seconds })}\n`)
await host.stop()
