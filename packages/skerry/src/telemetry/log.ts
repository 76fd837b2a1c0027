/** The boundary to logging: one JSON object a line through pino, with the trace that the line belongs to. */
import type { DestinationStream, Logger } from 'pino'
import { pino } from 'pino'
import { redacted } from './redaction.ts'
import { currentScope } from './scope.ts'

type Write = (message: string, fields?: Readonly<Record<string, unknown>>) => void

export interface Log {
  readonly debug: Write
  readonly info: Write
  readonly warn: Write
  /** Put an error under the field `cause`: its stack and its causes are written too. */
  readonly error: Write
  /** The same log with these fields on every line. */
  with(fields: Readonly<Record<string, unknown>>): Log
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogOptions {
  /** Default: `info`. */
  readonly level?: LogLevel
  /** Default: standard output. */
  readonly destination?: DestinationStream
  /** Fields of these names are not written, whatever they hold: those that contracts mark as personal or secret. Default: none. */
  readonly redact?: ReadonlySet<string>
  /** Given every line as well, as JSON. Must not throw. */
  readonly onLine?: ((line: string) => void) | undefined
}

/** Makes the log of a host. */
export function createLog(options: LogOptions = {}): Log {
  const logger = pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { cause: (cause: unknown) => (cause instanceof Error ? pino.stdSerializers.errWithCause(cause) : cause) },
      mixin() {
        const scope = currentScope()
        return scope === undefined ? {} : { traceId: scope.trace.traceId, spanId: scope.trace.spanId }
      },
    },
    destinationOf(options),
  )
  return toLog(logger, options.redact ?? new Set())
}

function destinationOf({ destination = pino.destination(1), onLine }: LogOptions): DestinationStream {
  if (onLine === undefined) return destination
  return {
    write(line) {
      destination.write(line)
      onLine(line)
    },
  }
}

type Pino = Logger<never, boolean>

/** `kept`: fields of every line that were given while work was in progress, of which more may come to be kept back. */
function toLog(logger: Pino, names: ReadonlySet<string>, kept?: Readonly<Record<string, unknown>>): Log {
  const at =
    (level: Exclude<LogLevel, 'silent'>): Write =>
    (message, fields) => {
      if (!logger.isLevelEnabled(level)) return
      const values = currentScope()?.trace.sensitive
      const all = kept === undefined ? fields : { ...kept, ...fields }
      logger[level](redacted(all, names, values), values?.redact(message) ?? message)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) =>
      kept === undefined && currentScope() === undefined
        ? toLog(logger.child(redacted(fields, names, undefined) as object), names)
        : toLog(logger, names, { ...kept, ...fields }),
  }
}
