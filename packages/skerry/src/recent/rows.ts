/** How spans, lines and samples are written as rows; what is too large to keep is cut. */
import type { MetricSnapshot } from '../telemetry/metrics.ts'
import { partOf } from '../telemetry/part.ts'
import type { SpanRecord } from '../telemetry/span.ts'
import type { LogLine } from './log-line.ts'
import { LEVELS } from './log-line.ts'
import type { LogTable } from './tables.ts'

type Value = string | number | null

export interface Row {
  readonly bytes: number
  readonly values: readonly Value[]
}

const COLUMNS: Readonly<Record<LogTable, readonly string[]>> = {
  span: [
    'trace',
    'span',
    'parent',
    'service',
    'name',
    'kind',
    'part',
    'target',
    'start_ms',
    'duration_ms',
    'failure',
    'attributes',
    'events',
  ],
  line: ['at_ms', 'level', 'service', 'trace', 'span', 'message', 'fields'],
  sample: ['process', 'metric', 'kind', 'unit', 'description', 'labels', 'value', 'count', 'buckets'],
}
/** Numbers, ids, and what SQLite keeps of a row for itself. */
const FIXED_BYTES = 64

export function insertInto(table: LogTable): string {
  const columns = ['through_bytes', 'written_ms', ...COLUMNS[table]]
  return `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`
}

export function spanRow(span: SpanRecord, maxBytes: number): Row {
  const { part, target } = partOf(span)
  const attributes = JSON.stringify(span.attributes)
  const events = span.events.length === 0 ? null : JSON.stringify(span.events)
  return rowOf([
    span.traceId,
    span.spanId,
    span.parentSpanId ?? null,
    span.service,
    span.name,
    span.kind,
    part,
    target,
    span.startMs,
    span.durationMs,
    span.failure === undefined ? null : span.failure.slice(0, maxBytes),
    attributes.length > maxBytes ? '{"skerry.truncated":true}' : attributes,
    events !== null && events.length > maxBytes ? null : events,
  ])
}

export function lineRow({ atMs, level, service, traceId, spanId, message, fields }: LogLine, maxBytes: number): Row {
  return rowOf([
    atMs,
    LEVELS[level],
    service ?? null,
    traceId ?? null,
    spanId ?? null,
    message.slice(0, maxBytes),
    fields.length > maxBytes ? '{"truncated":true}' : fields,
  ])
}

export function sampleRows(process: string, snapshot: MetricSnapshot): readonly Row[] {
  const { name, kind, unit, description } = snapshot
  const of = (labels: unknown, value: number, count: number | null, buckets: string | null): Row =>
    rowOf([process, name, kind, unit, description, JSON.stringify(labels), value, count, buckets])
  if (snapshot.kind !== 'histogram') return snapshot.points.map(({ labels, value }) => of(labels, value, null, null))
  const { bounds, points } = snapshot
  return points.map(({ labels, sum, count, buckets }) => of(labels, sum, count, JSON.stringify({ bounds, counts: buckets })))
}

function rowOf(values: readonly Value[]): Row {
  return { values, bytes: values.reduce<number>((sum, value) => sum + (typeof value === 'string' ? value.length : 0), FIXED_BYTES) }
}
