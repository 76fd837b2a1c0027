/**
 * The databases of a simulated world: one real PGlite for all of them, which is emptied for each seed and not made anew. Every statement is
 * a moment at which its process may wait, die, or meet a conflict. As PGlite has one session, transactions take turns; whose turn is
 * next the seed decides.
 */
import type { Database, DatabaseEngine, Isolation, QueryResult, Transaction } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import type { Life } from './life.ts'
import { inLife } from './life.ts'
import { shown } from './trace.ts'
import type { World } from './world.ts'

/** What the world's databases are kept in. */
export interface SimulatedDatabasesOptions {
  readonly world: World
  /** Opened once for all seeds, by the name of the service. */
  readonly open: (service: string) => Promise<Database>
  /** Told of each statement of a service, before it runs. */
  readonly onStatement: (sql: string, service: string) => void
}

const MAX_STATEMENT_MS = 2

export class SimulatedDatabases {
  readonly #options: SimulatedDatabasesOptions
  readonly #waiting: { readonly life: Life; readonly begin: () => void }[] = []
  #taken = false

  constructor(options: SimulatedDatabasesOptions) {
    this.#options = options
  }

  /** The databases as one process sees them. `exclusive`: no other process opens them. */
  engineOf(life: Life, exclusive: boolean): DatabaseEngine {
    return {
      description: 'the simulated database',
      exclusive,
      open: async ({ service }) =>
        new SimulatedDatabase(this.#options, this, life, await this.#options.world.outside(() => this.#options.open(service))),
      close: async () => undefined,
    }
  }

  /** Nobody has a transaction open. */
  get isFree(): boolean {
    return !this.#taken
  }

  /** Resolves when it is this process's turn, which lasts until `giveBack` is called. */
  take(life: Life): Promise<void> {
    if (!this.#taken) {
      this.#taken = true
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#waiting.push({ life, begin: resolve }))
  }

  giveBack(): void {
    this.#taken = false
    const { world } = this.#options
    const alive = this.#waiting.filter(({ life }) => !life.isOver)
    const next = alive[Math.min(alive.length - 1, Math.floor(world.choices.delayMs('database: whose turn', 0, alive.length)))]
    this.#waiting.splice(0, this.#waiting.length, ...alive.filter((other) => other !== next))
    if (next === undefined) return
    this.#taken = true
    world.after(0, undefined, () => {
      if (next.life.isOver) this.giveBack()
      else next.begin()
    })
  }
}

class SimulatedDatabase implements Database {
  readonly #options: SimulatedDatabasesOptions
  readonly #turns: SimulatedDatabases
  readonly #life: Life
  readonly #database: Database

  constructor(options: SimulatedDatabasesOptions, turns: SimulatedDatabases, life: Life, database: Database) {
    this.#options = options
    this.#turns = turns
    this.#life = life
    this.#database = database
  }

  query<Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []): Promise<QueryResult<Row>> {
    return this.transaction('read committed', (transaction) => transaction.queryLast<Row>(sql, parameters))
  }

  async transaction<T>(isolation: Isolation, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const { world } = this.#options
    const life = this.#life
    await world.pause(`${life.node}: begin`, 0, MAX_STATEMENT_MS)
    await this.#turns.take(life)
    const open = new SimulatedTransaction(this.#options, this.#turns, life)
    try {
      const value = await open.run(this.#database, isolation, work)
      await world.pause(`${life.node}: committed`, 0, MAX_STATEMENT_MS)
      return value
    } catch (error) {
      // Nobody is there any more to be told.
      if (life.isOver) return await new Promise<never>(() => undefined)
      throw error
    }
  }

  ping(): Promise<void> {
    return this.#options.world.pause(`${this.#life.node}: ping`, 0, MAX_STATEMENT_MS)
  }

  async close(): Promise<void> {}
}

/** A transaction of a process, which the death of the process rolls back. */
class SimulatedTransaction implements Transaction {
  readonly #world: World
  readonly #life: Life
  readonly #options: SimulatedDatabasesOptions
  readonly #turns: SimulatedDatabases
  #real: Transaction | undefined
  /** What is sent at once is carried out in the order in which it was sent. */
  #last: Promise<unknown> = Promise.resolve()
  #failed: DatabaseError | undefined
  #committedFromWithin = false
  /** COMMIT was carried out, and its answer is to be lost. */
  #answerIsLost = false

  constructor(options: SimulatedDatabasesOptions, turns: SimulatedDatabases, life: Life) {
    this.#options = options
    this.#world = options.world
    this.#turns = turns
    this.#life = life
  }

  /** Runs the work and gives the turn back when it has been committed or rolled back. */
  async run<T>(database: Database, isolation: Isolation, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    const life = this.#life
    let settling: PromiseWithResolvers<void> | undefined
    // COMMIT and ROLLBACK happen in the real database, after the work: time waits for them.
    const settle = (): void => {
      settling = Promise.withResolvers()
      void this.#world.outside(() => settling!.promise)
    }
    try {
      const value = await inLife(undefined, () =>
        database.transaction(isolation, async (real) => {
          this.#real = real
          try {
            return await Promise.race([inLife(life, () => this.#work(work)), life.died])
          } finally {
            settle()
          }
        }),
      )
      if (this.#answerIsLost) throw answerLost()
      return value
    } finally {
      settling?.resolve()
      this.#turns.giveBack()
    }
  }

  async query<Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []): Promise<QueryResult<Row>> {
    return this.#inOrder(async () => {
      await this.#beforeStatement(sql, parameters)
      return this.#seen(await this.#world.outside(() => this.#real!.query<Row>(sql, parameters)))
    })
  }

  async queryLast<Row = Record<string, unknown>>(sql: string, parameters: readonly unknown[] = []): Promise<QueryResult<Row>> {
    return this.#inOrder(async () => {
      await this.#beforeStatement(sql, parameters)
      await this.#beforeCommit()
      const result = await this.#world.outside(() => this.#real!.queryLast<Row>(sql, parameters))
      this.#committedFromWithin = true
      this.#seen(result)
      if (this.#answerIsLost) throw answerLost()
      return result
    })
  }

  async script(sql: string): Promise<void> {
    return this.#inOrder(async () => {
      await this.#beforeStatement(sql, [])
      await this.#world.outside(() => this.#real!.script(sql))
    })
  }

  async #work<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    if (this.#world.fault('lostConnection', this.#at('database')) !== undefined) this.#fail(connectionLost())
    const value = await work(this)
    if (this.#committedFromWithin) return value
    if (this.#failed !== undefined) throw this.#failed
    await this.#beforeCommit()
    return value
  }

  #inOrder<T>(statement: () => Promise<T>): Promise<T> {
    const result = this.#last.then(statement)
    this.#last = result.catch(() => undefined)
    return result
  }

  async #beforeStatement(sql: string, parameters: readonly unknown[]): Promise<void> {
    const world = this.#world
    // Back behind what failed, a transaction goes on.
    if (this.#failed?.kind === 'serialization' && /^\s*rollback\s+to\b/i.test(sql)) this.#failed = undefined
    if (this.#failed?.kind === 'unavailable') throw this.#failed
    if (this.#failed !== undefined)
      throw new DatabaseError('statement', 'current transaction is aborted, commands ignored until end of transaction block', {
        sqlState: '25P02',
      })
    await world.pause(this.#at('statement'), 0, MAX_STATEMENT_MS)
    world.trace.detail(world.nowMs, this.#life.node, `${sql} ${shown(parameters)}`)
    this.#options.onStatement(sql, this.#life.service)
    const conflict = world.fault('conflict', this.#at('database'))
    if (conflict !== undefined) this.#fail(conflictOf(world.choices.sizeOf(conflict) < 0.5))
    if (world.fault('lostConnection', this.#at('database')) !== undefined) this.#fail(connectionLost())
  }

  async #beforeCommit(): Promise<void> {
    const world = this.#world
    await world.pause(this.#at('before COMMIT'), 0, MAX_STATEMENT_MS)
    const lost = world.fault('unknownCommit', this.#at('database'))
    if (lost === undefined) return
    const isCarriedOut = world.choices.sizeOf(lost) < 0.5
    world.say(`the answer to COMMIT is lost: it was ${isCarriedOut ? '' : 'not '}carried out`, this.#life.node)
    if (!isCarriedOut) throw answerLost()
    this.#answerIsLost = true
  }

  /** What the database says belongs to what has happened. */
  #seen<Row>(result: QueryResult<Row>): QueryResult<Row> {
    this.#world.trace.detail(this.#world.nowMs, this.#life.node, `${result.affected} ${shown(result.rows)}`)
    return result
  }

  #fail(error: DatabaseError): never {
    this.#failed = error
    this.#world.say(`the database says: ${error.message}`, this.#life.node)
    throw error
  }

  #at(what: string): string {
    return `${this.#life.node}: ${what}`
  }
}

function conflictOf(isDeadlock: boolean): DatabaseError {
  return isDeadlock
    ? new DatabaseError('serialization', 'deadlock detected', { sqlState: '40P01' })
    : new DatabaseError('serialization', 'could not serialize access due to concurrent update', { sqlState: '40001' })
}

function connectionLost(): DatabaseError {
  return new DatabaseError('unavailable', 'the connection to the simulated database was lost')
}

function answerLost(): DatabaseError {
  return new DatabaseError(
    'outcome-unknown',
    'The connection to the simulated database was lost after COMMIT was sent: the transaction may or may not have been committed',
  )
}
