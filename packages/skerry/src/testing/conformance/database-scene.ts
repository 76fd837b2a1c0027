/** What the cases of `databaseConformance` share: services of their own, whatever else lives in the database, and waiting for failures. */
import { strict as assert } from 'node:assert'
import { systemClock } from '../../base/clock.ts'
import { idSource } from '../../base/id.ts'
import { systemRandom } from '../../base/random.ts'
import type { Database, DatabaseEngine, DatabaseErrorKind, Isolation, Queryable, Transaction } from '../../engine/database.ts'
import { DatabaseError } from '../../engine/database.ts'
import type { ConformanceCase } from './conformance-case.ts'

const MAX_ATTEMPTS = 100
const newId = idSource(systemClock, systemRandom)

export class DatabaseScene {
  readonly engine: DatabaseEngine
  readonly #databases: Database[] = []

  constructor(engine: DatabaseEngine) {
    this.engine = engine
  }

  /** A name that no other case has. */
  name(stem = 'svc'): string {
    return `${stem}-${newId()}`
  }

  async open(service: string = this.name(), script?: string): Promise<Database> {
    const database = await this.engine.open({ service, shared: true })
    this.#databases.push(database)
    if (script !== undefined) await database.transaction('read committed', (transaction) => transaction.script(script))
    return database
  }

  async end(): Promise<void> {
    await Promise.all(this.#databases.map((database) => database.close()))
  }
}

export function databaseCase(name: string, run: (scene: DatabaseScene) => Promise<void>): ConformanceCase<DatabaseEngine> {
  return {
    name,
    async run(engine) {
      const scene = new DatabaseScene(engine)
      try {
        await run(scene)
      } finally {
        await scene.end()
      }
    },
  }
}

/** The one value of a statement that returns one row with one column. */
export async function value(queryable: Queryable, sql: string, parameters: readonly unknown[] = []): Promise<unknown> {
  const { rows } = await queryable.query(sql, parameters)
  assert.equal(rows.length, 1, `one row from ${sql}`)
  const values = Object.values(rows[0]!)
  assert.equal(values.length, 1, `one column from ${sql}`)
  return values[0]
}

/** The `DatabaseError` that the promise must reject with. */
export async function failure(promise: Promise<unknown>, kind: DatabaseErrorKind, sqlState?: string): Promise<DatabaseError> {
  const error = await promise.then(
    (result) => assert.fail(`expected a DatabaseError of kind "${kind}", but it resolved with ${JSON.stringify(result)}`),
    (reason: unknown) => reason,
  )
  if (!(error instanceof DatabaseError)) throw error
  assert.deepEqual({ kind: error.kind, sqlState: error.sqlState }, { kind, sqlState: sqlState ?? error.sqlState }, error.message)
  return error
}

/** Runs a transaction again as long as it loses against another, as the platform does. */
export async function retrying<T>(database: Database, isolation: Isolation, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await database.transaction(isolation, work)
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.kind !== 'serialization' || attempt === MAX_ATTEMPTS) throw error
    }
}

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}
