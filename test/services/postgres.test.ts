import { access } from 'node:fs/promises'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import type { PostgresServer } from './postgres.ts'
import { startPostgres } from './postgres.ts'

const running: PostgresServer[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()))
})

async function started(...options: Parameters<typeof startPostgres>): Promise<PostgresServer> {
  const server = await startPostgres(...options)
  running.push(server)
  return server
}

test('two at once do not know of each other', async () => {
  const [one, two] = await Promise.all([started(), started()])
  await query(one.url, 'create table only_in_one (id int)')
  expect(await query(two.url, `select to_regclass('only_in_one') as found`)).toEqual([{ found: null }])
})

test('data survives a clean stop and a crash, and nobody answers in between', async () => {
  const server = await started()
  await query(server.url, 'create table kept (mode text)')
  for (const mode of ['fast', 'immediate'] as const) {
    await query(server.url, `insert into kept values ('${mode}')`)
    await server.stop(mode)
    await expect(query(server.url, 'select 1')).rejects.toThrow('ECONNREFUSED')
    await server.start()
  }
  expect(await query(server.url, 'select mode from kept order by mode')).toEqual([{ mode: 'fast' }, { mode: 'immediate' }])
})

test('commits are synchronous unless fsync is given up, and 300 may connect', async () => {
  const [safe, quick] = await Promise.all([started(), started({ fsync: false })])
  const settings = `select current_setting('fsync') as fsync, current_setting('max_connections') as connections`
  expect(await query(safe.url, settings)).toEqual([{ fsync: 'on', connections: '300' }])
  expect(await query(quick.url, settings)).toEqual([{ fsync: 'off', connections: '300' }])
})

test('the password is asked for', async () => {
  const { url } = await started()
  await expect(query(url.replace(/:[0-9a-f]{32}@/, ':wrong@'), 'select 1')).rejects.toThrow('password authentication failed')
})

test('close deletes the data', async () => {
  const server = await startPostgres()
  const [row] = await query(server.url, 'show data_directory')
  const directory = String(row?.['data_directory'])
  await access(directory)
  await server.close()
  await expect(access(directory)).rejects.toThrow('ENOENT')
})

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}
