/** Reads lines of the log: a page before or behind any of them. */
import type { DatabaseSync } from 'node:sqlite'
import type { Level, LogLine } from './log-line.ts'
import { levelOf, LEVELS } from './log-line.ts'

export interface LineFilter {
  /** This level and those above it. */
  readonly level?: Level | undefined
  readonly service?: string | undefined
  readonly traceId?: string | undefined
  /** Occurs in its message or its fields, in whatever case. */
  readonly text?: string | undefined
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
}

/** Which lines of those that match: the last ones before one, or the first ones behind one, by its id. */
export type LinePlace = { readonly before: number } | { readonly after: number }

export interface StoredLine extends LogLine {
  readonly id: number
}

/** In the order in which they were written, whichever the place. */
export function findLines(database: DatabaseSync, filter: LineFilter, place: LinePlace, limit: number): readonly StoredLine[] {
  const { level, service, traceId, text, sinceMs, untilMs } = filter
  const parts: [sql: string, ...values: (string | number)[]][] = []
  if (level !== undefined) parts.push(['level >= ?', LEVELS[level]])
  if (service !== undefined) parts.push(['service = ?', service])
  if (traceId !== undefined) parts.push(['trace = ?', traceId])
  if (sinceMs !== undefined) parts.push(['at_ms >= ?', sinceMs])
  if (untilMs !== undefined) parts.push(['at_ms <= ?', untilMs])
  if (text !== undefined) {
    const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
    parts.push([String.raw`(message like ? escape '\' or fields like ? escape '\')`, pattern, pattern])
  }
  const isBefore = 'before' in place
  const where = [isBefore ? 'id < ?' : 'id > ?', ...parts.map(([sql]) => sql)].join(' and ')
  const rows = database
    .prepare(`select * from line where ${where} order by id ${isBefore ? 'desc' : 'asc'} limit ?`)
    .all(isBefore ? place.before : place.after, ...parts.flatMap(([, ...values]) => values), limit)
    .map(lineOf)
  return isBefore ? rows.toReversed() : rows
}

function lineOf(row: Record<string, unknown>): StoredLine {
  const text = (name: string): string | undefined => {
    const value = row[name]
    return typeof value === 'string' ? value : undefined
  }
  return {
    id: Number(row['id']),
    atMs: Number(row['at_ms']),
    level: levelOf(Number(row['level'])),
    service: text('service'),
    traceId: text('trace'),
    spanId: text('span'),
    message: String(row['message']),
    fields: String(row['fields']),
  }
}
