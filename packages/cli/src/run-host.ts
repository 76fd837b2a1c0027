/** Starts a host of a loaded system as the environment says: what `start` does and what `dev` does in its child. */
import type { Environment, Host, HostConfiguration, Log, LogOptions, Selection } from 'skerry/runtime'
import type { LoadedEngines } from './engines.ts'
import { enginesFor } from './engines.ts'
import { CommandError, EXIT } from './failure.ts'
import { openTelemetry } from './host-telemetry.ts'
import type { LoadedSystem } from './system-file.ts'

export interface PreparedHost {
  readonly selection: Selection
  readonly configuration: HostConfiguration
  readonly engines: LoadedEngines
  readonly log: Log
  start(options: StartHostOptions): Promise<Host>
}

export interface StartHostOptions {
  readonly onProgress: (step: string) => void
  /** Gives up a start that waits for others. */
  readonly signal: AbortSignal
  /** Takes the place of the configured one. */
  readonly gatewayPort?: number
}

/** Reads all there is to read before anything is opened: names, configuration, crash point. */
export async function prepareHost(
  loaded: LoadedSystem,
  names: readonly string[],
  environment: Environment,
  destination: LogOptions['destination'],
): Promise<PreparedHost> {
  const { system, path, platform } = loaded
  const selection = selectServices({ system, platform }, names)
  const configuration = await platform.readConfiguration(system, selection, environment)
  armCrashPoint(platform, environment['SKERRY_CRASH_AT'])
  const engines = enginesFor(path, configuration)
  const opened = await openTelemetry(loaded, configuration, environment)
  const { telemetry, recent, onLogLine } = opened
  const log = platform.createLog({
    level: configuration.logLevel,
    redact: platform.sensitiveFieldsOf(system),
    onLine: onLogLine,
    ...(destination === undefined ? {} : { destination }),
  })
  opened.complainTo(log)
  return {
    selection,
    configuration,
    engines,
    log,
    start: ({ gatewayPort = configuration.gatewayPort, ...options }) =>
      platform.startHost({
        system,
        selection,
        configuration: { ...configuration, gatewayPort },
        engines,
        log,
        telemetry,
        recent,
        ...options,
      }),
  }
}

/** What the names select; a name that does not exist is a mistake in how the command was written. */
export function selectServices({ system, platform }: Pick<LoadedSystem, 'system' | 'platform'>, names: readonly string[]): Selection {
  const known = [...system.services.map((service) => service.contract.name), ...(system.gateway === undefined ? [] : [platform.GATEWAY])]
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0)
    throw new CommandError(
      EXIT.usage,
      `The system "${system.name}" has no service named ${unknown.map((name) => `"${name}"`).join(' or ')}.`,
      `Use one of: ${known.join(', ')}.`,
    )
  return platform.select(system, names)
}

function armCrashPoint(platform: LoadedSystem['platform'], specification: string | undefined): void {
  if (specification === undefined || specification === '') return
  try {
    platform.armCrashPoint(specification)
  } catch (error) {
    throw new CommandError(
      EXIT.configuration,
      `SKERRY_CRASH_AT: ${error instanceof Error ? error.message : String(error)}`,
      'Correct SKERRY_CRASH_AT, or remove it.',
    )
  }
}
