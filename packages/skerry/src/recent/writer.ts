/**
 * Takes what is told and writes it later, some at a time. Who tells waits for nothing and is never failed: what cannot be written is counted,
 * and when the file cannot be used at all that is said once and tried again every minute.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Clock, Timer } from '../base/clock.ts'
import { Fifo } from '../base/fifo.ts'
import type { MetricSnapshot } from '../telemetry/metrics.ts'
import type { SpanRecord } from '../telemetry/span.ts'
import type { RecentBounds } from './bounds.ts'
import type { RecentPlace } from './file.ts'
import { isBusy, RecentFile } from './file.ts'
import { readLogLine } from './log-line.ts'
import type { Row } from './rows.ts'
import { insertInto, lineRow, sampleRows, spanRow } from './rows.ts'
import { SpanBudget } from './span-budget.ts'
import type { LogTable } from './tables.ts'
import { trim } from './trim.ts'

export interface RecentWriterOptions {
  readonly place: RecentPlace
  readonly bounds: RecentBounds
  readonly clock: Clock
  /** Tells this process from others that write to the same file. */
  readonly process: string
  /** Told once, when it goes on without. */
  readonly onTrouble: (error: unknown) => void
}

const FLUSH_MS = 200
/** Between parts of what waits, so that others have their turn. */
const TURN_MS = 1
const BUSY_MS = 50
const REOPEN_MS = 60_000
const TRIM_MS = 5_000
/** A loss of telemetry is no reason to wait long when a host stops. */
const MAX_BUSY_AT_CLOSE_MS = 500
const MAX_ROWS_AT_ONCE = 500

export class RecentWriter {
  readonly #options: RecentWriterOptions
  readonly #budget: SpanBudget
  readonly #spans = new Fifo<SpanRecord>()
  readonly #lines = new Fifo<string>()
  readonly #samples = new Fifo<Row>()
  readonly #counts = { spans: 0, spansLeftOut: 0, lines: 0, linesLeftOut: 0, dropped: 0 }
  readonly #sinceMs: number
  #linesOfSecond = { startMs: 0, count: 0 }
  #file: RecentFile | undefined
  #reopenAtMs = -Infinity
  #trimAtMs = -Infinity
  #troubled = false
  #timer: Timer | undefined
  #closed = false

  constructor(options: RecentWriterOptions) {
    this.#options = options
    this.#budget = new SpanBudget(options.bounds.maxSpansPerSecond)
    this.#sinceMs = options.clock.nowMs()
    this.#open()
  }

  /** For reading what has been written; undefined while there is no file that can be used. */
  get database(): DatabaseSync | undefined {
    return this.#file?.database
  }

  span(span: SpanRecord): void {
    if (!this.#budget.admits(span.traceId, span.startMs + span.durationMs)) {
      this.#counts.spansLeftOut++
      return
    }
    this.#counts.spans++
    this.#add(this.#spans, span)
  }

  /** A line of the log, as pino writes it. */
  line(text: string): void {
    const nowMs = this.#options.clock.nowMs()
    const second = this.#linesOfSecond
    if (nowMs - second.startMs >= 1_000 || nowMs < second.startMs) this.#linesOfSecond = { startMs: nowMs, count: 1 }
    else if (++second.count > this.#options.bounds.maxLinesPerSecond) {
      this.#counts.linesLeftOut++
      return
    }
    this.#counts.lines++
    this.#add(this.#lines, text)
  }

  sample(snapshots: readonly MetricSnapshot[]): void {
    for (const snapshot of snapshots) for (const row of sampleRows(this.#options.process, snapshot)) this.#add(this.#samples, row)
  }

  /** Writes what waits now, as far as the file is free. */
  flush(): void {
    while (this.#waiting > 0 && this.#step() === 'written');
  }

  close(): void {
    if (this.#closed) return
    this.#timer?.cancel()
    if (this.#file !== undefined && this.#options.place !== 'memory')
      this.#file.database.exec(`pragma busy_timeout = ${MAX_BUSY_AT_CLOSE_MS}`)
    this.flush()
    this.#closed = true
    this.#file?.close()
    this.#file = undefined
  }

  get #waiting(): number {
    return this.#spans.size + this.#lines.size + this.#samples.size
  }

  #add<Item>(to: Fifo<Item>, item: Item): void {
    if (this.#closed) return
    if (to.size >= this.#options.bounds.maxWaiting) {
      this.#counts.dropped++
      return
    }
    to.push(item)
    this.#timer ??= this.#options.clock.setTimer(FLUSH_MS, () => this.#tick())
  }

  #tick(): void {
    this.#timer = undefined
    const how = this.#step()
    const pauseMs = how === 'busy' ? BUSY_MS : how === 'broken' ? REOPEN_MS : this.#waiting > 0 ? TURN_MS : undefined
    if (pauseMs !== undefined && !this.#closed) this.#timer = this.#options.clock.setTimer(pauseMs, () => this.#tick())
  }

  #step(): 'written' | 'busy' | 'broken' {
    const nowMs = this.#options.clock.nowMs()
    const waiting = this.#waiting
    try {
      if (this.#file?.isGone === true) {
        this.#file.close()
        this.#file = undefined
        this.#reopenAtMs = nowMs
      }
      if (this.#file === undefined && nowMs >= this.#reopenAtMs) this.#open()
      this.#file?.write(() => this.#write(nowMs))
      if (this.#file !== undefined) return 'written'
    } catch (error) {
      if (isBusy(error)) return 'busy'
      this.#fail(error)
    }
    this.#counts.dropped += waiting
    for (const one of [this.#spans, this.#lines, this.#samples]) while (one.shift() !== undefined);
    return 'broken'
  }

  /** Inside a transaction that has the file to itself: it is not refused half-way for others. */
  #write(nowMs: number): void {
    const { database } = this.#file!
    const { maxRowBytes } = this.#options.bounds
    this.#insert(
      database,
      'span',
      nowMs,
      taken(this.#spans, (span) => spanRow(span, maxRowBytes)),
    )
    this.#insert(
      database,
      'line',
      nowMs,
      taken(this.#lines, (text) => {
        const line = readLogLine(text)
        return line === undefined ? undefined : lineRow(line, maxRowBytes)
      }),
    )
    this.#insert(
      database,
      'sample',
      nowMs,
      taken(this.#samples, (row) => row),
    )
    this.#count(database, nowMs)
    if (nowMs < this.#trimAtMs && this.#trimAtMs - nowMs <= TRIM_MS) return
    const { spans, logs, metrics } = this.#options.bounds
    const more = [trim(database, 'span', spans, nowMs), trim(database, 'line', logs, nowMs), trim(database, 'sample', metrics, nowMs)]
    this.#trimAtMs = more.includes(true) ? nowMs : nowMs + TRIM_MS
  }

  #insert(database: DatabaseSync, table: LogTable, nowMs: number, rows: readonly Row[]): void {
    if (rows.length === 0) return
    const last = database.prepare(`select through_bytes as bytes from ${table} order by id desc limit 1`).get()
    let throughBytes = Number(last?.['bytes'] ?? 0)
    const insert = database.prepare(insertInto(table))
    for (const { values, bytes } of rows) insert.run((throughBytes += bytes), nowMs, ...values)
  }

  #count(database: DatabaseSync, nowMs: number): void {
    const { spans, spansLeftOut, lines, linesLeftOut, dropped } = this.#counts
    database
      .prepare('insert or replace into process values (?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(this.#options.process, this.#sinceMs, nowMs, spans, spansLeftOut, this.#budget.share, lines, linesLeftOut, dropped)
    database.prepare('delete from process where seen_ms < ?').run(nowMs - this.#options.bounds.spans.maxAgeMs)
  }

  #open(): void {
    this.#reopenAtMs = this.#options.clock.nowMs() + REOPEN_MS
    try {
      this.#file = RecentFile.open(this.#options.place)
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    this.#file?.close()
    this.#file = undefined
    if (this.#troubled) return
    this.#troubled = true
    this.#options.onTrouble(error)
  }
}

function taken<Item>(from: Fifo<Item>, rowFor: (item: Item) => Row | undefined): readonly Row[] {
  const rows: Row[] = []
  for (let count = 0; count < MAX_ROWS_AT_ONCE; count++) {
    const item = from.shift()
    if (item === undefined) break
    const row = rowFor(item)
    if (row !== undefined) rows.push(row)
  }
  return rows
}
