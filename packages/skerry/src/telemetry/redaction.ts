/**
 * What must not be read in logs and traces: the fields that contracts mark, by their names, and the values that such fields had in the work that
 * is being done, wherever they turn up: in a message, in an error, in a field of another name.
 */
import { pino } from 'pino'

export const REDACTED = '[redacted]'
/** In the place of what cannot be read: a getter that throws, a number that JSON does not know. */
const UNREADABLE = '[unreadable]'

/** Shorter texts turn up everywhere by chance; of those only the marked fields themselves are kept back. */
const MIN_LENGTH = 4
/** Of one trace in one process. Of more it is not known any longer where they turn up, and no text is shown at all. */
const MAX_VALUES = 2_000
const MAX_DEPTH = 8
/** Of everything that one line shows. */
const MAX_MEMBERS = 5_000

/** The marked values that a piece of work has come across. */
export class SensitiveValues {
  readonly #values = new Set<string>()
  /** What contains another comes first, else what is left of it would be shown. */
  #longestFirst: readonly string[] | undefined
  #areTooMany = false

  add(text: string): void {
    if (text.length < MIN_LENGTH || this.#values.has(text)) return
    this.#longestFirst = undefined
    if (this.#values.size >= MAX_VALUES) this.#areTooMany = true
    // As others may write it: databases and addresses do.
    else for (const form of [text, text.toLowerCase(), encodeURIComponent(text.toWellFormed())]) this.#values.add(form)
  }

  redact(text: string): string {
    if (this.#areTooMany) return REDACTED
    this.#longestFirst ??= [...this.#values].toSorted((a, b) => b.length - a.length)
    let redacted = text
    for (const value of this.#longestFirst) if (redacted.includes(value)) redacted = redacted.replaceAll(value, REDACTED)
    return redacted
  }
}

/** A copy of what is to be logged, without what must not be read. Never throws. */
export function redacted(value: unknown, names: ReadonlySet<string>, values: SensitiveValues | undefined): unknown {
  return names.size === 0 && values === undefined ? value : new Copy(names, values).of(value, 0)
}

class Copy {
  readonly #names: ReadonlySet<string>
  readonly #values: SensitiveValues | undefined
  #membersLeft = MAX_MEMBERS

  constructor(names: ReadonlySet<string>, values: SensitiveValues | undefined) {
    this.#names = names
    this.#values = values
  }

  of(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return this.#text(value)
    if (typeof value === 'bigint') return this.#text(String(value))
    if (typeof value !== 'object' || value === null) return value
    if (depth > MAX_DEPTH || this.#membersLeft <= 0) return REDACTED
    try {
      return this.#ofObject(value, depth)
    } catch {
      return UNREADABLE
    }
  }

  #text(text: string): string {
    return this.#values?.redact(text) ?? text
  }

  #ofObject(value: object, depth: number): unknown {
    if (value instanceof Error) return this.of({ ...pino.stdSerializers.errWithCause(value) }, depth)
    if (Array.isArray(value)) {
      const members = value.slice(0, this.#membersLeft)
      this.#membersLeft -= members.length
      return members.map((member) => this.of(member, depth + 1))
    }
    if (typeof (value as { toJSON?: unknown }).toJSON === 'function') {
      const json = JSON.stringify(value) as string | undefined
      return json === undefined ? undefined : this.of(JSON.parse(json), depth + 1)
    }
    const copied: Record<string, unknown> = {}
    for (const name of Object.keys(value)) {
      if (this.#membersLeft-- <= 0) break
      copied[this.#text(name)] = this.#names.has(name) ? REDACTED : this.#member(value, name, depth)
    }
    return copied
  }

  #member(value: object, name: string, depth: number): unknown {
    try {
      return this.of((value as Record<string, unknown>)[name], depth + 1)
    } catch {
      return UNREADABLE
    }
  }
}
