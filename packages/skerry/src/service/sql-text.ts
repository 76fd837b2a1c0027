/** Reads a script as PostgreSQL does, as far as it takes to tell its statements, what is quoted, and what is a comment. */

export interface SqlText {
  /** Without comments; text and the bodies of functions are empty, names are kept as they are written. */
  readonly statements: readonly string[]
  readonly comments: readonly string[]
}

export function readSql(sql: string): SqlText {
  const statements: string[] = []
  const comments: string[] = []
  let statement = ''
  let at = 0
  while (at < sql.length) {
    const rest = sql.slice(at, at + LONGEST_START)
    const comment = commentAt(sql, at)
    if (comment !== undefined) {
      comments.push(sql.slice(at, comment))
      // It separates words.
      statement += ' '
      at = comment
    } else if (sql[at] === "'") {
      // After E, a backslash takes the meaning of the quote that follows.
      const end = quotedEnd(sql, at, "'", /(?:^|[^\w$])[eE]$/.test(statement))
      statement += "''"
      at = end
    } else if (sql[at] === '"') {
      const end = quotedEnd(sql, at, '"', false)
      statement += sql.slice(at, end)
      at = end
    } else if (DOLLAR.test(rest) && !/[\w$]$/.test(statement)) {
      const tag = DOLLAR.exec(rest)![0]
      const end = sql.indexOf(tag, at + tag.length)
      statement += "''"
      at = end === -1 ? sql.length : end + tag.length
    } else if (sql[at] === ';') {
      statements.push(statement)
      statement = ''
      at++
    } else statement += sql[at++]
  }
  return { statements: [...statements, statement].map((text) => text.trim()).filter((text) => text !== ''), comments }
}

const LONGEST_START = 70
const DOLLAR = /^\$(?:[A-Za-z_]\w{0,62})?\$/

/** Where the comment that begins there ends; undefined when none does. */
function commentAt(sql: string, at: number): number | undefined {
  if (sql.startsWith('--', at)) {
    const end = sql.indexOf('\n', at)
    return end === -1 ? sql.length : end
  }
  if (!sql.startsWith('/*', at)) return undefined
  let depth = 0
  for (let index = at; index < sql.length; index++) {
    if (sql.startsWith('/*', index)) {
      depth++
      index++
    } else if (sql.startsWith('*/', index)) {
      index++
      if (--depth === 0) return index + 1
    }
  }
  return sql.length
}

function quotedEnd(sql: string, at: number, quote: string, escapes: boolean): number {
  for (let index = at + 1; index < sql.length; index++) {
    if (escapes && sql[index] === '\\') index++
    else if (sql[index] === quote) {
      if (sql[index + 1] !== quote) return index + 1
      index++
    }
  }
  return sql.length
}
