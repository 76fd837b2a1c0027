/**
 * The one session that PGlite has, from opening to its end: writes requests, matches answers to them, and remembers
 * which statements are prepared. What several requests share an exchange is the caller's choice: see `cork`.
 */
import type { StatementNames, UserTypes } from 'skerry/engine'
import { DatabaseError, encodeParameters, kindOfSqlState, PreparedStatements } from 'skerry/engine'
import type { Instance } from './instance.ts'
import type { Answer } from './protocol-reader.ts'
import { ProtocolReader } from './protocol-reader.ts'
import { ProtocolWriter } from './protocol-writer.ts'

interface Pending {
  readonly sql: string
  /** The name under which the request prepares its statement. */
  readonly prepares: string | undefined
  readonly names: StatementNames | undefined
  resolve(answer: Answer): void
  reject(error: DatabaseError): void
}

export class Session {
  readonly #instance: Instance
  readonly #description: string
  readonly #userTypes: UserTypes
  readonly #writer = new ProtocolWriter()
  readonly #recentlyUsed = new PreparedStatements()
  readonly #prepared = new Set<string>()
  readonly #preparing = new Set<string>()
  #corked = false
  #unsent: Pending[] = []
  #diedOf: Error | undefined
  inTransaction = false

  constructor(instance: Instance, description: string, userTypes: UserTypes) {
    this.#instance = instance
    this.#description = description
    this.#userTypes = userTypes
  }

  get dead(): boolean {
    return this.#diedOf !== undefined
  }

  /** `names` gives often used statements their names; without it nothing is prepared. */
  async statement(sql: string, parameters: readonly unknown[], names?: StatementNames): Promise<Answer> {
    const values = encodeParameters(parameters)
    const name = names?.nameOf(sql)
    // Not by a name whose preparation is under way: if that failed, this would fail with a message of no use.
    if (name === undefined || this.#preparing.has(name)) {
      this.#writer.statement('', sql, values, undefined)
      return this.#request({ sql, prepares: undefined, names })
    }
    const oldest = this.#recentlyUsed.use(name)
    if (oldest !== undefined) this.#prepared.delete(oldest)
    const isPrepared = this.#prepared.has(name)
    if (!isPrepared) this.#preparing.add(name)
    this.#writer.statement(name, isPrepared ? undefined : sql, values, oldest)
    return this.#request({ sql, prepares: isPrepared ? undefined : name, names })
  }

  async script(sql: string): Promise<Answer> {
    this.#writer.script(sql)
    return this.#request({ sql, prepares: undefined, names: undefined })
  }

  /** Until `uncork`, requests are gathered, to be sent as one exchange. */
  cork(): void {
    this.#corked = true
  }

  uncork(): void {
    this.#corked = false
    this.#send()
  }

  async close(): Promise<void> {
    await this.#instance.close()
  }

  #request(request: Omit<Pending, 'resolve' | 'reject'>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#unsent.push({ ...request, resolve, reject })
      if (!this.#corked) this.#send()
    })
  }

  #send(): void {
    if (this.#unsent.length === 0) return
    const pending = this.#unsent
    this.#unsent = []
    this.#instance.exchange(this.#writer.take()).then(
      (answers) => this.#settle(pending, answers),
      (error: Error) => this.#die(pending, error),
    )
  }

  #settle(pending: readonly Pending[], answers: Uint8Array): void {
    const reader = new ProtocolReader(answers, (typeId) => this.#userTypes.parserOf(typeId))
    for (const [index, request] of pending.entries()) {
      const answer = reader.next()
      if (answer === undefined) return this.#die(pending.slice(index), new Error('it stopped answering'))
      this.inTransaction = answer.inTransaction
      if (request.prepares !== undefined) {
        this.#preparing.delete(request.prepares)
        if (answer.parsed) this.#prepared.add(request.prepares)
      }
      if (answer.error === undefined) request.resolve(answer)
      else request.reject(this.#failure(request, answer.error))
    }
  }

  #failure(request: Pending, error: NonNullable<Answer['error']>): DatabaseError {
    const { message, sqlState, constraint, position } = error
    // A migration changed what a prepared statement returns: under a new name it succeeds.
    const stale = sqlState === '0A000' && error.routine === 'RevalidateCachedQuery'
    if (stale) request.names?.forget(request.sql)
    return new DatabaseError(stale ? 'serialization' : kindOfSqlState(sqlState), message, { sqlState, constraint, position, cause: error })
  }

  #die(pending: readonly Pending[], error: Error): void {
    this.#diedOf ??= error
    for (const request of pending)
      request.reject(new DatabaseError('unavailable', `${this.#description} has died: ${error.message}`, { cause: error }))
  }
}
