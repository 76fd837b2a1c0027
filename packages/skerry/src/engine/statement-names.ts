/**
 * Names for prepared statements, so that a statement that is run again is not parsed and planned again. A text earns a
 * name when it is seen for the second time: statements built for one occasion stay unnamed and take no server memory.
 */
const MAX_REMEMBERED_TEXTS = 1_000
/** What a connection may keep prepared at once: a plan takes some 10 to 50 kB of the server's memory. */
export const MAX_PREPARED_STATEMENTS = 250

export class StatementNames {
  readonly #prefix: string
  /** By text, least recently used first. An empty name: seen once. */
  readonly #names = new Map<string, string>()
  #count = 0

  /** `prefix` keeps apart the names of services that share a connection: the same text means something else under another search path. */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  nameOf(text: string): string | undefined {
    const known = this.#names.get(text)
    if (known !== undefined) this.#names.delete(text)
    else if (this.#names.size >= MAX_REMEMBERED_TEXTS) this.#names.delete(this.#names.keys().next().value!)
    const name = known === undefined ? '' : known === '' ? `${this.#prefix}${++this.#count}` : known
    this.#names.set(text, name)
    return name === '' ? undefined : name
  }

  /** The plan under this text's name is no longer valid (a migration changed what it returns): its next use gets another name. */
  forget(text: string): void {
    this.#names.delete(text)
  }
}

/** A statement as one connection has it. */
export interface PreparedStatement {
  /** Never given again on this connection, so what is still on its way about it can do no harm. */
  readonly name: string
  /** For the engine to keep. */
  state: 'new' | 'preparing' | 'prepared'
}

/** What one connection has prepared, bounded. */
export class PreparedStatements {
  /** Least recently used first. */
  readonly #statements = new Map<string, PreparedStatement>()
  #count = 0

  /** The statement of a name given by `StatementNames`, and the one that must be closed to make room for it, if any. */
  use(name: string): { statement: PreparedStatement; close: string | undefined } {
    const statement = this.#statements.get(name) ?? { name: `${name}.${++this.#count}`, state: 'new' }
    this.#statements.delete(name)
    this.#statements.set(name, statement)
    if (this.#statements.size <= MAX_PREPARED_STATEMENTS) return { statement, close: undefined }
    const [oldest, { name: close }] = this.#statements.entries().next().value!
    this.#statements.delete(oldest)
    return { statement, close }
  }
}
