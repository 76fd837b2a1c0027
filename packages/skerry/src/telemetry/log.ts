/** The boundary to logging: one JSON object a line through pino, with the trace that the line belongs to. */
import type { DestinationStream, Logger } from 'pino'
import { pino } from 'pino'
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
      serializers: { cause: pino.stdSerializers.errWithCause },
      mixin() {
        const scope = currentScope()
        return scope === undefined ? {} : { traceId: scope.trace.traceId, spanId: scope.trace.spanId }
      },
    },
    destinationOf(options),
  )
  return toLog(logger)
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

function toLog(logger: Pino): Log {
  return {
    debug: (message, fields) => logger.debug(fields, message),
    info: (message, fields) => logger.info(fields, message),
    warn: (message, fields) => logger.warn(fields, message),
    error: (message, fields) => logger.error(fields, message),
    with: (fields) => toLog(logger.child(fields)),
  }
}
