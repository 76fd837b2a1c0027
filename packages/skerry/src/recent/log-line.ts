/** A line of the log, as pino writes it, taken apart. */

/** Pino's numbers for its levels, by which they can be compared. */
export const LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const
export type Level = keyof typeof LEVELS

export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly atMs: number
  readonly level: Level
  readonly service: string | undefined
  readonly traceId: string | undefined
  readonly spanId: string | undefined
  readonly message: string
  /** All other fields, as JSON text. */
  readonly fields: string
}

/** Undefined for a text that is none. */
export function readLogLine(text: string): LogLine | undefined {
  try {
    const { level, time, msg, service, traceId, spanId, ...fields } = JSON.parse(text) as Record<string, unknown>
    const atMs = Date.parse(String(time))
    if (!isLevel(level) || Number.isNaN(atMs)) return undefined
    return {
      atMs,
      level,
      service: textOf(service),
      traceId: textOf(traceId),
      spanId: textOf(spanId),
      message: textOf(msg) ?? '',
      fields: JSON.stringify(fields),
    }
  } catch {
    return undefined
  }
}

export function levelOf(number: number): Level {
  return (Object.keys(LEVELS) as Level[]).findLast((level) => LEVELS[level] <= number) ?? 'debug'
}

function isLevel(value: unknown): value is Level {
  return typeof value === 'string' && Object.hasOwn(LEVELS, value)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
