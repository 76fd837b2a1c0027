/**
 * What must not be read in logs and traces: the fields that contracts mark, by their names, and the values that such fields had in the work that
 * is being done, wherever they turn up: in a message, in an error, in a field of another name.
 */
import { pino } from 'pino'

export const REDACTED = '[redacted]'

/** Shorter texts turn up everywhere by chance; of those only the marked fields themselves are kept back. */
const MIN_LENGTH = 4
/** Of one trace in one process. Of more it is not known any longer where they turn up, and no text is shown at all. */
const MAX_VALUES = 2_000
const MAX_DEPTH = 8
const MAX_MEMBERS = 1_000

/** The marked values that a piece of work has come across. */
export class SensitiveValues {
  readonly #values = new Set<string>()
  #areTooMany = false

  add(text: string): void {
    if (text.length < MIN_LENGTH || this.#values.has(text)) return
    if (this.#values.size >= MAX_VALUES) this.#areTooMany = true
    // As others may write it: databases and addresses do.
    else for (const form of [text, text.toLowerCase(), encodedIn(text)]) this.#values.add(form)
  }

  redact(text: string): string {
    if (this.#areTooMany) return REDACTED
    let redacted = text
    for (const value of this.#values) if (redacted.includes(value)) redacted = redacted.replaceAll(value, REDACTED)
    return redacted
  }
}

/** As part of a URL. */
function encodedIn(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

/** A copy of what is to be logged, without what must not be read. */
export function redacted(value: unknown, names: ReadonlySet<string>, values: SensitiveValues | undefined): unknown {
  return names.size === 0 && values === undefined ? value : copy(value, names, values, 0)
}

function copy(value: unknown, names: ReadonlySet<string>, values: SensitiveValues | undefined, depth: number): unknown {
  if (typeof value === 'string') return values?.redact(value) ?? value
  if (typeof value !== 'object' || value === null) return value
  if (depth > MAX_DEPTH) return REDACTED
  if (value instanceof Error) return copy({ ...pino.stdSerializers.errWithCause(value) }, names, values, depth)
  if (Array.isArray(value)) return value.slice(0, MAX_MEMBERS).map((member) => copy(member, names, values, depth + 1))
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return copy(JSON.parse(JSON.stringify(value)), names, values, depth + 1)
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, names.has(name) ? REDACTED : copy(member, names, values, depth + 1)]),
  )
}
