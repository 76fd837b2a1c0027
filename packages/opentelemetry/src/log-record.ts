/** A line of a host's log as OpenTelemetry's exporters read it. */
import { SeverityNumber } from '@opentelemetry/api'
import type { AttributeValue } from '@opentelemetry/api'
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import { contextOf, hrTime, SCOPE } from './readable-span.ts'
import type { Resources } from './resources.ts'

const SEVERITIES: Readonly<Record<string, SeverityNumber>> = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
}
const HOST = 'host'

/** Undefined for what is no line of a log. */
export function logRecord(line: string, resources: Resources): ReadableLogRecord | undefined {
  const fields = read(line)
  if (fields === undefined) return undefined
  const { level, time, msg, service, traceId, spanId, cause, ...more } = fields
  const at = hrTime(typeof time === 'string' ? Date.parse(time) : 0)
  const severity = SEVERITIES[String(level)]
  return {
    hrTime: at,
    hrTimeObserved: at,
    ...(typeof traceId === 'string' && typeof spanId === 'string' ? { spanContext: contextOf(traceId, spanId) } : {}),
    severityText: String(level).toUpperCase(),
    ...(severity === undefined ? {} : { severityNumber: severity }),
    body: typeof msg === 'string' ? msg : '',
    resource: resources.of(typeof service === 'string' ? service : HOST),
    instrumentationScope: SCOPE,
    attributes: { ...Object.fromEntries(Object.entries(more).map(([name, value]) => [name, attribute(value)])), ...exception(cause) },
    droppedAttributesCount: 0,
  }
}

function read(line: string): Record<string, unknown> | undefined {
  try {
    const fields: unknown = JSON.parse(line)
    return typeof fields === 'object' && fields !== null ? (fields as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function exception(cause: unknown): Record<string, string> {
  if (typeof cause !== 'object' || cause === null) return {}
  const { type, message, stack } = cause as Record<string, unknown>
  const text = (name: string, value: unknown): [string, string][] => (typeof value === 'string' ? [[name, value]] : [])
  return Object.fromEntries([
    ...text('exception.type', type),
    ...text('exception.message', message),
    ...text('exception.stacktrace', stack),
  ])
}

function attribute(value: unknown): AttributeValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : JSON.stringify(value)
}
