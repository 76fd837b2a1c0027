/** Sagas of three steps, started by an operation in a transaction; the steps that write are local ones, recorded in the transaction of their write. */
import assert from 'node:assert/strict'
import { postgres } from '@skerry/postgres'
import { contract, post, service, system, tables } from 'skerry'
import { createLog, readConfiguration, select, startHost } from 'skerry/runtime'
import { z } from 'zod'
import { fillSagaHistory } from '../growth/history.ts'
import { Commits } from '../harness/commits.ts'
import { Effects, measure, STEPS } from './workload.ts'

const Job = z.object({ number: z.int() })
const jobs = contract('jobs', {
  version: '1.0.0',
  operations: { idle: post('/idle', { input: Job, deadline: '1m' }), write: post('/write', { input: Job, deadline: '1m' }) },
})
const POOL_SIZE = 16
const effects = new Effects()
const awaited = new Map<number, () => void>()
const commits = new Commits(jobs.name, (numbers) => {
  for (const number of numbers) {
    awaited.get(number)!()
    awaited.delete(number)
  }
})

const definition = service(jobs, {
  migrations: new URL('./migrations/', import.meta.url),
  tables: tables<{ effects: { number: number; step: string } }>(),
})
const count = (step: string) => ({
  async run({ input: { number } }: { input: { number: number } }) {
    effects.add(number, step)
    return `${step} ${number}`
  },
})
const idle = definition
  .saga('idle', { input: Job, deadline: '1h' })
  .step('one', count('one'))
  .step('two', count('two'))
  .step('three', count('three'))
  .finally({ completed: async ({ input }) => commits.note(input.number) })
const writing = definition
  .saga('writing', { input: Job, deadline: '1h' })
  .local('one', {
    run: async ({ input: { number }, db }) => void (await db.insertInto('effects').values({ number, step: 'one' }).execute()),
  })
  .local('two', {
    run: async ({ input: { number }, db }) => void (await db.insertInto('effects').values({ number, step: 'two' }).execute()),
  })
  .local('three', {
    run: async ({ input: { number }, db }) => void (await db.insertInto('effects').values({ number, step: 'three' }).execute()),
  })
  .finally({ completed: async ({ input }) => commits.note(input.number) })

const running = system('sagas', {
  services: [
    definition.implement(
      {
        idle: ({ input, transaction }) => transaction(async ({ start }) => void start(idle, input)),
        write: ({ input, transaction }) => transaction(async ({ start }) => void start(writing, input)),
      },
      { sagas: [idle, writing] },
    ),
  ],
})
const selection = select(running, [])
const host = await startHost({
  system: running,
  selection,
  configuration: await readConfiguration(running, selection, process.env),
  engines: {
    database: async (url) => commits.observed(postgres({ url: url!, poolSize: POOL_SIZE })),
    broker: () => Promise.reject(new Error('there is none')),
  },
  log: createLog({ level: 'warn' }),
})
const historyRows = Number(process.env['HISTORY_ROWS'] ?? 0)
if (historyRows > 0) await fillSagaHistory(process.env['DATABASE_URL']!, jobs.name, historyRows)
const client = host.clientFor(jobs)
await measure({
  async run(kind, number) {
    const ended = new Promise<void>((resolve) => awaited.set(number, resolve))
    await (kind === 'idle' ? client.idle({ number }) : client.write({ number }))
    await ended
  },
  async check(started) {
    const { rows } = await commits.database.query<{ effects: number; completed: number }>(
      `select (select count(*) from effects) as effects, (select count(*) from skerry_saga where status = 'completed') as completed`,
    )
    assert.equal(rows[0]!.effects + effects.total, started * STEPS.length, 'a step did not take effect, or more than once')
    assert.equal(rows[0]!.completed, historyRows + started, 'a saga has not ended well')
  },
})
await host.stop()
process.exit(0)
