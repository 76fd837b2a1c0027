/** Reads recent telemetry. What there is no file for is empty. */
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../base/clock.ts'
import type { RecentBounds } from './bounds.ts'
import type { LineFilter, LinePlace, StoredLine } from './lines.ts'
import { findLines } from './lines.ts'
import type { StoredMetric } from './samples.ts'
import { readMetrics, readSeries } from './samples.ts'
import type { LogTable } from './tables.ts'
import type { MeasuredWork, StoredSpan, TraceFilter, TraceSummary } from './traces.ts'
import { findTraces, readSpansAfter, readTrace, readWork, traceIdsFrom } from './traces.ts'

export interface RecentReaderOptions {
  readonly clock: Clock
  readonly bounds: RecentBounds
  readonly database: () => DatabaseSync | undefined
}

export interface RecentStatus {
  readonly kinds: Readonly<Record<'spans' | 'logs' | 'metrics', KeptStatus>>
  readonly processes: readonly ProcessStatus[]
}

export interface KeptStatus {
  readonly rows: number
  readonly bytes: number
  readonly oldestMs: number | undefined
}

/** What a process has told, since it began. */
export interface ProcessStatus {
  readonly process: string
  readonly sinceMs: number
  readonly seenMs: number
  readonly spans: number
  readonly spansLeftOut: number
  /** Which share of its traces it keeps at present. */
  readonly share: number
  readonly lines: number
  readonly linesLeftOut: number
  /** Spans, lines and samples that could not be written. */
  readonly dropped: number
}

export class RecentReader {
  readonly bounds: RecentBounds
  readonly #clock: Clock
  readonly #database: () => DatabaseSync | undefined

  constructor({ clock, bounds, database }: RecentReaderOptions) {
    this.bounds = bounds
    this.#clock = clock
    this.#database = database
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  traces(filter: TraceFilter, limit: number): { readonly traces: readonly TraceSummary[]; readonly next: number | undefined } {
    return this.#read((database) => findTraces(database, filter, limit)) ?? { traces: [], next: undefined }
  }

  /** The ids of traces that begin with these digits, two at most. */
  traceIdsFrom(start: string): readonly string[] {
    return this.#read((database) => traceIdsFrom(database, start)) ?? []
  }

  trace(traceId: string): readonly StoredSpan[] {
    return this.#read((database) => readTrace(database, traceId)) ?? []
  }

  spansAfter(id: number, limit: number, service?: string): readonly StoredSpan[] {
    return this.#read((database) => readSpansAfter(database, id, limit, service)) ?? []
  }

  lines(filter: LineFilter, place: LinePlace, limit: number): readonly StoredLine[] {
    return this.#read((database) => findLines(database, filter, place, limit)) ?? []
  }

  metrics(): readonly StoredMetric[] {
    return this.#read((database) => readMetrics(database, this.#clock.nowMs(), this.bounds.sampleMs)) ?? []
  }

  series(name: string, sinceMs: number): StoredMetric | undefined {
    return this.#read((database) => readSeries(database, name, sinceMs))
  }

  work(sinceMs: number, limit: number): readonly MeasuredWork[] {
    return this.#read((database) => readWork(database, sinceMs, limit)) ?? []
  }

  /** The ids of the oldest and of the latest row that is kept, from which on streams go; zero when there is none. */
  ends(table: 'span' | 'line'): { readonly first: number; readonly last: number } {
    const row = this.#read((database) => database.prepare(`select min(id) as first, max(id) as last from ${table}`).get())
    return { first: Number(row?.['first'] ?? 0), last: Number(row?.['last'] ?? 0) }
  }

  status(): RecentStatus {
    return {
      kinds: { spans: this.#kept('span'), logs: this.#kept('line'), metrics: this.#kept('sample') },
      processes: this.#read((database) => database.prepare('select * from process order by seen_ms desc').all().map(processOf)) ?? [],
    }
  }

  #kept(table: LogTable): KeptStatus {
    const ends = this.#read((database) => ({
      first: database.prepare(`select id, through_bytes, written_ms from ${table} order by id limit 1`).get(),
      last: database.prepare(`select id, through_bytes from ${table} order by id desc limit 1`).get(),
    }))
    if (ends?.first === undefined || ends.last === undefined) return { rows: 0, bytes: 0, oldestMs: undefined }
    const { first, last } = ends
    return {
      rows: Number(last['id']) - Number(first['id']) + 1,
      bytes: Number(last['through_bytes']) - Number(first['through_bytes']),
      oldestMs: Number(first['written_ms']),
    }
  }

  #read<T>(query: (database: DatabaseSync) => T): T | undefined {
    const database = this.#database()
    return database === undefined ? undefined : query(database)
  }
}

function processOf(row: Record<string, unknown>): ProcessStatus {
  return {
    process: String(row['process']),
    sinceMs: Number(row['since_ms']),
    seenMs: Number(row['seen_ms']),
    spans: Number(row['spans']),
    spansLeftOut: Number(row['spans_left_out']),
    share: Number(row['share']),
    lines: Number(row['lines']),
    linesLeftOut: Number(row['lines_left_out']),
    dropped: Number(row['dropped']),
  }
}
