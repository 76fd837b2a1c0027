/**
 * Statements that services may not send: those that end the platform's transaction behind its back, and those whose
 * effect outlives it on a connection which others will use. A guard against accidents, such as a migration written for psql.
 */
import { DatabaseError } from './database.ts'

const TRANSACTION_CONTROL = String.raw`begin(?!\s+atomic)|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+(?:(?:work|transaction)\s+)?to)`
const SESSION_CONTROL = String.raw`set(?!\s+(?:local|constraints|transaction))|reset|discard|listen`
const REFUSED_ALONE = new RegExp(`^(?:${TRANSACTION_CONTROL}|${SESSION_CONTROL})\\b`, 'i')
/** A script may change settings: the engine undoes them afterwards. */
const REFUSED_IN_SCRIPT = new RegExp(`^(?:${TRANSACTION_CONTROL})\\b`, 'i')

/** White space and comments, which may come before any statement. */
const BLANK = /(?:\s+|--[^\n]*|\/\*[^]*?\*\/)*/y
/** The next thing in which a semicolon does not end the statement (manual, section 4.1), or a semicolon that does. */
const OPAQUE_OR_END = /[eE]'(?:[^'\\]|''|\\[^])*'|'(?:[^']|'')*'|"[^"]*"|\$(\w*)\$[^]*?\$\1\$|--[^\n]*|\/\*[^]*?\*\/|;/g
/** Inside such a body semicolons and END mean something else; what the script does to its transaction is then seen afterwards. */
const SQL_BODY = /\bbegin\s+atomic\b/i

/** Throws a `DatabaseError` when the one statement is of those kinds. */
export function checkStatement(sql: string): void {
  checkReadable(sql)
  refuse(REFUSED_ALONE.exec(sql) ?? REFUSED_ALONE.exec(afterBlank(sql, 0)), 'a setting must be SET LOCAL inside one')
}

/** Throws a `DatabaseError` when a statement of the script ends or begins a transaction. */
export function checkScript(sql: string): void {
  checkReadable(sql)
  if (SQL_BODY.test(sql)) return
  refuse(REFUSED_IN_SCRIPT.exec(afterBlank(sql, 0)), SCRIPT_ADVICE)
  for (const match of sql.matchAll(OPAQUE_OR_END))
    if (match[0] === ';') refuse(REFUSED_IN_SCRIPT.exec(afterBlank(sql, match.index + 1)), SCRIPT_ADVICE)
}

const SCRIPT_ADVICE = 'take it out, the script runs in a transaction of its own'
/** As much of a statement as is looked at. */
const START_LENGTH = 50

function afterBlank(sql: string, at: number): string {
  BLANK.lastIndex = at
  BLANK.test(sql)
  return sql.slice(BLANK.lastIndex, BLANK.lastIndex + START_LENGTH)
}

function checkReadable(sql: string): void {
  if (sql.includes('\0')) throw new DatabaseError('statement', 'The statement holds a NUL character, which PostgreSQL cannot read')
}

function refuse(match: RegExpExecArray | null, advice: string): void {
  if (match === null) return
  throw new DatabaseError('statement', `"${match[0]}" is not for services: transactions begin and end with transaction(); ${advice}`)
}
