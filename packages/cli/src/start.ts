/**
 * `skerry start`: runs services and the gateway in this process until it is told to stop. Standard output is for programs:
 * the log as JSON or, with `--json`, the started line alone. What is meant for people goes to standard error.
 */
import type { Log } from 'skerry/runtime'
import { describeFailure, EXIT } from './failure.ts'
import { keepAlive } from './keep-alive.ts'
import { prepareHost } from './run-host.ts'
import { onStopSignal } from './signals.ts'
import { startedFacts, startedLine, startedTable } from './started.ts'
import { loadSystem } from './system-file.ts'

export interface StartOptions {
  readonly system?: string
  readonly json?: boolean
  readonly verbose?: boolean
}

/** Resolves when the host is ready; from then on the process ends by a signal or an error that nothing caught. */
export async function start(names: readonly string[], options: StartOptions): Promise<void> {
  keepAlive()
  const loaded = await loadSystem(options.system)
  const prepared = await prepareHost(loaded, names, process.env, options.json === true ? process.stderr : undefined)
  const tell = (step: string): void => {
    if (options.json === true) prepared.log.info(step)
    else process.stderr.write(`${step}\n`)
  }
  endWithLog(prepared.log)
  const givenUp = new AbortController()
  const starting = prepared.start({ onProgress: tell, signal: givenUp.signal })
  onStopSignal(
    async (signal) => {
      tell(`stopping on ${signal}`)
      givenUp.abort()
      const host = await starting.catch(() => undefined)
      await host?.stop()
    },
    (error) => process.stderr.write(describeFailure(error, options.verbose === true).text),
  )
  const host = await starting.catch((error: unknown) => {
    if (!givenUp.signal.aborted) throw error
    // The process ends by the signal, and that is no failure.
    return new Promise<never>(() => {})
  })
  if (options.json === true) process.stdout.write(`${JSON.stringify(startedLine(host))}\n`)
  else process.stderr.write(startedTable(await startedFacts(loaded.system.name, prepared, host)))
}

/** An error that nothing caught leaves the process in a state that nobody knows. What it had in hand is done again after the next start. */
function endWithLog(log: Log): void {
  process.on('uncaughtException', (cause) => {
    log.error('Nothing caught this error; the process ends', { cause })
    process.exit(EXIT.failed)
  })
}
