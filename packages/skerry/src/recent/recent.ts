/**
 * What a host keeps of recent telemetry, bounded, so that it can be read at hand and without any other program: a sink for spans, lines of the log
 * and metrics, and a reader. Nothing that goes wrong here harms the host. Several hosts of one machine may share one file.
 */
import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../base/clock.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { SpanRecord } from '../telemetry/span.ts'
import type { RecentBounds } from './bounds.ts'
import { RECENT_DEFAULTS } from './bounds.ts'
import type { RecentPlace } from './file.ts'
import { RecentFile } from './file.ts'
import { RecentReader } from './reader.ts'
import { RecentWriter } from './writer.ts'

export interface RecentOptions {
  readonly place: RecentPlace
  readonly clock: Clock
  /** Tells this process from others that write to the same file. */
  readonly process: string
  /** Where it differs from the default. */
  readonly bounds?: Partial<RecentBounds>
  /** Told once, when nothing can be kept and the host goes on without. */
  readonly onTrouble: (error: unknown) => void
}

export interface Recent {
  readonly read: RecentReader
  /** For `createTelemetry`. */
  readonly onSpan: (span: SpanRecord) => void
  /** For `createLog`. */
  readonly onLine: (line: string) => void
  /** Samples these from now on. */
  watch(metrics: Metrics): void
  /** Writes what waits, without asking the event loop: also when the process exits. */
  close(): void
}

export function openRecent({ place, clock, process, onTrouble, bounds: given }: RecentOptions): Recent {
  const bounds = { ...RECENT_DEFAULTS, ...given }
  const writer = new RecentWriter({ place, bounds, clock, process, onTrouble })
  const read = new RecentReader({
    clock,
    bounds,
    database: () => {
      writer.flush()
      return writer.database
    },
  })
  let closed = false
  return {
    read,
    onSpan: (span) => writer.span(span),
    onLine: (line) => writer.line(line),
    watch(metrics) {
      const sampleLater = (): void => {
        clock.setTimer(bounds.sampleMs, () => {
          if (!closed)
            void metrics
              .snapshot()
              .then((snapshots) => writer.sample(snapshots), onTrouble)
              .then(sampleLater)
        })
      }
      sampleLater()
    },
    close() {
      closed = true
      writer.close()
    },
  }
}

/** A reader of what the hosts of this machine keep in a file. */
export interface RecentOfOthers extends Disposable {
  readonly read: RecentReader
}

/** Undefined when there is no such file, or none that this version can read. */
export function openRecentOfOthers(file: string, clock: Clock): RecentOfOthers | undefined {
  const opened = RecentFile.openToRead(file)
  if (opened === undefined) return undefined
  let current: RecentFile = opened
  const database = (): DatabaseSync => {
    const next = current.isGone ? RecentFile.openToRead(file) : undefined
    if (next !== undefined) {
      current.close()
      current = next
    }
    return current.database
  }
  return { read: new RecentReader({ clock, bounds: RECENT_DEFAULTS, database }), [Symbol.dispose]: () => current.close() }
}
