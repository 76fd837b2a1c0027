/** Getting in: URLs, logins, databases, privileges, and what the engine makes on the server for a service. */
import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import type { Database } from 'skerry/engine'
import { DatabaseError } from 'skerry/engine'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PostgresOptions } from './index.ts'
import { postgres } from './index.ts'

const url = process.env['SKERRY_TEST_POSTGRES_URL']!
const PASSWORD = 'p/ss w%rd#?'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

/** A database and a login of this test's own. */
let admin: Client
let login: string
let database: string
let loginUrl: string

beforeEach(async () => {
  login = name('login')
  database = name('db')
  const server = new Client({ connectionString: url })
  await server.connect()
  await server.query(`create role "${login}" login password '${PASSWORD}'`)
  await server.query(`create database "${database}"`)
  await server.end()
  const own = new URL(url)
  own.pathname = `/${database}`
  admin = new Client({ connectionString: own.href })
  await admin.connect()
  cleanUps.push(() => admin.end())
  own.username = login
  own.password = encodeURIComponent(PASSWORD)
  loginUrl = own.href
})

function name(stem: string): string {
  return `${stem}-${randomBytes(5).toString('hex')}`
}

async function open(service: string, shared: boolean, options: Partial<PostgresOptions> = {}): Promise<Database> {
  const engine = postgres({ url: loginUrl, ...options })
  cleanUps.push(() => engine.close())
  return engine.open({ service, shared })
}

async function refusal(promise: Promise<unknown>): Promise<DatabaseError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DatabaseError)
  return error as DatabaseError
}

describe('what the login role may do', () => {
  test('nothing: a shared database says what to run, and after that it works', async () => {
    const service = name('svc')
    const error = await refusal(open(service, true))
    expect(error).toMatchObject({ kind: 'statement', sqlState: '42501' })
    expect(error.message).toContain(`needs the role "${service}", which "${login}" may not create`)
    await admin.query(/As a superuser run: (.*?) \(or/.exec(error.message)![1]!)

    const second = await refusal(open(service, true))
    expect(second.message).toContain(`needs the schema "${service}" in database "${database}", which "${login}" may not create`)
    await admin.query(/As the owner of the database run: (.*)$/.exec(second.message)![1]!)

    const opened = await open(service, true)
    expect((await opened.query('select current_user::text, session_user::text')).rows).toEqual([
      { current_user: service, session_user: login },
    ])
  })

  test('nothing, and a role that is there but not its to use: the message says so', async () => {
    const service = name('svc')
    await admin.query(`create role "${service}"`)
    expect((await refusal(open(service, true))).message).toContain(`GRANT "${service}" TO "${login}"`)
  })

  test('create roles and schemas: that is enough for a shared database', async () => {
    await admin.query(`alter role "${login}" createrole; grant create on database "${database}" to "${login}"`)
    const [first, second] = [name('svc'), name('svc')]
    const opened = await open(first, true)
    await opened.transaction('read committed', (transaction) => transaction.script('create table kept (id int4)'))
    const other = await open(second, true)
    expect(await refusal(other.query(`select * from "${first}".kept`))).toMatchObject({ sqlState: '42501' })
  })

  test('use a schema made for it: enough for a database of its own', async () => {
    const service = name('svc')
    expect((await refusal(open(service, false))).message).toContain('GRANT CREATE ON DATABASE')
    await admin.query(`create schema "${service}" authorization "${login}"`)
    const opened = await open(service, false)
    await opened.transaction('read committed', (transaction) => transaction.script('create table kept (id int4)'))
    expect((await opened.query('select current_user::text, current_schema()::text')).rows).toEqual([
      { current_user: login, current_schema: service },
    ])
  })
})

describe('what is in the way', () => {
  test('a role of the service’s name that can log in: no service may become it', async () => {
    await admin.query(`alter role "${login}" createrole; grant create on database "${database}" to "${login}"`)
    const service = name('svc')
    await admin.query(`create role "${service}" login`)
    expect((await refusal(open(service, true))).message).toContain('can log in or has privileges of its own')
  })

  test('a schema of the service’s name that belongs to another', async () => {
    const service = name('svc')
    await admin.query(`create role "${service}"; grant "${service}" to "${login}"; create schema "${service}"`)
    const error = await refusal(open(service, true))
    expect(error.message).toContain(`belongs to "postgres"`)
    await admin.query(`alter schema "${service}" owner to "${service}"`)
    await open(service, true)
  })
})

test('many hosts open the same new services at the same time, in two databases of one server', async () => {
  await admin.query(`alter role "${login}" superuser`)
  const services = [name('svc'), name('svc'), name('svc')]
  const hosts = Array.from({ length: 12 }, (_, host) => services.map((service) => open(service, true, host % 2 === 0 ? {} : { url })))
  const databases = await Promise.all(hosts.flat())
  for (const [index, opened] of databases.entries())
    expect((await opened.query('select current_schema()::text')).rows).toEqual([{ current_schema: services[index % services.length] }])
}, 60_000)

describe('who is refused', () => {
  const error = async (change: (url: URL) => void): Promise<DatabaseError> => {
    const changed = new URL(loginUrl)
    change(changed)
    const refused = await refusal(open(name('svc'), true, { url: changed.href }))
    expect(refused.kind).toBe('unavailable')
    for (const secret of ['wr0ng', PASSWORD, encodeURIComponent(PASSWORD)]) expect(refused.message).not.toContain(secret)
    return refused
  }

  test('a wrong password', async () => {
    const { host } = new URL(url)
    const { message, sqlState } = await error((changed) => (changed.password = 'wr0ng'))
    expect(sqlState).toBe('28P01')
    expect(message).toBe(
      `PostgreSQL at ${host}/${database} refused user "${login}" (password authentication failed for user "${login}"): check user, password and pg_hba.conf`,
    )
  })

  test('no password where one is asked for', async () => {
    expect((await error((changed) => (changed.password = ''))).message).toContain('password')
  })

  test('an unknown database', async () => {
    expect((await error((changed) => (changed.pathname = '/nowhere'))).message).toContain(
      'has no database "nowhere": create it, or correct the URL',
    )
  })

  test('an unknown host', async () => {
    expect((await error((changed) => (changed.hostname = 'nowhere.invalid'))).message).toBe(
      `PostgreSQL at nowhere.invalid:${new URL(url).port} cannot be reached: the host name is not known`,
    )
  })

  test('a port where nothing listens', async () => {
    expect((await error((changed) => (changed.port = '1'))).message).toBe(
      `PostgreSQL at ${new URL(url).hostname}:1 cannot be reached: nothing listens there`,
    )
  })
})

describe('URLs', () => {
  test.each<[string, string[]]>([
    ['mysql://user:secret@host/db', ['postgres://']],
    ['host=db user=me', ['postgres://']],
    ['', ['postgres://']],
    ['postgres://user:se#cret@host/db', ['percent-encoded']],
    ['postgres://user:secret@host:99999/db', ['port']],
    ['postgres://user:secret@host', ['the database is missing']],
    ['postgres://host/db', ['the user name is missing']],
    ['postgres://user:secret@/db', ['cannot be read']],
    ['postgres:///', ['the host is missing', 'the user name is missing', 'the database is missing']],
    ['postgres://user:100%secret@host/db/more', ['password is not properly percent-encoded', 'the name of one database']],
  ])('%s is refused, with everything that is wrong', (malformed, problems) => {
    expect(() => postgres({ url: malformed })).toThrow(TypeError)
    for (const problem of problems) expect(() => postgres({ url: malformed })).toThrow(problem)
    expect(() => postgres({ url: malformed })).not.toThrow('secret')
  })

  test('a pool without connections is refused', () => {
    expect(() => postgres({ url, poolSize: 0 })).toThrow('poolSize is 0')
    expect(() => postgres({ url, poolSize: 1.5 })).toThrow('poolSize is 1.5')
  })

  test('the description says where, and keeps the password to itself', () => {
    expect(postgres({ url: 'postgres://me:secret@db.example/orders?sslmode=require' }).description).toBe(
      'PostgreSQL at db.example:5432/orders',
    )
    expect(postgres({ url: 'postgresql://me:secret@[::1]:6432/my%20shop' }).description).toBe('PostgreSQL at ::1:6432/my shop')
  })

  test('its own options reach the server beside the platform’s', async () => {
    await admin.query(`alter role "${login}" superuser`)
    const opened = await open(name('svc'), true, {
      url: `${loginUrl}?options=${encodeURIComponent('-c work_mem=5MB -c statement_timeout=7s')}`,
    })
    const { rows } = await opened.query(
      `select current_setting('work_mem') as memory, current_setting('statement_timeout') as timeout, current_setting('timezone') as zone`,
    )
    expect(rows).toEqual([{ memory: '5MB', timeout: '7s', zone: 'UTC' }])
  })
})

test('settings of the server and of the database do not change how values look', async () => {
  await admin.query(`alter role "${login}" superuser`)
  for (const setting of [
    `timezone = 'Asia/Kolkata'`,
    `datestyle = 'German'`,
    `intervalstyle = 'postgres_verbose'`,
    `bytea_output = 'escape'`,
    `default_transaction_isolation = 'serializable'`,
  ])
    await admin.query(`alter database "${database}" set ${setting}`)
  for (const options of [{}, { transactionPooler: true }])
    for (const shared of [true, false]) {
      const opened = await open(name('svc'), shared, options)
      const sql = `select '2026-01-02 03:04:05'::timestamptz as at, '2026-01-02'::date as day, '1 day'::interval as span, '\\xff'::bytea as raw, current_setting('transaction_isolation') as isolation`
      expect((await opened.query(sql)).rows).toEqual([
        { at: new Date('2026-01-02T03:04:05Z'), day: '2026-01-02', span: 'P1D', raw: new Uint8Array([255]), isolation: 'read committed' },
      ])
    }
})
