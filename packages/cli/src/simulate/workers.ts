/** Spreads seeds over processes: each takes the next one when it has ended one. */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { CommandError, EXIT } from '../failure.ts'
import type { RunnerOptions, SeedReport } from './runner.ts'
import type { FromWorker, SentError, ToWorker } from './worker-process.ts'

const PROGRAM = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './worker-process.ts' : './worker-process.js', import.meta.url))

export interface Seeds {
  /** The next seed; undefined when there is none. */
  readonly next: () => number | undefined
  /** Whoever has run the seed takes the next one when this has resolved. */
  readonly onReport: (report: SeedReport) => void | Promise<void>
}

export interface SpreadOptions extends Seeds {
  readonly workers: number
  readonly runner: RunnerOptions
}

/** Resolves when there are no more seeds and those that were begun have ended. */
export async function spread({ workers, runner, ...seeds }: SpreadOptions): Promise<void> {
  await Promise.all(Array.from({ length: workers }, () => work(runner, seeds)))
}

function work(options: RunnerOptions, { next, onReport }: Seeds): Promise<void> {
  const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  let doing = 'was to run seeds'
  return new Promise((resolve, reject) => {
    const answered = async (message: FromWorker): Promise<void> => {
      if (message.kind === 'broken') throw errorOf(message.error)
      if (message.kind === 'ran') await onReport(message.report)
      const seed = next()
      if (seed === undefined) {
        child.disconnect()
        return resolve()
      }
      doing = `ran seed ${seed}`
      send(child, { kind: 'seed', seed })
    }
    child.on('message', (message: FromWorker) => void answered(message).catch(reject))
    child.on('error', reject)
    child.on('exit', (code, signal) =>
      reject(
        new CommandError(
          EXIT.failed,
          `The process that ${doing} ended: ${signal ?? `exit code ${code}`}.`,
          'Run it with --workers 1 to see why.',
        ),
      ),
    )
    send(child, { kind: 'open', options })
  })
}

function send(child: ChildProcess, message: ToWorker): void {
  child.send(message)
}

function errorOf({ message, ...fields }: SentError): Error {
  return Object.assign(new Error(message), fields)
}
