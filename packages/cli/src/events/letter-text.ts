/** Dead letters for people. What they hold comes from anywhere, so nothing of it may steer a terminal. */
import type { Call } from '../admin/access.ts'
import { cut, indented, oneLine, printable } from '../admin/text.ts'

type Whole = Awaited<ReturnType<Call['showDeadLetter']>>
type Letter = Omit<Whole, 'stack' | 'body'>

/** Two lines: what it is, and why it is dead. */
export function letterLines(letter: Letter): string {
  const { id, service, type, key, sequence, cause, attempts, diedAt, error, errorHash } = letter
  const number = sequence === null ? '' : ` #${sequence}`
  const tries = cause === 'exhausted' ? ` after ${attempts} attempts` : ''
  return `${id}  ${service}  ${oneLine(type)}  key ${oneLine(key)}${number}  ${cause}${tries}  ${diedAt}\n    ${errorHash}  ${cut(oneLine(error))}`
}

export function shownLetter(letter: Whole): string {
  const rows: [string, string | number | null][] = [
    ['id', letter.id],
    ['service', letter.service],
    ['type', letter.type],
    ['key', letter.key],
    ['number', letter.sequence],
    ['message', letter.messageId],
    ['source', letter.source],
    ['topic', letter.topic],
    ['cause', letter.cause],
    ['attempts', letter.attempts],
    ['died', letter.diedAt],
    ['trace', letter.traceId],
    ['error hash', letter.errorHash],
    ['error', letter.error],
  ]
  const lines = rows.filter(([, value]) => value !== null).map(([label, value]) => `${label.padEnd(12)}${oneLine(String(value))}`)
  return [...lines, ...(letter.stack === null ? [] : ['', printable(letter.stack)]), '', printable(readable(letter.body))].join('\n')
}

function readable(body: string): string {
  try {
    return indented(JSON.parse(body))
  } catch {
    return body
  }
}
