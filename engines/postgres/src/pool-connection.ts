/**
 * One connection of the pool, while a query or transaction has it. Statements are pipelined: each is sent at once and
 * answered in order, so BEGIN costs no round trip of its own. Statements that are run often are prepared by name.
 */
import { Query } from 'pg'
import type { PoolClient, QueryResult as PgResult } from 'pg'
import type { DatabaseError, EngineConnection, EngineResult, StatementNames, UserTypes } from 'skerry/engine'
import { encodeParameters, PreparedStatements } from 'skerry/engine'
import { endsConnection, stalePlan, statementFailure } from './failures.ts'

/** Undoes what a script may have set for the session: pg_dump's scripts, for one, set the search path. */
const RESET_SESSION = 'reset role; reset all'

export interface PoolContext {
  readonly description: string
  readonly userTypes: UserTypes
  /** Undefined when statements must not be prepared by name. */
  readonly names: StatementNames | undefined
  /** How long a statement or COMMIT may go unanswered. */
  readonly answerTimeoutMs: number
}

/** What a statement needs besides its text, under the names that the driver reads from its `Query`. */
interface StatementOptions {
  readonly values?: readonly unknown[]
  readonly name?: string | undefined
  readonly queryMode?: 'extended'
  readonly query_timeout?: number
}

export class PoolConnection implements EngineConnection {
  readonly #client: PoolClient
  readonly #context: PoolContext
  readonly #statements = new PreparedStatements()
  #failure: DatabaseError | undefined
  #inUse = false

  constructor(client: PoolClient, context: PoolContext) {
    this.#client = client
    this.#context = context
    // Without a listener an error on a connection in use would end the process.
    client.on('error', (error) => this.#lose(error))
    client.on('end', () => this.#lose(new Error('it was closed')))
  }

  get failure(): DatabaseError | undefined {
    return this.#failure
  }

  get inTransaction(): boolean {
    return this.#client.getTransactionStatus() !== 'I'
  }

  /** The pool has just handed out the client. */
  taken(): this {
    this.#inUse = true
    return this
  }

  async begin(sql: string): Promise<void> {
    // Without a time limit of its own: the statement sent with it has one.
    await this.#send(sql, {})
  }

  async query<Row>(sql: string, parameters: readonly unknown[]): Promise<EngineResult<Row>> {
    const values = encodeParameters(parameters)
    const name = this.#context.names?.nameOf(sql)
    const result = await this.#send(sql, {
      values: values.map((value) => (value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value)),
      queryMode: 'extended',
      query_timeout: this.#context.answerTimeoutMs,
      name: name === undefined ? undefined : this.#prepared(name),
    })
    return { rows: result.rows as Row[], affected: result.rowCount ?? 0, unread: this.#context.userTypes.unknownAmong(result.fields) }
  }

  async script(sql: string): Promise<void> {
    await this.#send(sql, {})
  }

  cork(): void {
    this.#client.connection.stream.cork()
  }

  uncork(): void {
    this.#client.connection.stream.uncork()
  }

  async finish(sql: 'commit' | 'rollback', reset: boolean): Promise<string> {
    try {
      // In one message, so that a pooler cannot send the second half to another session.
      const text = reset ? `${sql}; ${RESET_SESSION}` : sql
      const result: PgResult | PgResult[] = await this.#send(text, { query_timeout: this.#context.answerTimeoutMs })
      return Array.isArray(result) ? result[0]!.command : result.command
    } finally {
      this.release()
    }
  }

  release(): void {
    if (!this.#inUse) return
    this.#inUse = false
    this.#client.release(this.#failure !== undefined)
  }

  /** Closes another statement when there are too many; the driver prepares this one when it sees its name for the first time. */
  #prepared(name: string): string {
    const { statement, close } = this.#statements.use(name)
    if (close !== undefined) this.#client.connection.close({ type: 'S', name: close }, true)
    return statement.name
  }

  async #send(text: string, options: StatementOptions): Promise<PgResult> {
    try {
      return await new Promise<PgResult>((resolve, reject) => {
        // Set afterwards, because the driver copies a configuration object property by property, which costs more than all the rest of it.
        const query = Object.assign(new Query(text), options, {
          callback: (error: Error | null, result: PgResult) => (error === null ? resolve(result) : reject(error)),
        })
        this.#client.query(query)
      })
    } catch (error) {
      if (stalePlan(error)) this.#context.names?.forget(text)
      throw endsConnection(error) ? this.#lose(error) : statementFailure(error, this.#context.description)
    }
  }

  /**
   * The first reason is the one to tell: what follows it says only that the connection is no more. Its place in the pool is
   * free from now on, even if the transaction that had it takes its time to notice.
   */
  #lose(reason: unknown): DatabaseError {
    this.#failure ??= statementFailure(reason, this.#context.description)
    this.release()
    return this.#failure
  }
}
