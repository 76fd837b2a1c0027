/** Databases of a test's own on the PostgreSQL of this run, gone when disposed of. */
import { randomBytes } from 'node:crypto'
import pg from 'pg'

export interface ServiceDatabases extends AsyncDisposable {
  /** By service: the URL of its own database, as its own login role. Nobody else's role may connect to it. */
  readonly urls: Readonly<Record<string, string>>
}

/** One database and one login role for each service. */
export async function createDatabases(services: readonly string[]): Promise<ServiceDatabases> {
  const run = randomBytes(4).toString('hex')
  const names = services.map((service) => `${service}-${run}`)
  const urls: Record<string, string> = {}
  await asSuperuser(async (client) => {
    for (const [index, name] of names.entries()) {
      const password = randomBytes(16).toString('hex')
      await client.query(`create role "${name}" login password '${password}'`)
      await client.query(`create database "${name}" owner "${name}"`)
      await client.query(`revoke connect on database "${name}" from public`)
      urls[services[index]!] = urlOf(name, { username: name, password })
    }
  })
  return {
    urls,
    [Symbol.asyncDispose]: () =>
      asSuperuser(async (client) => {
        for (const name of names) {
          await client.query(`drop database if exists "${name}" with (force)`)
          await client.query(`drop role if exists "${name}"`)
        }
      }),
  }
}

export interface SharedDatabase extends AsyncDisposable {
  /** Of the superuser, who may make a role for each service. */
  readonly url: string
}

/** One database for all services of a host. */
export async function createSharedDatabase(): Promise<SharedDatabase> {
  const name = `shared-${randomBytes(4).toString('hex')}`
  await asSuperuser((client) => client.query(`create database "${name}"`))
  return {
    url: urlOf(name),
    [Symbol.asyncDispose]: async () => {
      await asSuperuser((client) => client.query(`drop database if exists "${name}" with (force)`))
    },
  }
}

/** Runs one statement at the URL, on a connection of its own. */
export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

async function asSuperuser<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: superuserUrl() })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

function urlOf(database: string, login?: { readonly username: string; readonly password: string }): string {
  const url = new URL(superuserUrl())
  url.pathname = `/${database}`
  if (login !== undefined) Object.assign(url, login)
  return url.href
}

function superuserUrl(): string {
  const url = process.env['SKERRY_TEST_POSTGRES_URL']
  if (url === undefined) throw new Error('SKERRY_TEST_POSTGRES_URL is not set: run through vitest, whose global setup starts a server')
  return url
}
