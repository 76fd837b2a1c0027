/** What goes over the wire, and how often: seen by a proxy, not by the engine. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { Database } from 'skerry/engine'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TcpProxy } from '../../../test/services/tcp-proxy.ts'
import type { PostgresOptions } from './index.ts'
import { postgres } from './index.ts'

const url = process.env['SKERRY_TEST_POSTGRES_URL']!

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

let proxy: TcpProxy
/** Everything sent to the server, in the pieces in which it was sent. */
let sent: string[]

beforeEach(async () => {
  const { hostname, port } = new URL(url)
  proxy = await TcpProxy.start({ host: hostname, port: Number(port) })
  cleanUps.push(() => proxy.close())
  sent = []
  proxy.onClientBytes = (bytes) => {
    sent.push(bytes.toString('latin1'))
    return 'forward'
  }
})

async function open(options: Partial<PostgresOptions> = {}, shared = true): Promise<Database> {
  const engine = postgres({ url: proxy.through(url), ...options })
  cleanUps.push(() => engine.close())
  const database = await engine.open({ service: `svc-${randomBytes(5).toString('hex')}`, shared })
  await database.transaction('read committed', (transaction) => transaction.script('create table kept (id int4)'))
  return database
}

async function roundTrips(action: () => Promise<unknown>): Promise<number> {
  sent = []
  await action()
  return sent.length
}

for (const shared of [true, false])
  for (const transactionPooler of [false, true])
    test(`a query takes one round trip, a transaction one more than its statements (${shared ? 'shared' : 'own'}, ${transactionPooler ? 'pooler' : 'direct'})`, async () => {
      const database = await open({ transactionPooler }, shared)
      expect(await roundTrips(() => database.query('insert into kept values ($1)', [1]))).toBe(1)
      expect(
        await roundTrips(() =>
          database.transaction('repeatable read', (transaction) => transaction.query('insert into kept values ($1)', [1])),
        ),
      ).toBe(2)
      expect(
        await roundTrips(() =>
          database.transaction('repeatable read', async (transaction) => {
            await transaction.query('insert into kept values ($1)', [1])
            await transaction.query('insert into kept values ($1)', [2])
          }),
        ),
      ).toBe(3)
      expect(await roundTrips(() => database.transaction('repeatable read', async () => 'nothing asked'))).toBe(0)
      await database.query('insert into kept values ($1)', [3])
      const failing = database.transaction('repeatable read', (transaction) => transaction.query('select 1 / 0'))
      expect(await roundTrips(() => failing.catch(() => undefined))).toBe(2)
    })

test('a statement that is run again is not sent again', async () => {
  const database = await open({ poolSize: 1 })
  const sql = 'select id as a_long_enough_name from kept where id = $1'
  for (let id = 0; id < 5; id++) await database.query(sql, [id])
  expect(sent.join('').split(sql)).toHaveLength(3)
})

test('more statements than a connection keeps prepared: all of them work, and old ones are closed', async () => {
  const database = await open({ poolSize: 1 })
  for (let round = 0; round < 3; round++)
    for (let n = 0; n < 300; n++)
      expect((await database.query(`select ${n} + $1::int4 as sum`, [round])).rows).toEqual([{ sum: n + round }])
  const { rows } = await database.query<{ count: number }>('select count(*) from pg_prepared_statements')
  expect(rows[0]!.count).toBe(250)
})

test('behind a pooler of transactions: no start-up options, no named statements', async () => {
  const namedParse = /P[^]{4}s\d+\.\d+\0select/
  const use = async (options: Partial<PostgresOptions>): Promise<string> => {
    sent = []
    const database = await open(options)
    for (let id = 0; id < 4; id++) await database.query('select id from kept where id = $1', [id])
    return sent.join('')
  }
  const direct = await use({})
  expect(direct).toContain('options\0')
  expect(direct).toMatch(namedParse)
  const pooled = await use({ transactionPooler: true })
  expect(pooled).not.toContain('options\0')
  expect(pooled).not.toMatch(namedParse)
  expect(pooled).toContain('set local role')
})

test('uses no more connections than it may, and keeps each one, whatever fails on it', async () => {
  const database = await open({ poolSize: 3 })
  const checkedAtCommit = 'create table checked (id int4 unique deferrable initially deferred)'
  await database.transaction('read committed', (transaction) => transaction.script(checkedAtCommit))
  const before = proxy.accepted
  await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      if (n % 4 === 0) return database.query('select 1')
      if (n % 4 === 1) return database.query('selec').catch(() => undefined)
      if (n % 4 === 2)
        return database.transaction('serializable', (transaction) => transaction.query('select 1 / 0')).catch(() => undefined)
      return database.transaction('read committed', (transaction) => transaction.query('select 1'))
    }),
  )
  expect(proxy.open).toBeLessThanOrEqual(3)
  expect(proxy.accepted - before).toBeLessThanOrEqual(2)
})

test('the process ends by itself once the engine is closed', async () => {
  const program = `
    import { postgres } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
    const engine = postgres({ url: process.env.SKERRY_TEST_POSTGRES_URL })
    const database = await engine.open({ service: 'svc-${randomBytes(5).toString('hex')}', shared: true })
    await Promise.all([database.query('select 1'), database.query('select 2')])
    await engine.close()
    console.log('closed')`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { timeout: 20_000 })
  expect(stdout).toBe('closed\n')
})
