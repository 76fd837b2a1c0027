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

/** What one connection has prepared, least recently used first, bounded. */
export class PreparedStatements {
  readonly #names = new Set<string>()

  /** Notes the use of a name; returns the name that must be closed to make room, if any. */
  use(name: string): string | undefined {
    this.#names.delete(name)
    this.#names.add(name)
    if (this.#names.size <= MAX_PREPARED_STATEMENTS) return undefined
    const oldest = this.#names.values().next().value!
    this.#names.delete(oldest)
    return oldest
  }
}
