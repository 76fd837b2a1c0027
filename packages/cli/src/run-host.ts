/** Starts a host of a loaded system as the environment says: what `start` does and what `dev` does in its child. */
import type { Environment, Host, HostConfiguration, Log, LogOptions, Recent, Selection } from 'skerry/runtime'
import type { LoadedEngines } from './engines.ts'
import { enginesFor } from './engines.ts'
import { CommandError, EXIT } from './failure.ts'
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
  { system, path, platform }: LoadedSystem,
  names: readonly string[],
  environment: Environment,
  destination: LogOptions['destination'],
): Promise<PreparedHost> {
  const selection = selectServices({ system, platform }, names)
  const configuration = await platform.readConfiguration(system, selection, environment)
  armCrashPoint(platform, environment['SKERRY_CRASH_AT'])
  const engines = enginesFor(path, configuration)
  let recent: Recent | undefined
  const log = platform.createLog({
    level: configuration.logLevel,
    ...(destination === undefined ? {} : { destination }),
    onLine: (line) => recent?.onLine(line),
  })
  recent = openRecent(platform, configuration, log)
  const telemetry =
    recent && platform.createTelemetry({ clock: platform.systemClock, random: platform.systemRandom, onSpan: recent.onSpan })
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

/** Undefined when nothing is to be kept. */
function openRecent(platform: LoadedSystem['platform'], { recent: place }: HostConfiguration, log: Log): Recent | undefined {
  if (place === undefined) return undefined
  const recent = platform.openRecent({
    place,
    clock: platform.systemClock,
    process: String(process.pid),
    onTrouble: (cause) => log.warn('Recent telemetry cannot be kept, and the host goes on without', { cause }),
  })
  // However the process ends: the last lines are the ones that are looked for.
  process.on('exit', () => recent.close())
  return recent
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
