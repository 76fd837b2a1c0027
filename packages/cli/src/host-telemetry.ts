/** The telemetry of a host that the command starts: recorded always, exported where OpenTelemetry's variables name an endpoint. */
import { pathToFileURL } from 'node:url'
import type { Environment, HostConfiguration, HostTelemetry, Log, Metrics, SpanRecord } from 'skerry/runtime'
import { CommandError, EXIT } from './failure.ts'
import type { LoadedSystem } from './system-file.ts'
import { resolveFrom } from './system-file.ts'

/** What `@skerry/opentelemetry` offers. */
interface Exporters {
  isOtlpWanted(environment: Environment): boolean
  openOtlp(options: {
    readonly system: string
    readonly metrics: Metrics
    readonly environment: Environment
    readonly onProblem: (message: string) => void
  }): Promise<Otlp>
}

interface Otlp {
  onSpan(span: SpanRecord): void
  onLogLine(line: string): void
  close(): Promise<void>
}

export interface OpenedTelemetry {
  readonly telemetry: HostTelemetry
  /** Lines of the log are to be given to it. */
  readonly onLogLine: ((line: string) => void) | undefined
  /** Told when a log is there to complain to. */
  complainTo(log: Log): void
}

const PACKAGE = '@skerry/opentelemetry'
const ENDPOINT = /^OTEL_EXPORTER_OTLP_(?:(?:TRACES|METRICS|LOGS)_)?ENDPOINT$/

export async function openTelemetry(
  { system, path, platform }: LoadedSystem,
  { sampling }: HostConfiguration,
  environment: Environment,
): Promise<OpenedTelemetry> {
  let log: Log | undefined
  let exported: Otlp | undefined
  const exporters = await exportersOf(path, environment)
  const telemetry = platform.createTelemetry({
    clock: platform.systemClock,
    random: platform.systemRandom,
    sampler: platform.samplerOf(sampling.sampler, sampling.ratio),
    onSpan: exporters && ((span) => exported?.onSpan(span)),
    onClose: async () => exported?.close(),
  })
  exported = await exporters?.openOtlp({
    system: system.name,
    metrics: telemetry.metrics,
    environment,
    onProblem: (reason) => log?.warn('Telemetry could not be exported', { reason }),
  })
  return {
    telemetry,
    onLogLine: exported && ((line) => exported.onLogLine(line)),
    complainTo: (to) => {
      log = to
    },
  }
}

/** Undefined when nothing is to be exported. */
async function exportersOf(path: string, environment: Environment): Promise<Exporters | undefined> {
  const variable = Object.keys(environment).find((name) => ENDPOINT.test(name) && environment[name] !== '')
  if (variable === undefined) return undefined
  const found = resolveFrom(path, PACKAGE)
  if (found === undefined)
    throw new CommandError(
      EXIT.configuration,
      `${variable} is set, and ${PACKAGE}, which exports telemetry there, is not installed where ${path} is.`,
      `Install it there with: npm install ${PACKAGE}`,
    )
  const exporters = (await import(pathToFileURL(found).href)) as Exporters
  return exporters.isOtlpWanted(environment) ? exporters : undefined
}
