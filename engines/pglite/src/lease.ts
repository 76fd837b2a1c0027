/** The session, while one query or transaction has its turn on it. */
import type { EngineConnection, EngineResult, StatementNames, UserTypes } from 'skerry/engine'
import { DatabaseError } from 'skerry/engine'
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

  constructor(options: LeaseOptions) {
    this.#options = options
  }

  get lost(): boolean {
    return this.#takenBack !== undefined || this.#options.session.dead
  }

  get inTransaction(): boolean {
    return this.#options.session.inTransaction
  }

  async query<Row>(sql: string, parameters: readonly unknown[]): Promise<EngineResult<Row>> {
    this.#check()
    const { rows, columns, tag } = await this.#options.session.statement(sql, parameters, this.#options.names)
    return { rows: rows as Row[], affected: affectedRows(tag), unread: this.#options.userTypes.unknownAmong(columns) }
  }

  async script(sql: string): Promise<string> {
    this.#check()
    return (await this.#options.session.script(sql)).tag
  }

  cork(): void {
    this.#options.session.cork()
  }

  uncork(): void {
    this.#options.session.uncork()
  }

  /** The next turn begins as soon as this is on its way: the session answers in order, so nothing of the next comes before it. */
  async finish(sql: 'commit' | 'rollback', reset: boolean): Promise<string> {
    const finished = this.script(sql)
    if (reset) this.script(this.#options.resetSession).catch(() => undefined)
    this.release()
    return finished
  }

  release(): void {
    if (this.#takenBack === undefined) this.#options.giveBack()
  }

  #check(): void {
    if (this.#takenBack !== undefined) throw this.#takenBack
  }
}

/** The count at the end of a command tag: `INSERT 0 3`, `UPDATE 3`; none after `CREATE TABLE`. */
function affectedRows(tag: string): number {
  const count = Number(tag.slice(tag.lastIndexOf(' ') + 1))
  return Number.isNaN(count) ? 0 : count
}
