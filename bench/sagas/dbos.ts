/**
 * The same with DBOS: a workflow of three steps, called in the process that runs it. Its steps run at least once, so those that write do it
 * idempotently, through a pool of their own; the tables of DBOS and the effects are in one database.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { DBOS } from '@dbos-inc/dbos-sdk'
import pg from 'pg'
import type { Kind } from './workload.ts'
import { Effects, measure, STEPS } from './workload.ts'

const connectionString = process.env['DATABASE_URL']!
const POOL_SIZE = 16
const pool = new pg.Pool({ connectionString, max: POOL_SIZE })
await pool.query(await readFile(new URL('./migrations/0001-create-effects.sql', import.meta.url), 'utf8'))
const effects = new Effects()

async function threeSteps(kind: Kind, number: number): Promise<string[]> {
  const outputs: string[] = []
  for (const name of STEPS)
    outputs.push(
      await DBOS.runStep(
        async () => {
          if (kind === 'idle') effects.add(number, name)
          else await pool.query('insert into effects (number, step) values ($1, $2) on conflict do nothing', [number, name])
          return `${name} ${number}`
        },
        { name },
      ),
    )
  return outputs
}

DBOS.setConfig({ name: 'bench', systemDatabaseUrl: connectionString, systemDatabasePoolSize: POOL_SIZE, logLevel: 'error' })
const workflow = DBOS.registerWorkflow(threeSteps, { name: 'threeSteps' })
await DBOS.launch()
await measure({
  async run(kind, number) {
    assert.equal((await workflow(kind, number)).length, STEPS.length)
  },
  async check(started) {
    const { rows } = await pool.query<{ rows: number }>('select count(*)::int as rows from effects')
    assert.equal(rows[0]!.rows + effects.total, started * STEPS.length, 'a step did not take effect, or more than once')
    const ended = await pool.query<{ count: number }>(`select count(*)::int as count from dbos.workflow_status where status = 'SUCCESS'`)
    assert.equal(ended.rows[0]!.count, started, 'a workflow has not ended well')
  },
})
await DBOS.shutdown()
await pool.end()
process.exit(0)
