/** `skerry start`: runs services and the gateway in this process until it is told to stop. */
import type { Host } from 'skerry/runtime'
import { describeFailure } from './failure.ts'
import { prepareHost } from './run-host.ts'
import { onStopSignal } from './signals.ts'
import { startedFacts, startedLine, startedTable } from './started.ts'
import { loadSystem } from './system-file.ts'

export interface StartOptions {
  readonly system?: string
  readonly json: boolean
  readonly verbose: boolean
}

/**
 * Standard output is for programs: the log as JSON, or with `json` the started line alone, and the log goes to standard error.
 * What is meant for people goes to standard error.
 */
export async function start(names: readonly string[], options: StartOptions): Promise<void> {
  const loaded = await loadSystem(options.system)
  const prepared = await prepareHost(loaded, names, process.env, options.json ? process.stderr : undefined)
  const progress = (step: string): void => {
    if (options.json) prepared.log.info(step)
    else process.stderr.write(`${step}\n`)
  }
  const starting = prepared.start(progress)
  onStopSignal(async (signal) => {
    progress(`stopping (${signal})`)
    const host = await starting.catch(() => undefined)
    await host?.stop()
  }, (error) => process.stderr.write(describeFailure(error, options.verbose).text))
  const host: Host = await starting
  crashWithLog(prepared.log)
  if (options.json) process.stdout.write(`${JSON.stringify(startedLine(host))}\n`)
  else process.stderr.write(startedTable(startedFacts(loaded.system.name, prepared, host)))
}

/** An error that nothing caught leaves the process in an unknown state: it ends, and what it had in hand is done again after the next start. */
function crashWithLog(log: { error(message: string, fields: Readonly<Record<string, unknown>>): void }): void {
  process.on('uncaughtException', (cause) => {
    log.error('An error was not caught by anything; the process ends', { cause })
    process.exit(1)
  })
}
