/**
 * What must not be read in logs and traces: the fields that contracts mark, by their names, and the values that such fields had in the work that
 * is being done, wherever they turn up: in a message, in an error, in a field of another name.
 */
import { pino } from 'pino'

export const REDACTED = '[redacted]'

/** Shorter texts turn up everywhere by chance; of those only the marked fields themselves are kept back. */
const MIN_LENGTH = 4
/** Of one trace in one process. */
const MAX_VALUES = 200
const MAX_DEPTH = 8
const MAX_MEMBERS = 1_000

/** The marked values that a piece of work has come across. */
export class SensitiveValues {
  readonly #values = new Set<string>()

  add(text: string): void {
    if (text.length >= MIN_LENGTH && this.#values.size < MAX_VALUES) this.#values.add(text)
  }

  redact(text: string): string {
    let redacted = text
    for (const value of this.#values) if (redacted.includes(value)) redacted = redacted.replaceAll(value, REDACTED)
    return redacted
  }
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
