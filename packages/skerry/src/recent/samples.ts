/** Reads samples of metrics: all as they are now, and one over the last minutes. */
import type { DatabaseSync } from 'node:sqlite'
import type { Labels } from '../telemetry/metrics.ts'

export interface StoredPoint {
  /** Which process it is of: each counts for itself. */
  readonly process: string
  readonly labels: Labels
  readonly atMs: number
  /** Of a histogram: the sum of what was recorded. */
  readonly value: number
  /** Of a histogram: how much was recorded. */
  readonly count: number | undefined
  readonly buckets: { readonly bounds: readonly number[]; readonly counts: readonly number[] } | undefined
}

export interface StoredMetric {
  readonly name: string
  readonly kind: string
  readonly unit: string
  readonly description: string
  readonly points: readonly StoredPoint[]
}

/** Of one sample, and of the one after it when a process is late. */
const CURRENT_SAMPLES = 2.5
const MAX_SERIES_ROWS = 20_000

/** The last value of everything that the processes that live have told. */
export function readMetrics(database: DatabaseSync, nowMs: number, sampleMs: number): readonly StoredMetric[] {
  const latest = new Map<string, Record<string, unknown>>()
  for (const row of database.prepare('select * from sample order by id desc').iterate()) {
    if (Number(row['written_ms']) < nowMs - CURRENT_SAMPLES * sampleMs) break
    const key = JSON.stringify([row['metric'], row['process'], row['labels']])
    if (!latest.has(key)) latest.set(key, row)
  }
  return metricsOf([...latest.values()])
}

/** All values of one metric, oldest first, the latest 20,000. */
export function readSeries(database: DatabaseSync, name: string, sinceMs: number): StoredMetric | undefined {
  const rows = database
    .prepare('select * from sample where metric = ? and written_ms >= ? order by id desc limit ?')
    .all(name, sinceMs, MAX_SERIES_ROWS)
  return metricsOf(rows.toReversed())[0]
}

function metricsOf(rows: readonly Record<string, unknown>[]): readonly StoredMetric[] {
  const byName = Map.groupBy(rows, (row) => String(row['metric']))
  return [...byName]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, own]) => ({
      name,
      kind: String(own[0]!['kind']),
      unit: String(own[0]!['unit']),
      description: String(own[0]!['description']),
      points: own.map(pointOf),
    }))
}

function pointOf(row: Record<string, unknown>): StoredPoint {
  const { count, buckets } = row
  return {
    process: String(row['process']),
    labels: JSON.parse(String(row['labels'])) as Labels,
    atMs: Number(row['written_ms']),
    value: Number(row['value']),
    count: count === null ? undefined : Number(count),
    buckets: typeof buckets === 'string' ? (JSON.parse(buckets) as { bounds: number[]; counts: number[] }) : undefined,
  }
}
