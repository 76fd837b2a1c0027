/**
 * JavaScript values on their way to PostgreSQL, the same for every engine: text in PostgreSQL's input syntax, bytes as
 * bytes. The server decides the type from the statement, so nothing here needs to know it.
 */
import { DatabaseError } from './database.ts'

/** Encodes the parameters of one statement. Throws a `DatabaseError` that names the parameter which is no SQL value. */
export function encodeParameters(parameters: readonly unknown[]): (string | Uint8Array | null)[] {
  return parameters.map((value, index) => {
    if (typeof value === 'string' || value === null) return value
    if (value instanceof Uint8Array) return value
    if (Array.isArray(value)) return arrayLiteral(value, index)
    return scalarText(value, index)
  })
}

function scalarText(value: unknown, index: number): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value)
  if (value instanceof Date) return timestampText(value, index)
  if (value === undefined) throw refusal(index, 'undefined', 'pass null for SQL NULL')
  throw refusal(index, typeof value === 'object' ? 'an object' : `a ${typeof value}`, 'pass JSON as a string, made with JSON.stringify')
}

function arrayLiteral(values: readonly unknown[], index: number): string {
  const elements = values.map((value) => {
    if (value === null) return 'NULL'
    if (Array.isArray(value)) return arrayLiteral(value, index)
    if (value instanceof Uint8Array) return `"\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}"`
    const text = scalarText(value, index)
    return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
      ? text
      : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
  })
  return `{${elements.join(',')}}`
}

/** UTC, in a form that PostgreSQL reads for every year: ISO 8601's signed six-digit years are not. */
function timestampText(date: Date, index: number): string {
  if (Number.isNaN(date.getTime())) throw refusal(index, 'an invalid Date', 'pass a valid one, or null')
  const iso = date.toISOString()
  const year = date.getUTCFullYear()
  if (year >= 1 && year <= 9999) return iso
  const rest = iso.slice(iso.indexOf('-', 1))
  return year > 9999 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`
}

function refusal(index: number, what: string, fix: string): DatabaseError {
  return new DatabaseError('statement', `Parameter $${index + 1} is ${what}, which is no SQL value: ${fix}`)
}
