/**
 * The service's own database as its handlers see it: Kysely on the database port. Inside an open transaction every query
 * goes to that transaction; what belongs to the platform (transactions, roles, session settings) is refused.
 */
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely'
import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import { SkerryError } from '../base/errors.ts'
import type { Database } from '../engine/database.ts'
import { currentScope } from '../telemetry/scope.ts'

export function serviceDatabase<Tables>(service: string, database: Database | undefined): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createDriver: () => new PortDriver(service, database),
    },
  })
}

const FORBIDDEN =
  /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|;)*(begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|prepare\s+transaction|set|reset|discard|listen|unlisten|notify)\b/i

class PortDriver implements Driver {
  readonly #service: string
  readonly #database: Database | undefined

  constructor(service: string, database: Database | undefined) {
    this.#service = service
    this.#database = database
  }

  async init(): Promise<void> {}
  async destroy(): Promise<void> {}
  async releaseConnection(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    return {
      executeQuery: <Row>(query: CompiledQuery): Promise<QueryResult<Row>> => this.#execute<Row>(query),
      // oxlint-disable-next-line require-yield -- the interface asks for a generator, and the port has no cursors
      async *streamQuery() {
        throw new SkerryError('statementRefused', 'Streaming is not supported: read in pages')
      },
    }
  }

  beginTransaction(): Promise<void> {
    throw new SkerryError(
      'statementRefused',
      "db.transaction() is not available: use transaction(…) of the handler's context, which also carries events",
    )
  }

  commitTransaction(): Promise<void> {
    return this.beginTransaction()
  }

  rollbackTransaction(): Promise<void> {
    return this.beginTransaction()
  }

  async #execute<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    if (query.query.kind === 'RawNode') refusePlatformStatements(query.sql)
    const on = currentScope()?.transaction ?? this.#database
    if (on === undefined)
      throw new SkerryError(
        'systemInvalid',
        `The service "${this.#service}" uses db but has no database: give it migrations in service(contract, { migrations })`,
      )
    const result = await on.query<Row>(query.sql, query.parameters)
    const writes =
      query.query.kind === 'InsertQueryNode' || query.query.kind === 'UpdateQueryNode' || query.query.kind === 'DeleteQueryNode'
    return writes ? { rows: result.rows, numAffectedRows: BigInt(result.affected) } : { rows: result.rows }
  }
}

function refusePlatformStatements(sql: string): void {
  const match = FORBIDDEN.exec(sql)
  if (match !== null)
    throw new SkerryError(
      'statementRefused',
      `"${match[1]!.toUpperCase()}" is refused: transactions, roles and session settings belong to the platform`,
    )
}
