/** What the engine says, and what is in the database, when the network or the server fails at a given moment. */
import { randomBytes } from 'node:crypto'
import type { Database } from 'skerry/engine'
import { DatabaseError } from 'skerry/engine'
import { afterEach, describe, expect, test } from 'vitest'
import { startPostgres } from '../../../test/services/postgres.ts'
import type { Verdict } from '../../../test/services/tcp-proxy.ts'
import { TcpProxy } from '../../../test/services/tcp-proxy.ts'
import type { PostgresOptions } from './index.ts'
import { postgres } from './index.ts'

const url = process.env['SKERRY_TEST_POSTGRES_URL']!
const KEPT = 'create table kept (id int4 primary key)'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

function serviceName(): string {
  return `svc-${randomBytes(5).toString('hex')}`
}

async function openService(options: PostgresOptions, service = serviceName(), shared = true): Promise<Database> {
  const engine = postgres(options)
  cleanUps.push(() => engine.close())
  return engine.open({ service, shared })
}

async function startProxy(): Promise<TcpProxy> {
  const { hostname, port } = new URL(url)
  const proxy = await TcpProxy.start({ host: hostname, port: Number(port) })
  cleanUps.push(() => proxy.close())
  return proxy
}

/** A service behind a proxy, and the same service straight. */
async function openThroughProxy(
  options: Partial<PostgresOptions> = {},
): Promise<{ proxy: TcpProxy; database: Database; ids: () => Promise<number[]> }> {
  const proxy = await startProxy()
  const service = serviceName()
  const straight = await openService({ url }, service)
  await straight.transaction('read committed', (transaction) => transaction.script(KEPT))
  const database = await openService({ url: proxy.through(url), ...options }, service)
  await database.ping()
  const ids = async (): Promise<number[]> =>
    (await straight.query<{ id: number }>('select id from kept order by id')).rows.map(({ id }) => id)
  return { proxy, database, ids }
}

function insert(database: Database, id: number): Promise<unknown> {
  return database.transaction('repeatable read', (transaction) => transaction.query('insert into kept values ($1)', [id]))
}

/** The simple protocol's message for COMMIT. */
const sendsCommit = (bytes: Buffer): boolean => bytes.includes('Q\0\0\0\u000bcommit\0')

async function failureOf(promise: Promise<unknown>): Promise<DatabaseError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DatabaseError)
  return error as DatabaseError
}

describe('the connection is lost', () => {
  test.each<[string, Verdict, number[]]>([
    ['COMMIT arrives, its answer does not: committed, and the engine does not claim to know', 'cut after', [1]],
    ['COMMIT does not arrive: not committed, and the engine does not claim to know', 'cut before', []],
  ])('%s', async (_, verdict, expected) => {
    const { proxy, database, ids } = await openThroughProxy()
    proxy.onClientBytes = (bytes) => (sendsCommit(bytes) ? verdict : 'forward')
    const error = await failureOf(insert(database, 1))
    expect(error.kind).toBe('outcome-unknown')
    expect(error.message).toContain('after COMMIT was sent')
    expect(await ids()).toEqual(expected)
    proxy.onClientBytes = () => 'forward'
    await insert(database, 2)
    expect(await ids()).toEqual([...expected, 2])
  })

  test.each<[string, Verdict]>([
    ['before a statement of a transaction arrives', 'cut before'],
    ['after a statement of a transaction has arrived', 'cut after'],
  ])('%s: nothing was committed, and the engine knows', async (_, verdict) => {
    const { proxy, database, ids } = await openThroughProxy()
    proxy.onClientBytes = (bytes) => (bytes.includes('insert into kept') ? verdict : 'forward')
    expect(await failureOf(insert(database, 1))).toMatchObject({ kind: 'unavailable' })
    proxy.onClientBytes = () => 'forward'
    await insert(database, 2)
    expect(await ids()).toEqual([2])
  })

  test('inside a transaction whose work catches the error: it does not pretend to have committed', async () => {
    const { proxy, database, ids } = await openThroughProxy()
    const caught = database.transaction('read committed', async (transaction) => {
      await transaction.query('insert into kept values (1)')
      proxy.cut()
      await transaction.query('insert into kept values (2)').catch(() => undefined)
    })
    expect(await failureOf(caught)).toMatchObject({ kind: 'unavailable' })
    expect(await ids()).toEqual([])
  })

  test('during a query outside a transaction, which commits itself: nobody knows', async () => {
    const { proxy, database, ids } = await openThroughProxy()
    proxy.onClientBytes = (bytes) => (bytes.includes('insert into kept') ? 'cut after' : 'forward')
    expect(await failureOf(database.query('insert into kept values (1)'))).toMatchObject({ kind: 'outcome-unknown' })
    expect(await ids()).toEqual([1])
  })

  test('during a query behind a pooler of transactions: the same', async () => {
    const { proxy, database } = await openThroughProxy({ transactionPooler: true })
    proxy.onClientBytes = (bytes) => (bytes.includes('insert into kept') ? 'cut after' : 'forward')
    expect(await failureOf(database.query('insert into kept values (1)'))).toMatchObject({ kind: 'outcome-unknown' })
  })

  test('while idle: the pool notices, and the next transaction gets another connection', async () => {
    const { proxy, database, ids } = await openThroughProxy()
    await Promise.all(Array.from({ length: 10 }, (_, id) => insert(database, id)))
    proxy.cut()
    await expect.poll(() => proxy.open).toBe(0)
    await expect
      .poll(async () =>
        database.ping().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
    await Promise.all(Array.from({ length: 10 }, (_, id) => insert(database, 10 + id)))
    expect(await ids()).toHaveLength(20)
  })
})

describe('the server does not answer', () => {
  test('a statement: the connection is given up after answerTimeoutMs, and nothing was committed', async () => {
    const { proxy, database, ids } = await openThroughProxy({ answerTimeoutMs: 250 })
    const silent = database.transaction('read committed', async (transaction) => {
      await transaction.query('insert into kept values (1)')
      proxy.blackHole = true
      await transaction.query('insert into kept values (2)')
    })
    expect(await failureOf(silent)).toMatchObject({ kind: 'unavailable' })
    proxy.blackHole = false
    await insert(database, 3)
    expect(await ids()).toEqual([3])
  })

  test('COMMIT: the outcome is unknown', async () => {
    const { proxy, database } = await openThroughProxy({ answerTimeoutMs: 250 })
    proxy.onClientBytes = (bytes) => {
      if (sendsCommit(bytes)) proxy.blackHole = true
      return 'forward'
    }
    expect(await failureOf(insert(database, 1))).toMatchObject({ kind: 'outcome-unknown' })
  })

  test('a new connection: refused after the connect timeout, with the address', async () => {
    const proxy = await startProxy()
    proxy.blackHole = true
    const error = await failureOf(openService({ url: proxy.through(url) }))
    expect(error).toMatchObject({ kind: 'unavailable' })
    expect(error.message).toBe(`PostgreSQL at 127.0.0.1:${proxy.port} did not answer within 5000 ms`)
  })

  test('pings do not pile up: however many are asked for, one is on its way', async () => {
    const { proxy, database } = await openThroughProxy({ answerTimeoutMs: 250 })
    proxy.blackHole = true
    const pings = await Promise.allSettled(Array.from({ length: 20 }, () => database.ping()))
    expect(pings.every((ping) => ping.status === 'rejected')).toBe(true)
    expect(proxy.open).toBeLessThanOrEqual(1)
  })
})

describe('the server ends the session', () => {
  const endSession = 'select pg_terminate_backend(pg_backend_pid())'

  test('in a transaction: unavailable, nothing committed, with the server’s reason', async () => {
    const database = await openService({ url }, serviceName(), false)
    const error = await failureOf(database.transaction('read committed', (transaction) => transaction.query(endSession)))
    expect(error).toMatchObject({ kind: 'unavailable', sqlState: '57P01' })
    await database.ping()
  })

  test('between the statements of a transaction', async () => {
    const [database, administrator] = [await openService({ url }), await openService({ url }, serviceName(), false)]
    const ended = database.transaction('read committed', async (transaction) => {
      const { rows } = await transaction.query<{ pid: number }>('select pg_backend_pid() as pid')
      await administrator.query('select pg_terminate_backend($1, 5000)', [rows[0]!.pid])
      await transaction.query('select 1')
    })
    expect(await failureOf(ended)).toMatchObject({ kind: 'unavailable' })
    await database.ping()
  })

  test('because a transaction did nothing for too long', async () => {
    const database = await openService({ url })
    const [ended, seen] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const idle = database.transaction('read committed', async (transaction) => {
      await transaction.query(`set local idle_in_transaction_session_timeout = '50ms'`)
      seen.resolve()
      await ended.promise
      await transaction.query('select 1')
    })
    await seen.promise
    const observer = await openService({ url }, serviceName(), false)
    await expect
      .poll(
        async () =>
          (await observer.query(`select 1 from pg_stat_activity where state = 'idle in transaction' and query like 'set local idle%'`))
            .affected,
      )
      .toBe(0)
    ended.resolve()
    const error = await failureOf(idle)
    expect(error).toMatchObject({ kind: 'unavailable', sqlState: '25P03' })
    expect(error.message).toContain('did nothing for too long')
    await database.ping()
  })
})

test('a transaction that never ends does not keep its place in the pool beyond its connection', async () => {
  const database = await openService({ url, poolSize: 1 })
  const [never, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const hung = database.transaction('read committed', async (transaction) => {
    await transaction.query(`set local idle_in_transaction_session_timeout = '50ms'`)
    begun.resolve()
    await never.promise
  })
  await begun.promise
  expect((await database.query('select 1')).affected).toBe(1)
  never.resolve()
  expect(await failureOf(hung)).toMatchObject({ kind: 'unavailable', sqlState: '25P03' })
  expect((await database.query('select 1')).affected).toBe(1)
})

describe('the server stops', () => {
  test('crashes and comes back, three times, under load: what was acknowledged is there, what was refused is not', async () => {
    const server = await startPostgres({ fsync: false })
    cleanUps.push(() => server.close())
    const service = serviceName()
    const database = await openService({ url: server.url }, service)
    await database.transaction('read committed', (transaction) => transaction.script(KEPT))

    const outcomes = { acknowledged: new Set<number>(), unavailable: new Set<number>(), unknown: new Set<number>() }
    let nextId = 0
    const stop = new AbortController()
    const write = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        const id = nextId++
        try {
          await insert(database, id)
          outcomes.acknowledged.add(id)
        } catch (error) {
          if (!(error instanceof DatabaseError) || (error.kind !== 'unavailable' && error.kind !== 'outcome-unknown')) throw error
          outcomes[error.kind === 'unavailable' ? 'unavailable' : 'unknown'].add(id)
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
    }
    const writers = Array.from({ length: 8 }, write)
    for (let crash = 0; crash < 3; crash++) {
      const [before, refused] = [outcomes.acknowledged.size, outcomes.unavailable.size]
      await expect.poll(() => outcomes.acknowledged.size, { timeout: 20_000 }).toBeGreaterThan(before + 200)
      await server.stop('immediate')
      await expect.poll(() => outcomes.unavailable.size, { timeout: 20_000 }).toBeGreaterThan(refused)
      await failureOf(database.ping())
      await server.start()
    }
    await expect
      .poll(
        () =>
          database.ping().then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true)
    stop.abort()
    await Promise.all(writers)

    const there = new Set((await database.query<{ id: number }>('select id from kept')).rows.map(({ id }) => id))
    expect([...outcomes.acknowledged].filter((id) => !there.has(id))).toEqual([])
    expect([...outcomes.unavailable].filter((id) => there.has(id))).toEqual([])
    expect([...there].filter((id) => !outcomes.acknowledged.has(id) && !outcomes.unknown.has(id))).toEqual([])
  }, 120_000)

  test('shuts down with connections idle: they go quietly, and others are made when it is back', async () => {
    const server = await startPostgres({ fsync: false })
    cleanUps.push(() => server.close())
    const database = await openService({ url: server.url })
    await Promise.all(Array.from({ length: 10 }, () => database.query('select pg_sleep(0.01)')))
    await server.stop('fast')
    const error = await failureOf(database.query('select 1'))
    expect(error.kind).toMatch(/unavailable|outcome-unknown/)
    await expect.poll(async () => (await failureOf(database.query('select 1'))).message).toContain('nothing listens there')
    await server.start()
    await expect
      .poll(() =>
        database.query('select 1').then(
          ({ affected }) => affected,
          () => 0,
        ),
      )
      .toBe(1)
  }, 60_000)
})

describe('transactions in each other’s way', () => {
  const accounts = 'create table account (id int4 primary key, n int4); insert into account values (1, 0), (2, 0)'

  test('a deadlock: one goes on, the other lost a race', async () => {
    const database = await openService({ url })
    await database.transaction('read committed', (transaction) => transaction.script(accounts))
    const locked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
    const cross = (mine: 0 | 1): Promise<void> =>
      database.transaction('read committed', async (transaction) => {
        await transaction.query('update account set n = n + 1 where id = $1', [1 + mine])
        locked[mine].resolve()
        await locked[mine === 0 ? 1 : 0].promise
        await transaction.query('update account set n = n + 1 where id = $1', [2 - mine])
      })
    const results = await Promise.allSettled([cross(0), cross(1)])
    const lost = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as DatabaseError] : []))
    expect(lost).toHaveLength(1)
    expect(lost[0]).toMatchObject({ kind: 'serialization', sqlState: '40P01' })
    expect((await database.query('select n from account')).rows).toEqual([{ n: 1 }, { n: 1 }])
  })

  test('a row changed since it was read: a lost race in repeatable read', async () => {
    const database = await openService({ url })
    await database.transaction('read committed', (transaction) => transaction.script(accounts))
    const late = database.transaction('repeatable read', async (transaction) => {
      await transaction.query('select n from account')
      await database.query('update account set n = 5 where id = 1')
      await transaction.query('update account set n = n + 1 where id = 1')
    })
    expect(await failureOf(late)).toMatchObject({ kind: 'serialization', sqlState: '40001' })
  })

  test('a lock not granted within lock_timeout: a lost race', async () => {
    const database = await openService({ url })
    await database.transaction('read committed', (transaction) => transaction.script(accounts))
    await database.transaction('read committed', async (holder) => {
      await holder.query('update account set n = 1 where id = 1')
      const waiting = database.transaction('read committed', async (transaction) => {
        await transaction.query(`set local lock_timeout = '50ms'`)
        await transaction.query('update account set n = 2 where id = 1')
      })
      expect(await failureOf(waiting)).toMatchObject({ kind: 'serialization', sqlState: '55P03' })
    })
  })

  test('too many: those that get no connection in time are told why', async () => {
    const database = await openService({ url, poolSize: 1 })
    await database.transaction('read committed', async () => {
      const error = await failureOf(database.query('select 1'))
      expect(error.kind).toBe('unavailable')
      expect(error.message).toMatch(/All 1 connections .* were busy for 5000 ms: raise poolSize/)
    })
    await database.ping()
  })
})
