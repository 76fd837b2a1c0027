/**
 * The port to a database: PostgreSQL's SQL (written for version 15) and its types, whether the engine is a server or
 * PGlite inside the process. An engine hands out one `Database` per service; services never see this interface, they
 * get Kysely on top of it. `databaseConformance` in `skerry/testing` states what an engine must do.
 *
 * Values, the same on every engine: int2, int4, float → number; int8, numeric → number when exactly representable, else
 * string (so that `count(*)` is a number); bool → boolean; text, uuid, date, time → string; timestamp, timestamptz → Date; bytea →
 * Uint8Array; json, jsonb → parsed value; interval → ISO 8601 string; arrays → arrays. Parameters: a Date, Uint8Array,
 * boolean, number, bigint, string or null as it is; arrays as PostgreSQL arrays; JSON must be given as a string.
 */

export interface QueryResult<Row = Record<string, unknown>> {
  readonly rows: Row[]
  /** Rows inserted, updated, deleted or selected by the statement. */
  readonly affected: number
}

/** Something that runs statements: a database (each in a transaction of its own) or an open transaction. */
export interface Queryable {
  /** Runs one statement with positional parameters `$1…`. Rejects with a `DatabaseError`. */
  query<Row = Record<string, unknown>>(sql: string, parameters?: readonly unknown[]): Promise<QueryResult<Row>>
}

export interface Transaction extends Queryable {
  /**
   * Runs the last statement and commits, in one round trip; nothing may follow. Resolves when both are done, and rejects when nothing
   * was committed, or with kind `outcome-unknown`.
   */
  queryLast<Row = Record<string, unknown>>(sql: string, parameters?: readonly unknown[]): Promise<QueryResult<Row>>
  /** Runs several statements without parameters, as in a migration file. */
  script(sql: string): Promise<void>
}

export type Isolation = 'read committed' | 'repeatable read' | 'serializable'

export interface Database extends Queryable {
  /**
   * Runs `work` in one transaction: commits when it resolves, rolls back when it rejects. Does not retry.
   * When the answer to COMMIT is lost it rejects with kind `outcome-unknown`: the transaction may have been committed.
   */
  transaction<T>(isolation: Isolation, work: (transaction: Transaction) => Promise<T>): Promise<T>
  /** The connections that it has; undefined where there are none to speak of. */
  readonly connections?: DatabaseConnections | undefined
  /** Resolves when the database answers; rejects with a `DatabaseError` that says why it does not. */
  ping(): Promise<void>
  close(): Promise<void>
}

export interface DatabaseConnections {
  readonly used: number
  readonly idle: number
  /** How many there may be. */
  readonly max: number
  /** Queries and transactions that wait for one. */
  readonly pending: number
}

export interface DatabaseOptions {
  /** Names the schema and the role that the service owns. Lower case letters, digits, `_` and `-`. */
  readonly service: string
  /**
   * True when several services live in this database: the engine then creates a role for the service and every
   * transaction and query runs as that role, so that another service's table answers `42501` (permission denied).
   * False when the database belongs to the service alone: the login role is used as it is.
   */
  readonly shared: boolean
}

/** One server or one embedded instance, opened once by a host. */
export interface DatabaseEngine {
  /** For messages, such as `PGlite in .skerry/data` or `PostgreSQL at db:5432/orders`. Never holds a password. */
  readonly description: string
  /** True when no other process can have this database open, so that work in it needs no leases. Default: false. */
  readonly exclusive?: boolean
  /** Creates the service's schema (and role) if missing and opens it with that schema as the only one on the search path. */
  open(options: DatabaseOptions): Promise<Database>
  /** Closes what is left open. */
  close(): Promise<void>
}

export type DatabaseErrorKind =
  /** The statement was refused: a constraint, a syntax error, a missing permission. `sqlState` says which. */
  | 'statement'
  /** 40001, 40P01 or 55P03: the same transaction may succeed when run again. */
  | 'serialization'
  /** The server could not be reached, or the connection was lost before COMMIT was sent: nothing was committed. */
  | 'unavailable'
  /** The connection was lost after COMMIT was sent: committed or not, nobody here knows. */
  | 'outcome-unknown'

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
  readonly kind: DatabaseErrorKind
  /** The five characters of SQLSTATE, when the server gave one. */
  readonly sqlState: string | undefined
  readonly constraint: string | undefined
  /** Offset in the statement where the server saw the error, in characters from 1. */
  readonly position: number | undefined

  constructor(
    kind: DatabaseErrorKind,
    message: string,
    details: { sqlState?: string | undefined; constraint?: string | undefined; position?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause })
    this.kind = kind
    this.sqlState = details.sqlState
    this.constraint = details.constraint
    this.position = details.position
  }
}

const RETRYABLE_STATES = new Set(['40001', '40P01', '55P03'])

/** A wrong number of parameters, despite its class. */
const PROTOCOL_VIOLATION = '08P01'

/** Which kind of failure a SQLSTATE is. Class 08 and 57P0x mean that the server went away. */
export function kindOfSqlState(sqlState: string): DatabaseErrorKind {
  if (sqlState === PROTOCOL_VIOLATION) return 'statement'
  if (RETRYABLE_STATES.has(sqlState)) return 'serialization'
  if (sqlState.startsWith('08') || sqlState.startsWith('57P') || sqlState.startsWith('53')) return 'unavailable'
  return 'statement'
}
