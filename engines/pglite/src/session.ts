/**
 * The one session that PGlite has, from opening to its end: writes requests, matches answers to them, and remembers
 * which statements are prepared. How many requests share an exchange is the caller's choice: see `cork`.
 */
import type { PreparedStatement, StatementNames, UserTypes } from 'skerry/engine'
import { DatabaseError, encodeParameters, kindOfSqlState, PreparedStatements } from 'skerry/engine'
import type { Instance } from './instance.ts'
import type { Answer, ServerError } from './protocol-reader.ts'
import { ProtocolReader } from './protocol-reader.ts'
import { ProtocolWriter } from './protocol-writer.ts'

interface Request {
  readonly sql: string
  /** Where the statement's name comes from, if it may have one. */
  readonly names?: StatementNames | undefined
  readonly prepares?: PreparedStatement
  /** A script: may take as long as it takes. */
  readonly patient?: boolean
  readonly endsTurn?: boolean
}

interface Pending extends Request {
  resolve(answer: Answer): void
  reject(error: DatabaseError): void
}

const UNPREPARED = { statement: undefined, close: undefined }
/** Ends PGlite for good: it waits for the rows, and nothing is there to send them. */
const COPY_FROM_STDIN = /(?:^|;)\s*copy\b[^;]*\bfrom\s+stdin\b/i

export class Session {
  /** As of the last answer. */
  inTransaction = false
  readonly #instance: Instance
  readonly #description: string
  readonly #userTypes: UserTypes
  readonly #writer = new ProtocolWriter()
  readonly #prepared = new PreparedStatements()
  #corks = 0
  #unsent: Pending[] = []
  readonly #exchanges: (readonly Pending[])[] = []
  #answeredExchanges = 0
  #failure: DatabaseError | undefined

  constructor(instance: Instance, description: string, userTypes: UserTypes) {
    this.#instance = instance
    this.#description = description
    this.#userTypes = userTypes
  }

  /** Why it has died, once it has. */
  get failure(): DatabaseError | undefined {
    return this.#failure
  }

  /** Undefined when no answer is due; else a number that changes with every answer. Scripts are given all the time they need. */
  get waitsForAnswer(): number | undefined {
    const first = this.#exchanges[0]
    return first === undefined || first.some((request) => request.patient) ? undefined : this.#answeredExchanges
  }

  /** With `names`, statements that are used often are prepared. */
  async statement(sql: string, parameters: readonly unknown[], names?: StatementNames): Promise<Answer> {
    if (COPY_FROM_STDIN.test(sql)) throw copyRefusal()
    const values = encodeParameters(parameters)
    const name = names?.nameOf(sql)
    const { statement, close } = name === undefined ? UNPREPARED : this.#prepared.use(name)
    // Not by a name whose preparation is under way: if that fails, this would fail with a message of no use.
    if (statement === undefined || statement.state === 'preparing') {
      this.#writer.statement('', sql, values, close)
      return this.#request({ sql, names })
    }
    if (statement.state === 'prepared') {
      this.#writer.statement(statement.name, undefined, values, close)
      return this.#request({ sql, names })
    }
    statement.state = 'preparing'
    this.#writer.statement(statement.name, sql, values, close)
    return this.#request({ sql, names, prepares: statement })
  }

  /** One or more statements of the engine's own, without parameters. */
  async control(sql: string, options?: { readonly endsTurn: boolean }): Promise<Answer> {
    this.#writer.script(sql)
    return this.#request({ sql, ...options })
  }

  async script(sql: string): Promise<Answer> {
    if (COPY_FROM_STDIN.test(sql)) throw copyRefusal()
    this.#writer.script(sql)
    return this.#request({ sql, patient: true })
  }

  /** Until `uncork` has been called as often, requests are gathered, to be sent as one exchange. */
  cork(): void {
    this.#corks++
  }

  uncork(): void {
    if (--this.#corks === 0) this.#send()
  }

  close(): Promise<void> {
    return this.#instance.close()
  }

  /** Gives up on a database that has stopped working: everything not yet answered rejects. */
  die(reason: string, cause?: unknown): void {
    if (this.#failure !== undefined) return
    this.#failure = new DatabaseError('unavailable', `${this.#description} has died: ${reason}`, { cause })
    this.#instance.abandon()
    for (const exchange of this.#exchanges.splice(0)) for (const request of exchange) request.reject(this.#failure)
  }

  #request(request: Request): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#unsent.push({ ...request, resolve, reject })
      if (this.#corks === 0) this.#send()
    })
  }

  #send(): void {
    if (this.#unsent.length === 0) return
    const exchange = this.#unsent
    this.#unsent = []
    const requests = this.#writer.take()
    if (this.#failure !== undefined) {
      for (const request of exchange) request.reject(this.#failure)
      return
    }
    this.#exchanges.push(exchange)
    const endsTurn = exchange.some((request) => request.endsTurn === true)
    this.#instance.exchange(requests, endsTurn).then(
      (answers) => this.#settle(answers),
      (error: unknown) => this.die(error instanceof Error ? error.message : String(error), error),
    )
  }

  #settle(answers: Uint8Array): void {
    const exchange = this.#exchanges[0]
    if (exchange === undefined) return
    const reader = new ProtocolReader(answers, (typeId) => this.#userTypes.parserOf(typeId))
    for (const request of exchange) {
      const answer = reader.next()
      // A trap inside PGlite, such as a stack overflow, shows only in that it falls silent.
      if (answer === undefined || !answer.complete) return this.die('it stopped answering')
      this.inTransaction = answer.inTransaction
      if (request.prepares !== undefined) request.prepares.state = answer.parsed ? 'prepared' : 'new'
      if (answer.error === undefined) request.resolve(answer)
      else request.reject(statementFailure(request, answer.error))
    }
    this.#exchanges.shift()
    this.#answeredExchanges++
  }
}

function statementFailure(request: Request, error: ServerError): DatabaseError {
  const { message, sqlState, constraint, position } = error
  // A migration changed what a prepared statement returns: under a new name it succeeds.
  const stale = sqlState === '0A000' && error.routine === 'RevalidateCachedQuery'
  if (stale) request.names?.forget(request.sql)
  return new DatabaseError(stale ? 'serialization' : kindOfSqlState(sqlState), message, { sqlState, constraint, position, cause: error })
}

function copyRefusal(): DatabaseError {
  return new DatabaseError(
    'statement',
    'COPY FROM STDIN needs a connection of its own, which the embedded database does not have: use INSERT',
    { sqlState: '0A000' },
  )
}
