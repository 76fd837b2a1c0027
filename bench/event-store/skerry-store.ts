/** The event store as a service uses it: an operation, a transaction, `decide`; sequencer and projection at work meanwhile. */
import { randomUUID } from 'node:crypto'
import { postgres } from '@skerry/postgres'
import { contract, post, service, storedEvent, stream, system, tables } from 'skerry'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { z } from 'zod'
import { measure } from './workload.ts'

/** Nothing at work beside the appends: there is no projection, and another host that does nothing holds the sequencer's lease. */
const isAlone = process.env['APPENDS_ALONE'] === 'true'

const counters = contract('counters', {
  version: '1.0.0',
  operations: {
    count: post('/counts', { input: z.object({ id: z.string() }), output: z.object({ token: z.string() }), deadline: '1m' }),
    wait: post('/waits', { input: z.object({ token: z.string() }), deadline: '2m' }),
    total: post('/totals', { output: z.object({ total: z.int() }), deadline: '1m' }),
  },
})
const counter = stream('counter', {
  events: { counted: storedEvent(z.object({ by: z.int() })) },
  initial: 0,
  evolve: (count, { data }) => count + data.by,
  snapshotEvery: 50,
})
const definition = service(counters, { streams: { counter }, tables: tables<{ totals: { id: string; total: number } }>() })
const totals = definition.projection('totals', {
  from: [counter],
  tables: { totals: (name) => `create table ${name} (id text primary key, total int not null) with (fillfactor = 50)` },
  async apply({ event: { id, data }, db }) {
    await db
      .insertInto('totals')
      .values({ id, total: data.by })
      .onConflict((conflict) => conflict.column('id').doUpdateSet((update) => ({ total: update('totals.total', '+', data.by) })))
      .execute()
  },
})
const implementation = definition.implement(
  {
    count: ({ input, transaction }) =>
      transaction(async ({ streams }) => {
        const { token } = await streams.counter.decide(input.id, () => ({ type: 'counted', data: { by: 1 } }))
        return { token: token! }
      }),
    wait: ({ input, projections }) => projections.waitFor(totals, input.token, { deadline: '2m' }),
    async total({ db }) {
      const { total } = await db
        .selectFrom('totals')
        .select((select) => select.fn.sum<number>('total').as('total'))
        .executeTakeFirstOrThrow()
      return { total }
    },
  },
  { projections: isAlone ? [] : [totals] },
)

const placement = system('counting', { services: [implementation] })
const selection = select(placement, [])
const host = await startHost({
  system: placement,
  selection,
  configuration: await readConfiguration(placement, selection, process.env),
  engines: { database: async (url) => postgres({ url: url!, poolSize: 16 }), broker: () => Promise.reject(new Error('there is none')) },
  log: createLog({ level: 'error' }),
})
const client = host.clientFor(counters)
const instance = host.instances.get('counters')!
const { projections } = instance
let last = ''
const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds()));
}

const append = async (id: string): Promise<void> => void (last = (await client.count({ id })).token)

if (isAlone)
  await instance.database!.query(
    `update skerry_lease set owner = $1, epoch = epoch + 1, expires_at = '9999-01-01' where name = 'sequencer'`,
    [randomUUID()],
  )
await measure(
  isAlone
    ? {
        append,
        caughtUp: async () => undefined,
        rebuild: async () => undefined,
        async count() {
          const { rows } = await instance.database!.query<{ events: number }>('select count(*) as events from skerry_stream_event')
          return rows[0]!.events
        },
      }
    : {
        append,
        // The last one is not the one with the highest number, as others were on their way: hence the lag.
        async caughtUp() {
          await client.wait({ token: last })
          await until(async () => (await projections.status(totals)).every(({ lag }) => lag === 0))
        },
        async rebuild() {
          const generation = await projections.rebuild(totals)
          await until(async () => (await projections.status(totals))[0]?.generation === generation)
        },
        count: async () => (await client.total({})).total,
      },
)
await host.stop()
process.exit(0)
