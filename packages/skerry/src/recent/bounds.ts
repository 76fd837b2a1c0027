/** How much is kept of recent telemetry. Whatever comes on top pushes out the oldest. */

export interface KindBounds {
  readonly maxRows: number
  /** Of what is kept; the file takes up to twice as much, for indexes and for pages that are free. */
  readonly maxBytes: number
  readonly maxAgeMs: number
}

export interface RecentBounds {
  readonly spans: KindBounds
  readonly logs: KindBounds
  /** One row for each set of labels of each metric, every `sampleMs`. */
  readonly metrics: KindBounds
  /** How often metrics are looked at. Default: 15 000. */
  readonly sampleMs: number
  /** Of more than this whole traces are left out. Default: 2 000. */
  readonly maxSpansPerSecond: number
  /** Of more than this lines are left out. Default: 2 000. */
  readonly maxLinesPerSecond: number
  /** Spans and lines that wait to be written; what comes on top is dropped. Default: 10 000. */
  readonly maxWaiting: number
  /** Of one span or line; its attributes are left out beyond. Default: 16 384. */
  readonly maxRowBytes: number
}

const HOUR_MS = 3_600_000
const MEBIBYTE = 1_048_576

export const RECENT_DEFAULTS: RecentBounds = {
  spans: { maxRows: 100_000, maxBytes: 64 * MEBIBYTE, maxAgeMs: 24 * HOUR_MS },
  logs: { maxRows: 50_000, maxBytes: 32 * MEBIBYTE, maxAgeMs: 24 * HOUR_MS },
  metrics: { maxRows: 100_000, maxBytes: 32 * MEBIBYTE, maxAgeMs: HOUR_MS / 2 },
  sampleMs: 15_000,
  maxSpansPerSecond: 2_000,
  maxLinesPerSecond: 2_000,
  maxWaiting: 10_000,
  maxRowBytes: 16_384,
}
