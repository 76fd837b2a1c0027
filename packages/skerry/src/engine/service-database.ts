/**
 * A service's `Database` on top of an engine's connections: when BEGIN, the role and COMMIT are sent, and what it means
 * when an answer to them is missing. Both engines use it, so a transaction has the same edges on both; what differs
 * (sockets, a worker, how statements share a round trip) is behind `EngineConnection`.
 */
import type { Database, DatabaseConnections, Isolation, Queryable, QueryResult, Transaction } from './database.ts'
import { DatabaseError } from './database.ts'
import { checkScript, checkStatement } from './statement-guard.ts'
import type { ResultColumn, UserArrayType, UserTypes } from './user-types.ts'
import { FIND_ARRAY_TYPES } from './user-types.ts'

export interface EngineResult<Row> extends QueryResult<Row> {
  /** Columns that could only be read as text, because their types have not been looked up yet. */
  readonly unread: readonly ResultColumn[]
}

/** A connection while one query or transaction has it. Its promises reject with a `DatabaseError`. */
export interface EngineConnection {
  /** Why nothing sent here can arrive any more, once that is so. */
  readonly failure: DatabaseError | undefined
  /** False after a statement has ended the transaction from within. */
  readonly inTransaction: boolean
  begin(sql: string): Promise<void>
  query<Row>(sql: string, parameters: readonly unknown[]): Promise<EngineResult<Row>>
  /** Runs statements without parameters. May take as long as it takes. */
  script(sql: string): Promise<void>
  /** Until `uncork` has been called as often, what is sent waits, to leave in one piece. */
  cork(): void
  uncork(): void
  /**
   * Sends the statement that ends the transaction, then gives the connection back; `reset` undoes session settings first.
   * Resolves with the command tag, which after a failed statement is `ROLLBACK` whatever was asked for.
   */
  finish(sql: 'commit' | 'rollback', reset: boolean): Promise<string>
  /** Gives the connection back with no transaction open. */
  release(): void
}

export interface ServiceDatabaseOptions {
  readonly service: string
  /** The engine's, for messages. */
  readonly description: string
  /** Sent with BEGIN: `set local …` statements that make the transaction the service's. Empty: the connection is the service's already. */
  readonly preamble: readonly string[]
  readonly userTypes: UserTypes
  /** How many connections there are now. Default: nobody counts them. */
  readonly connections?: () => DatabaseConnections
  /** Waits its turn. Rejects with kind `unavailable`. */
  readonly acquire: () => Promise<EngineConnection>
  /** Resolves when everything begun has ended. Called once. */
  readonly close: () => Promise<void>
}

/** Feature not supported; engines report it with kind `serialization` when a migration changed the columns of a prepared statement. */
const STALE_PLAN = '0A000'

export class ServiceDatabase implements Database {
  readonly #options: ServiceDatabaseOptions
  readonly #begin: string
  #closed: Promise<void> | undefined
  #pinging: Promise<void> | undefined

  constructor(options: ServiceDatabaseOptions) {
    this.#options = options
    this.#begin = options.preamble.map((statement) => `; ${statement}`).join('')
  }

  get connections(): DatabaseConnections | undefined {
    return this.#options.connections?.()
  }

  async query<Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []): Promise<QueryResult<Row>> {
    checkStatement(sql)
    const result = await this.#queryOnce<Row>(sql, parameters).catch((error: unknown) => {
      // The plan was stale; it is made anew, and nothing had been executed.
      if (error instanceof DatabaseError && error.sqlState === STALE_PLAN && error.kind === 'serialization')
        return this.#queryOnce<Row>(sql, parameters)
      throw error
    })
    return complete(result, this.#options.userTypes, this)
  }

  async transaction<T>(isolation: Isolation, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const connection = await this.#acquire()
    const transaction = this.#open(connection, isolation)
    let result: T
    try {
      result = await work(transaction)
    } catch (error) {
      await transaction.rollback()
      throw error
    }
    await transaction.commit()
    return result
  }

  /** One at a time, however often it is asked: a database that hangs must not fill up with questions. */
  ping(): Promise<void> {
    this.#pinging ??= this.#ping().finally(() => (this.#pinging = undefined))
    return this.#pinging
  }

  async #ping(): Promise<void> {
    const connection = await this.#acquire()
    try {
      await connection.query('select 1', [])
    } finally {
      connection.release()
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#options.close()
    return this.#closed
  }

  async #acquire(): Promise<EngineConnection> {
    if (this.#closed !== undefined)
      throw new DatabaseError('unavailable', `The database of service "${this.#options.service}" (${this.#options.description}) is closed`)
    return this.#options.acquire()
  }

  async #queryOnce<Row>(sql: string, parameters: readonly unknown[]): Promise<EngineResult<Row>> {
    const connection = await this.#acquire()
    return this.#begin === '' ? this.#queryAlone<Row>(connection, sql, parameters) : this.#queryWrapped<Row>(connection, sql, parameters)
  }

  #open(connection: EngineConnection, isolation: Isolation): OpenTransaction {
    return new OpenTransaction(connection, `begin isolation level ${isolation}${this.#begin}`, this.#options)
  }

  async #queryAlone<Row>(connection: EngineConnection, sql: string, parameters: readonly unknown[]): Promise<EngineResult<Row>> {
    const failedBefore = connection.failure
    try {
      return await connection.query<Row>(sql, parameters)
    } catch (error) {
      throw connection.failure !== failedBefore ? unknownOutcome(this.#options.description, error) : error
    } finally {
      connection.release()
    }
  }

  /** BEGIN, the statement and COMMIT travel together: one round trip. */
  async #queryWrapped<Row>(connection: EngineConnection, sql: string, parameters: readonly unknown[]): Promise<EngineResult<Row>> {
    return this.#open(connection, 'read committed').runLast<Row>(sql, parameters)
  }
}

class OpenTransaction implements Transaction {
  readonly #connection: EngineConnection
  readonly #beginSql: string
  readonly #options: ServiceDatabaseOptions
  /** BEGIN is sent with the first statement. */
  #begun: Promise<void> | undefined
  #gathering = false
  #ended = false
  #committed: Promise<void> | undefined
  #scripted = false
  #lastFailure: DatabaseError | undefined
  #endedFromWithin: DatabaseError | undefined

  constructor(connection: EngineConnection, beginSql: string, options: ServiceDatabaseOptions) {
    this.#connection = connection
    this.#beginSql = beginSql
    this.#options = options
  }

  async query<Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []): Promise<QueryResult<Row>> {
    checkStatement(sql)
    return complete(await this.#run<Row>(sql, parameters), this.#options.userTypes, this)
  }

  async queryLast<Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []): Promise<QueryResult<Row>> {
    checkStatement(sql)
    const { unread, rows, affected } = await this.runLast<Row>(sql, parameters)
    if (unread.length > 0)
      throw new DatabaseError('statement', 'The last statement of a transaction cannot return columns of types made by the service')
    return { rows, affected }
  }

  async runLast<Row>(sql: string, parameters: readonly unknown[]): Promise<EngineResult<Row>> {
    const answered = this.#run<Row>(sql, parameters)
    const committed = this.commit()
    const [answer, commit] = await Promise.allSettled([answered, committed])
    if (commit.status === 'rejected' && this.#connection.failure !== undefined) throw commit.reason
    if (answer.status === 'rejected') throw answer.reason
    if (commit.status === 'rejected') throw commit.reason
    return answer.value
  }

  #run<Row>(sql: string, parameters: readonly unknown[]): Promise<EngineResult<Row>> {
    return this.#send(() => this.#connection.query<Row>(sql, parameters))
  }

  async script(sql: string): Promise<void> {
    checkScript(sql)
    this.#scripted = true
    await this.#send(() => this.#connection.script(sql))
    if (this.#connection.inTransaction) return
    this.#endedFromWithin = new DatabaseError(
      'statement',
      'The script ended its transaction, so what it did before that is committed: take COMMIT, ROLLBACK and BEGIN out of it; it runs in a transaction of its own',
    )
    throw this.#endedFromWithin
  }

  /** Does nothing when the last statement has brought its COMMIT along. */
  commit(): Promise<void> {
    this.#committed ??= this.#commit()
    return this.#committed
  }

  /** Never rejects: the reason for the rollback is what the caller must see. */
  async rollback(): Promise<void> {
    if (this.#committed === undefined) await this.#rollback()
    else await this.#committed.catch(() => undefined)
  }

  async #commit(): Promise<void> {
    this.#ended = true
    if (this.#begun === undefined) return this.#connection.release()
    if (this.#endedFromWithin !== undefined) {
      await this.#rollback()
      throw this.#endedFromWithin
    }
    const { failure } = this.#connection
    if (failure !== undefined) {
      this.#connection.release()
      throw failure
    }
    let tag: string
    try {
      tag = await this.#connection.finish('commit', this.#scripted)
    } catch (error) {
      throw this.#connection.failure !== undefined ? unknownOutcome(this.#options.description, error) : error
    }
    if (tag === 'COMMIT') return
    const cause = this.#lastFailure
    throw new DatabaseError(
      cause?.kind ?? 'statement',
      `Nothing was committed: a statement of this transaction had failed${cause === undefined ? '' : ` (${cause.message})`}, and the error was caught. ` +
        'PostgreSQL then refuses the whole transaction: let the error pass, or put a savepoint before the statement',
      { sqlState: cause?.sqlState ?? '25P02', constraint: cause?.constraint, cause },
    )
  }

  async #rollback(): Promise<void> {
    this.#ended = true
    if (this.#begun === undefined || this.#connection.failure !== undefined) return this.#connection.release()
    await this.#connection.finish('rollback', this.#scripted).catch(() => undefined)
  }

  async #send<T>(statement: () => Promise<T>): Promise<T> {
    if (this.#ended)
      throw new DatabaseError(
        'statement',
        'This transaction has ended: await every statement inside the function that was given to transaction()',
      )
    this.#gather()
    if (this.#begun === undefined) {
      this.#begun = this.#connection.begin(this.#beginSql)
      this.#begun.catch((error: DatabaseError) => (this.#lastFailure = error))
    }
    try {
      return await statement()
    } catch (error) {
      await this.#begun
      if (error instanceof DatabaseError && error.sqlState !== '25P02') this.#lastFailure = error
      throw error
    }
  }

  /** What is sent before the process comes to wait for something leaves in one piece: a round trip costs more than most statements. */
  #gather(): void {
    if (this.#gathering) return
    this.#gathering = true
    this.#connection.cork()
    process.nextTick(() => {
      this.#gathering = false
      this.#connection.uncork()
    })
  }
}

/** Reads what is left unread, after looking it up through the same transaction or database. */
async function complete<Row>(
  { rows, affected, unread }: EngineResult<Row>,
  userTypes: UserTypes,
  queryable: Queryable,
): Promise<QueryResult<Row>> {
  if (unread.length > 0) {
    const found = await queryable.query<UserArrayType>(FIND_ARRAY_TYPES, [unread.map((column) => column.dataTypeID)])
    userTypes.learn(unread, found.rows, rows as Record<string, unknown>[])
  }
  return { rows, affected }
}

function unknownOutcome(description: string, cause: unknown): DatabaseError {
  return new DatabaseError(
    'outcome-unknown',
    `The connection to ${description} was lost after COMMIT was sent: the transaction may or may not have been committed`,
    {
      cause,
    },
  )
}
