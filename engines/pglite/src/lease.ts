/** The session, while one query or transaction has its turn on it. */
import type { DatabaseError, EngineConnection, EngineResult, StatementNames, UserTypes } from 'skerry/engine'
import type { Answer } from './protocol-reader.ts'
import type { Session } from './session.ts'

export interface LeaseOptions {
  readonly session: Session
  readonly userTypes: UserTypes
  readonly names: StatementNames
  /** Undoes what a script may have set for the session. */
  readonly resetSession: string
  /** Ends the turn. Called once. */
  readonly giveBack: () => void
}

export class Lease implements EngineConnection {
  readonly #options: LeaseOptions
  #takenBack: DatabaseError | undefined
  #sent = 0
  #answered = 0

  constructor(options: LeaseOptions) {
    this.#options = options
  }

  get failure(): DatabaseError | undefined {
    return this.#takenBack ?? this.#options.session.failure
  }

  get inTransaction(): boolean {
    return this.#options.session.inTransaction
  }

  /** Undefined while a statement runs; else a number that changes with every statement. */
  get idles(): number | undefined {
    return this.#sent === this.#answered ? this.#sent : undefined
  }

  async begin(sql: string): Promise<void> {
    await this.#send(() => this.#options.session.control(sql))
  }

  async query<Row>(sql: string, parameters: readonly unknown[]): Promise<EngineResult<Row>> {
    const { rows, columns, tag } = await this.#send(() => this.#options.session.statement(sql, parameters, this.#options.names))
    return { rows: rows as Row[], affected: affectedRows(tag), unread: this.#options.userTypes.unknownAmong(columns) }
  }

  async script(sql: string): Promise<void> {
    await this.#send(() => this.#options.session.script(sql))
  }

  cork(): void {
    this.#options.session.cork()
  }

  uncork(): void {
    this.#options.session.uncork()
  }

  /**
   * The next turn begins as soon as this is on its way: the session answers in order, so nothing of the next comes before it. Not sooner, for
   * what is sent in one piece is answered in one, and the next may take long.
   */
  async finish(sql: 'commit' | 'rollback', reset: boolean): Promise<string> {
    const finished = this.#send(() => this.#options.session.control(sql, { endsTurn: true }))
    if (reset) this.#options.session.control(this.#options.resetSession).catch(() => undefined)
    process.nextTick(() => this.release())
    return (await finished).tag
  }

  release(): void {
    if (this.#takenBack === undefined) this.#options.giveBack()
  }

  /** Rolls back a transaction that has done nothing for too long, and ends its turn. */
  takeBack(reason: DatabaseError): void {
    this.#options.session.control('rollback').catch(() => undefined)
    this.#options.session.control(this.#options.resetSession).catch(() => undefined)
    this.release()
    this.#takenBack = reason
  }

  async #send(request: () => Promise<Answer>): Promise<Answer> {
    if (this.#takenBack !== undefined) throw this.#takenBack
    this.#sent++
    try {
      return await request()
    } finally {
      this.#answered++
    }
  }
}

/** The count at the end of a command tag: `INSERT 0 3`, `UPDATE 3`; none after `CREATE TABLE`. */
function affectedRows(tag: string): number {
  const count = Number(tag.slice(tag.lastIndexOf(' ') + 1))
  return Number.isNaN(count) ? 0 : count
}
