/**
 * The databases of tests: one embedded instance for the whole test process, because making one takes seconds; each test
 * system gets schemas of its own in it, which go when it is disposed of. With SKERRY_TEST_DATABASE_URL the same tests run on that PostgreSQL.
 */
import type { Database, DatabaseEngine, DatabaseOptions } from '../engine/database.ts'

interface EngineModule {
  readonly pglite?: (options: object) => DatabaseEngine
  readonly postgres?: (options: { url: string }) => DatabaseEngine
}

let shared: Promise<DatabaseEngine> | undefined
let systems = 0

/** A database engine that a test system may close; what it opened is dropped then. */
export async function testDatabaseEngine(): Promise<DatabaseEngine> {
  const engine = await (shared ??= openShared())
  const suffix = `-t${process.pid.toString(36)}-${(systems++).toString(36)}`
  const opened: { readonly schema: string; readonly database: Database }[] = []
  return {
    description: engine.description,
    exclusive: true,
    async open({ service }: DatabaseOptions) {
      const schema = service + suffix
      const database = await engine.open({ service: schema, shared: true })
      opened.push({ schema, database })
      return { ...delegate(database), close: async () => {} }
    },
    async close() {
      for (const { schema, database } of opened) {
        await database.query(`drop schema "${schema}" cascade`)
        await database.close()
      }
    },
  }
}

/** A database that does what another one does: for a test to change. */
export function delegate(database: Database): Database {
  return {
    query: (sql, parameters) => database.query(sql, parameters),
    transaction: (isolation, work) => database.transaction(isolation, work),
    ping: () => database.ping(),
    close: () => database.close(),
  }
}

async function openShared(): Promise<DatabaseEngine> {
  const url = process.env['SKERRY_TEST_DATABASE_URL']
  const name = url === undefined ? '@skerry/pglite' : '@skerry/postgres'
  let module: EngineModule
  try {
    module = (await import(name)) as EngineModule
  } catch (error) {
    throw new Error(`testSystem keeps its data in ${name}: install it as a development dependency`, { cause: error })
  }
  return url === undefined ? module.pglite!({}) : module.postgres!({ url })
}
