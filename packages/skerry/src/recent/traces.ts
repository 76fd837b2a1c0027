/** Reads traces: those that match, and one of them whole. */
import type { DatabaseSync } from 'node:sqlite'
import type { Part, TracedWork } from '../telemetry/part.ts'
import type { Attributes, SpanEvent, SpanKind } from '../telemetry/span.ts'

/** A trace is found when one of its spans matches all of this. */
export interface TraceFilter {
  readonly service?: string | undefined
  /** The name of the span, the operation, or the type of the event. */
  readonly operation?: string | undefined
  /** `ok`: none of its spans failed, whichever matches. */
  readonly status?: 'ok' | 'failed' | undefined
  readonly minDurationMs?: number | undefined
  readonly attribute?: { readonly name: string; readonly value: string } | undefined
  /** Occurs in its name, its failure, or its attributes, in whatever case. */
  readonly text?: string | undefined
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
  /** Goes on behind an earlier page. */
  readonly before?: number | undefined
}

export interface TraceSummary {
  readonly traceId: string
  /** Of its first span. */
  readonly service: string
  readonly name: string
  readonly startMs: number
  /** How long its first span took. */
  readonly durationMs: number
  /** Until the last consequence of it had ended. */
  readonly wholeMs: number
  readonly spans: number
  readonly failures: number
  readonly services: readonly string[]
}

export interface StoredSpan {
  readonly id: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly service: string
  readonly name: string
  readonly kind: SpanKind
  readonly part: Part
  readonly startMs: number
  readonly durationMs: number
  readonly failure: string | undefined
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
}

/** Work with how long it took and how it ended. */
export interface MeasuredWork extends TracedWork {
  readonly startMs: number
  readonly durationMs: number
  readonly failed: boolean
}

const MAX_SPANS_OF_TRACE = 5_000

/** The latest first. `next`: where the page behind it begins. */
export function findTraces(
  database: DatabaseSync,
  filter: TraceFilter,
  limit: number,
): { readonly traces: readonly TraceSummary[]; readonly next: number | undefined } {
  const { sql, values } = conditions(filter)
  // Read once for all traces: asking each of them whether it failed would hold up the process where nearly all did.
  const unfailed = filter.status === 'ok' ? 'trace not in (select trace from span where failure is not null)' : 'true'
  const matching = database.prepare(`select id, trace from span where id < ? and ${sql} and ${unfailed} order by id desc`)
  const matchingLater = database.prepare(`select 1 from span where trace = ? and id >= ? and ${sql} limit 1`)
  const { before = Number.MAX_SAFE_INTEGER } = filter
  const seen = new Set<string>()
  const traces: TraceSummary[] = []
  for (const row of matching.iterate(before, ...values)) {
    const { id, trace } = row as { id: number; trace: string }
    if (seen.has(trace)) continue
    seen.add(trace)
    // It is on an earlier page.
    if (filter.before !== undefined && matchingLater.get(trace, before, ...values) !== undefined) continue
    traces.push(summaryOf(database, trace))
    if (traces.length === limit) return { traces, next: id }
  }
  return { traces, next: undefined }
}

/** The ids of traces that begin with these digits, two at most. */
export function traceIdsFrom(database: DatabaseSync, start: string): readonly string[] {
  const rows = database.prepare('select distinct trace from span where trace >= ? and trace < ? limit 2').all(start, `${start}g`)
  return rows.map(({ trace }) => String(trace))
}

/** Its spans in the order in which they began, the first 5,000. */
export function readTrace(database: DatabaseSync, traceId: string): readonly StoredSpan[] {
  // Of those that began at the same moment the longer one is above the other; it ended, and was written, later.
  const rows = database
    .prepare('select * from span where trace = ? order by start_ms, duration_ms desc, id desc limit ?')
    .all(traceId, MAX_SPANS_OF_TRACE)
  return rows.map(spanOf)
}

/** Those written after the one of that id, oldest first; of one service or of all. */
export function readSpansAfter(database: DatabaseSync, id: number, limit: number, service?: string): readonly StoredSpan[] {
  return database
    .prepare('select * from span where id > ?1 and (?2 is null or service = ?2) order by id limit ?3')
    .all(id, service ?? null, limit)
    .map(spanOf)
}

/** What the latest spans say of who works for whom, at most so many of them. */
export function readWork(database: DatabaseSync, sinceMs: number, limit: number): readonly MeasuredWork[] {
  return database
    .prepare(
      `select trace, span, parent, service, part, target, start_ms, duration_ms, failure is not null as failed from span
       where id > (select coalesce(max(id), 0) - ? from span) and start_ms >= ?`,
    )
    .all(limit, sinceMs)
    .map((row) => ({
      traceId: String(row['trace']),
      spanId: String(row['span']),
      parentSpanId: textOf(row['parent']),
      service: String(row['service']),
      part: row['part'] as Part,
      target: String(row['target']),
      startMs: Number(row['start_ms']),
      durationMs: Number(row['duration_ms']),
      failed: row['failed'] === 1,
    }))
}

function conditions({ service, operation, status, minDurationMs, attribute, text, sinceMs, untilMs }: TraceFilter) {
  const parts: [sql: string, ...values: (string | number)[]][] = []
  if (service !== undefined) parts.push(['service = ?', service])
  if (operation !== undefined) parts.push(['(name = ? or target = ?)', operation, operation])
  if (status === 'failed') parts.push(['failure is not null'])
  if (minDurationMs !== undefined) parts.push(['duration_ms >= ?', minDurationMs])
  if (sinceMs !== undefined) parts.push(['start_ms >= ?', sinceMs])
  if (untilMs !== undefined) parts.push(['start_ms <= ?', untilMs])
  if (attribute !== undefined) {
    // As JSON writes it: text in quotes, numbers and booleans bare.
    const path = `$."${attribute.name.replaceAll('"', '')}"`
    parts.push([`attributes -> ? in (?, ?)`, path, attribute.value, JSON.stringify(attribute.value)])
  }
  if (text !== undefined) {
    const pattern = `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
    parts.push([
      String.raw`(name like ? escape '\' or failure like ? escape '\' or attributes like ? escape '\')`,
      pattern,
      pattern,
      pattern,
    ])
  }
  return { sql: ['true', ...parts.map(([sql]) => sql)].join(' and '), values: parts.flatMap(([, ...values]) => values) }
}

function summaryOf(database: DatabaseSync, traceId: string): TraceSummary {
  const all = database
    .prepare(
      `select count(*) as spans, count(failure) as failures, min(start_ms) as start_ms, max(start_ms + duration_ms) as end_ms,
       json_group_array(distinct service) as services from span where trace = ?`,
    )
    .get(traceId)!
  const first = database
    .prepare(
      'select service, name, duration_ms from span where trace = ? order by parent is null desc, start_ms, duration_ms desc, id desc limit 1',
    )
    .get(traceId)!
  const startMs = Number(all['start_ms'])
  return {
    traceId,
    service: String(first['service']),
    name: String(first['name']),
    startMs,
    durationMs: Number(first['duration_ms']),
    wholeMs: Number(all['end_ms']) - startMs,
    spans: Number(all['spans']),
    failures: Number(all['failures']),
    services: JSON.parse(String(all['services'])) as string[],
  }
}

function spanOf(row: Record<string, unknown>): StoredSpan {
  const { events } = row
  return {
    id: Number(row['id']),
    traceId: String(row['trace']),
    spanId: String(row['span']),
    parentSpanId: textOf(row['parent']),
    service: String(row['service']),
    name: String(row['name']),
    kind: row['kind'] as SpanKind,
    part: row['part'] as Part,
    startMs: Number(row['start_ms']),
    durationMs: Number(row['duration_ms']),
    failure: textOf(row['failure']),
    attributes: JSON.parse(String(row['attributes'])) as Attributes,
    events: typeof events === 'string' ? (JSON.parse(events) as SpanEvent[]) : [],
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
