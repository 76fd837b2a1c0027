/** A system of as many small services as the argument says, each with its own schema, outbox and inbox, on the embedded engines. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pglite } from '@skerry/pglite'
import { contract, event, get, service, system } from 'skerry'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { z } from 'zod'

const count = Number(process.argv[2])
const Thing = z.object({ id: z.string() })
const services = Array.from({ length: count }, (_, number) =>
  service(
    contract(`service-${number}`, {
      version: '1.0.0',
      operations: { getThing: get('/things/{id}', { input: Thing, output: Thing }) },
      events: { thingMade: event(Thing, { key: 'id' }) },
    }),
  ).implement({ getThing: async ({ input }) => input }),
)
const definition = system('footprint', { services })
const selection = select(definition, [])
const directory = await mkdtemp(join(tmpdir(), 'skerry-footprint-'))
const host = await startHost({
  system: definition,
  selection,
  configuration: await readConfiguration(definition, selection, {}),
  engines: { database: async () => pglite({ dataDir: directory }), broker: () => Promise.reject(new Error('unused')) },
  log: createLog({ level: 'error' }),
})
globalThis.gc?.()
process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
process.once('SIGTERM', () => void host.stop().then(() => process.exit(0)))
