/**
 * The database engine for a PostgreSQL server: a pool of connections per service, each opened with the service's search
 * path and, on a shared server, as the service's role. A connection therefore belongs to its service from the first
 * statement to the last, no transaction pays for switching, and `RESET ROLE` does not lead out of it.
 */
import { Client, Pool } from 'pg'
import type { ClientConfig, CustomTypesConfig, PoolClient } from 'pg'
import type { Database, DatabaseEngine, DatabaseOptions, FoundSchema } from 'skerry/engine'
import {
  DatabaseError,
  FIND_SERVICE_SCHEMA,
  provisioningScript,
  ServiceDatabase,
  serviceIdentifier,
  SESSION_SETTINGS,
  StatementNames,
  UserTypes,
} from 'skerry/engine'
import { connectFailure, statementFailure } from './failures.ts'
import { PoolConnection } from './pool-connection.ts'
import type { ServerUrl } from './server-url.ts'
import { parseServerUrl } from './server-url.ts'

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; `?sslmode=verify-full` and the driver's other parameters may follow. */
  readonly url: string
  /** Connections per service, at most. Default 10: raise it when transactions wait for each other while the server is idle. */
  readonly poolSize?: number
  /**
   * True when the URL leads to PgBouncer or another pooler in transaction mode: no named statements, no start-up options;
   * every transaction then sets role and search path itself. Default false.
   */
  readonly transactionPooler?: boolean
  /**
   * How long a statement of a service may go unanswered before its connection is given up. Default 60,000: raise it for
   * services with slower queries. Scripts (migrations) are not limited.
   */
  readonly answerTimeoutMs?: number
}

const DEFAULT_POOL_SIZE = 10
const DEFAULT_ANSWER_TIMEOUT_MS = 60_000
const CONNECT_TIMEOUT_MS = 5_000
const IDLE_CONNECTION_MS = 30_000
const IDLE_IN_TRANSACTION_MS = 30_000
const KEEP_ALIVE_AFTER_MS = 10_000
/** Connections are renewed in time, so that a changed DNS entry or an added replica is noticed without a restart. */
const CONNECTION_LIFETIME_S = 1_800
const PROVISIONING_ATTEMPTS = 10
/** Duplicate role or schema, and catalogue rows changed by another session: another host provisions at this moment. */
const PROVISIONING_RACES = new Set(['42710', '42P06', '23505', 'XX000', '40001', '40P01'])

/** Throws a `TypeError` that lists what is wrong with the options. Connects to nothing yet. */
export function postgres(options: PostgresOptions): DatabaseEngine {
  const { poolSize = DEFAULT_POOL_SIZE, answerTimeoutMs = DEFAULT_ANSWER_TIMEOUT_MS } = options
  if (!Number.isInteger(poolSize) || poolSize < 1)
    throw new TypeError(`poolSize is ${poolSize}: it must be a whole number of connections, at least 1`)
  return new PostgresEngine(parseServerUrl(options.url), {
    poolSize,
    answerTimeoutMs,
    transactionPooler: options.transactionPooler ?? false,
  })
}

type Settings = Required<Omit<PostgresOptions, 'url'>>

class PostgresEngine implements DatabaseEngine {
  readonly description: string
  readonly #server: ServerUrl
  readonly #settings: Settings
  readonly #databases = new Set<Database>()
  #closed = false

  constructor(server: ServerUrl, settings: Settings) {
    this.#server = server
    this.#settings = settings
    this.description = `PostgreSQL at ${server.host}:${server.port}/${server.database}`
  }

  async open(options: DatabaseOptions): Promise<Database> {
    if (this.#closed) throw new DatabaseError('unavailable', `${this.description} is closed`)
    const settings = sessionSettings(options)
    await this.#provision(options)
    const database = this.#openPool(options.service, settings)
    this.#databases.add(database)
    if (this.#closed) await database.close()
    return database
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#databases].map((database) => database.close()))
  }

  #openPool(service: string, settings: Readonly<Record<string, string>>): Database {
    const { poolSize, answerTimeoutMs, transactionPooler } = this.#settings
    const userTypes = new UserTypes()
    const pool = new Pool({
      ...this.#clientConfig(transactionPooler ? {} : settings),
      application_name: `skerry ${service}`,
      max: poolSize,
      pipeline: true,
      idleTimeoutMillis: IDLE_CONNECTION_MS,
      maxLifetimeSeconds: CONNECTION_LIFETIME_S,
      types: { getTypeParser: ((typeId: number) => userTypes.parserOf(typeId) ?? asText) as CustomTypesConfig['getTypeParser'] },
    })
    // The pool has dropped the dead connection already; the next transaction opens another.
    pool.on('error', () => undefined)
    const context = {
      description: this.description,
      userTypes,
      names: transactionPooler ? undefined : new StatementNames('s'),
      answerTimeoutMs,
    }
    const connections = new WeakMap<PoolClient, PoolConnection>()
    pool.on('connect', (client) => connections.set(client, new PoolConnection(client, context)))
    const database = new ServiceDatabase({
      service,
      description: this.description,
      preamble: transactionPooler
        ? Object.entries(settings).map(([name, value]) => `set local ${name} = ${value.startsWith('"') ? value : `'${value}'`}`)
        : [],
      userTypes,
      connections: () => ({
        used: pool.totalCount - pool.idleCount,
        idle: pool.idleCount,
        max: poolSize,
        pending: pool.waitingCount,
      }),
      acquire: async () => {
        try {
          return connections.get(await pool.connect())!.taken()
        } catch (error) {
          throw connectFailure(error, this.#server, poolSize, CONNECT_TIMEOUT_MS)
        }
      },
      close: async () => {
        this.#databases.delete(database)
        await pool.end()
      },
    })
    return database
  }

  /** Safe to run on many hosts at once: who loses a race finds, on looking again, that less is missing. */
  async #provision(options: DatabaseOptions): Promise<void> {
    const client = new Client({ ...this.#clientConfig({}), application_name: 'skerry provisioning' })
    client.on('error', () => undefined)
    try {
      await client.connect().catch((error: unknown) => {
        throw connectFailure(error, this.#server, this.#settings.poolSize, CONNECT_TIMEOUT_MS)
      })
      for (let attempt = 1; ; attempt++)
        try {
          return await provision(client, options)
        } catch (error) {
          if (error instanceof DatabaseError) throw error
          const failure = statementFailure(error, this.description)
          if (attempt === PROVISIONING_ATTEMPTS || !PROVISIONING_RACES.has(failure.sqlState ?? '')) throw failure
        }
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  #clientConfig(startup: Readonly<Record<string, string>>): ClientConfig {
    const options = [
      this.#server.options,
      ...Object.entries(startup).map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, '\\$&')}`),
    ]
    return {
      connectionString: this.#server.connectionString,
      options: options.filter((option) => option !== '').join(' '),
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    }
  }
}

/** What makes a session the service's: values as SQL or a start-up option takes them. */
function sessionSettings({ service, shared }: DatabaseOptions): Readonly<Record<string, string>> {
  return {
    ...SESSION_SETTINGS,
    idle_in_transaction_session_timeout: String(IDLE_IN_TRANSACTION_MS),
    search_path: serviceIdentifier(service),
    ...(shared ? { role: service } : {}),
  }
}

async function provision(client: Client, options: DatabaseOptions): Promise<void> {
  const { rows } = await client.query<FoundSchema>(FIND_SERVICE_SCHEMA, [options.service])
  const script = provisioningScript(options, rows[0]!)
  // Sent as one message, it is one transaction.
  if (script !== '') await client.query(script)
}

const asText = (text: string): string => text
