/**
 * The telemetry of a host that the command starts: recorded always, kept at hand for a while, and exported where OpenTelemetry's variables name an
 * endpoint.
 */
import { pathToFileURL } from 'node:url'
import type { Environment, HostConfiguration, HostTelemetry, Log, Metrics, Recent, SpanRecord } from 'skerry/runtime'
import { CommandError, EXIT } from './failure.ts'
import type { LoadedSystem, Platform } from './system-file.ts'
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
  /** Undefined when nothing is kept. */
  readonly recent: Recent | undefined
  /** Lines of the log are to be given to it. */
  readonly onLogLine: ((line: string) => void) | undefined
  /** Told when a log is there to complain to. */
  complainTo(log: Log): void
}

const PACKAGE = '@skerry/opentelemetry'
const ENDPOINT = /^OTEL_EXPORTER_OTLP_(?:(?:TRACES|METRICS|LOGS)_)?ENDPOINT$/

export async function openTelemetry(
  { system, path, platform }: LoadedSystem,
  { sampling, recent: place }: HostConfiguration,
  environment: Environment,
): Promise<OpenedTelemetry> {
  let log: Log | undefined
  let exported: Otlp | undefined
  const exporters = await exportersOf(path, environment)
  let trouble: (() => void) | undefined
  const recent = openRecent(platform, place, (cause) => {
    trouble = () => log?.warn('Recent telemetry cannot be kept, and the host goes on without', { cause })
    trouble()
  })
  const telemetry = platform.createTelemetry({
    clock: platform.systemClock,
    random: platform.systemRandom,
    sampler: platform.samplerOf(sampling.sampler, sampling.ratio),
    onSpan: both(recent?.onSpan, exporters && ((span) => exported?.onSpan(span))),
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
    recent,
    onLogLine: both(recent?.onLine, exported && ((line) => exported.onLogLine(line))),
    complainTo: (to) => {
      log = to
      trouble?.()
    },
  }
}

/** Undefined when nothing is to be kept. */
function openRecent(platform: Platform, place: HostConfiguration['recent'], onTrouble: (error: unknown) => void): Recent | undefined {
  if (place === undefined) return undefined
  const recent = platform.openRecent({ place, clock: platform.systemClock, process: String(process.pid), onTrouble })
  // However the process ends: the last lines are the ones that are looked for.
  process.on('exit', () => recent.close())
  return recent
}

/** Gives what it is given to whoever wants it; undefined when nobody does. */
function both<T>(one: ((given: T) => void) | undefined, other: ((given: T) => void) | undefined): ((given: T) => void) | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return (given) => {
    one(given)
    other(given)
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
