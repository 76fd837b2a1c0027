/**
 * Exports a host's telemetry over OTLP, as OpenTelemetry's own variables say (OTEL_EXPORTER_OTLP_ENDPOINT, …_HEADERS, …_PROTOCOL and the like):
 * what is exported is in batches, off the way of requests, and bounded; a collector that is away costs what was meant for it, and nothing else.
 */
import { diag, DiagLogLevel } from '@opentelemetry/api'
import type { LogRecordExporter, ReadWriteLogRecord } from '@opentelemetry/sdk-logs'
import { BatchLogRecordProcessor } from '@opentelemetry/sdk-logs'
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import type { SpanExporter } from '@opentelemetry/sdk-trace'
import { BatchSpanProcessor } from '@opentelemetry/sdk-trace'
import type { Clock, Timer } from 'skerry/engine'
import { sleep, systemClock } from 'skerry/engine'
import type { Metrics, SpanRecord } from 'skerry/runtime'
import { SkerryError } from 'skerry/runtime'
import { logRecord } from './log-record.ts'
import { resourceMetrics } from './metric-data.ts'
import { readableSpan } from './readable-span.ts'
import { Resources } from './resources.ts'

export interface OtlpOptions {
  /** The name of the system: `service.namespace` of everything. */
  readonly system: string
  readonly metrics: Metrics
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Told what OpenTelemetry's exporters have to say: that a collector cannot be reached, for example. */
  readonly onProblem: (message: string) => void
  /** Default: the machine's. */
  readonly clock?: Clock
}

export interface Otlp {
  onSpan(span: SpanRecord): void
  /** A line of the host's log, as JSON. */
  onLogLine(line: string): void
  /** Sends what is left, for a few seconds at most. */
  close(): Promise<void>
}

const SIGNALS = ['TRACES', 'METRICS', 'LOGS'] as const
type Signal = (typeof SIGNALS)[number]
const PROTOCOLS = ['http/protobuf', 'http/json'] as const
type Protocol = (typeof PROTOCOLS)[number]

const DEFAULT_INTERVAL_MS = 60_000
const CLOSE_MS = 4_000
/** The same complaint is passed on so often at most. */
const PROBLEM_EVERY_MS = 60_000

/** Whether the environment names an endpoint for any signal. */
export function isOtlpWanted(environment: OtlpOptions['environment']): boolean {
  return SIGNALS.some((signal) => isWanted(environment, signal))
}

function isWanted(environment: OtlpOptions['environment'], signal: Signal): boolean {
  if (environment['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' || environment[`OTEL_${signal}_EXPORTER`] === 'none') return false
  return (environment[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`] ?? environment['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? '') !== ''
}

/** Begins to export. The exporters read the process's own environment for endpoints, headers, compression and limits. */
export async function openOtlp({ system, metrics, environment, onProblem, clock = systemClock }: OtlpOptions): Promise<Otlp> {
  const exporters = await exportersFor(environment)
  passOnProblems(clock, onProblem)
  const resources = new Resources(system)
  const spans = exporters.traces && new BatchSpanProcessor({ exporter: exporters.traces })
  const logs = exporters.logs && new BatchLogRecordProcessor({ exporter: exporters.logs })
  const startedMs = clock.nowMs()
  const exportMetrics = async (exporter: PushMetricExporter): Promise<void> => {
    const data = resourceMetrics(await metrics.snapshot(), resources, startedMs, clock.nowMs())
    await Promise.all(data.map((one) => new Promise<void>((resolve) => exporter.export(one, () => resolve()))))
  }
  let next: Timer | undefined
  const exportEvery = (exporter: PushMetricExporter, everyMs: number): void => {
    next = clock.setTimer(everyMs, () => {
      void exportMetrics(exporter)
      exportEvery(exporter, everyMs)
    })
  }
  if (exporters.metrics !== undefined) exportEvery(exporters.metrics, intervalMs(environment))
  return {
    onSpan: (span) => spans?.onEnd(readableSpan(span, resources)),
    onLogLine: (line) => {
      const record = logs && logRecord(line, resources)
      // It is read only from there on.
      if (record !== undefined) logs!.onEmit(record as unknown as ReadWriteLogRecord)
    },
    async close() {
      next?.cancel()
      const last = exporters.metrics && exportMetrics(exporters.metrics)
      const all = Promise.allSettled([spans?.shutdown(), logs?.shutdown(), last?.then(() => exporters.metrics!.shutdown())])
      const closed = new AbortController()
      await Promise.race([all, sleep(clock, CLOSE_MS, closed.signal)])
      closed.abort()
      diag.disable()
    },
  }
}

interface Exporters {
  readonly traces: SpanExporter | undefined
  readonly metrics: PushMetricExporter | undefined
  readonly logs: LogRecordExporter | undefined
}

async function exportersFor(environment: OtlpOptions['environment']): Promise<Exporters> {
  const mistakes: string[] = []
  const protocols = new Map(
    SIGNALS.filter((signal) => isWanted(environment, signal)).map((signal) => [signal, protocolOf(environment, signal, mistakes)]),
  )
  if (mistakes.length > 0) throw new SkerryError('configurationInvalid', mistakes.join('\n'))
  return {
    traces: await open<SpanExporter>(protocols.get('TRACES'), {
      'http/protobuf': async () => new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter(),
      'http/json': async () => new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter(),
    }),
    metrics: await open<PushMetricExporter>(protocols.get('METRICS'), {
      'http/protobuf': async () => new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter(),
      'http/json': async () => new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter(),
    }),
    logs: await open<LogRecordExporter>(protocols.get('LOGS'), {
      'http/protobuf': async () => new (await import('@opentelemetry/exporter-logs-otlp-proto')).OTLPLogExporter(),
      'http/json': async () => new (await import('@opentelemetry/exporter-logs-otlp-http')).OTLPLogExporter(),
    }),
  }
}

async function open<T>(protocol: Protocol | undefined, by: Readonly<Record<Protocol, () => Promise<T>>>): Promise<T | undefined> {
  return protocol && by[protocol]()
}

function protocolOf(environment: OtlpOptions['environment'], signal: Signal, mistakes: string[]): Protocol {
  const names = [`OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`, 'OTEL_EXPORTER_OTLP_PROTOCOL']
  const name = names.find((one) => (environment[one] ?? '') !== '')
  if (name === undefined) return 'http/protobuf'
  const known = PROTOCOLS.find((one) => one === environment[name])
  if (known === undefined)
    mistakes.push(`${name} is "${environment[name]}": expected one of ${PROTOCOLS.join(', ')}; a collector's port for HTTP is usually 4318`)
  return known ?? 'http/protobuf'
}

function intervalMs(environment: OtlpOptions['environment']): number {
  const given = Number(environment['OTEL_METRIC_EXPORT_INTERVAL'])
  return Number.isFinite(given) && given > 0 ? given : DEFAULT_INTERVAL_MS
}

function passOnProblems(clock: Clock, onProblem: (message: string) => void): void {
  const lastMs = new Map<string, number>()
  const problem = (message: string, ...more: unknown[]): void => {
    const text = [message, ...more.map((one) => (one instanceof Error ? one.message : String(one)))].join(' ').slice(0, 500)
    const nowMs = clock.nowMs()
    if (nowMs - (lastMs.get(message) ?? 0) < PROBLEM_EVERY_MS) return
    if (lastMs.size > 100) lastMs.clear()
    lastMs.set(message, nowMs)
    onProblem(text)
  }
  const nothing = (): void => undefined
  diag.setLogger({ error: problem, warn: problem, info: nothing, debug: nothing, verbose: nothing }, { logLevel: DiagLogLevel.WARN })
}
