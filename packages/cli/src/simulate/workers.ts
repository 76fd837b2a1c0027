/** Spreads seeds over processes: each takes the next one when it has ended one. */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { CommandError, EXIT } from '../failure.ts'
import type { RunnerOptions, SeedReport } from './runner.ts'
import type { FromWorker, ToWorker } from './worker-process.ts'

const PROGRAM = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './worker-process.ts' : './worker-process.js', import.meta.url))

export interface SpreadOptions {
  readonly workers: number
  readonly runner: RunnerOptions
  /** The next seed; undefined when there is none. */
  readonly next: () => number | undefined
  readonly onReport: (report: SeedReport) => void
}

/** Resolves when there are no more seeds and those that were begun have ended. */
export async function spread({ workers, runner, next, onReport }: SpreadOptions): Promise<void> {
  await Promise.all(Array.from({ length: workers }, () => work(runner, next, onReport)))
}

function work(options: RunnerOptions, next: () => number | undefined, onReport: (report: SeedReport) => void): Promise<void> {
  const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return new Promise((resolve, reject) => {
    const goOn = (): void => {
      const seed = next()
      if (seed !== undefined) return send(child, { kind: 'seed', seed })
      child.disconnect()
      resolve()
    }
    child.on('message', (message: FromWorker) => {
      if (message.kind === 'broken') {
        child.disconnect()
        return reject(new CommandError(EXIT.failed, message.message, 'Correct what it says; --workers 1 runs seeds in this process.'))
      }
      if (message.kind === 'ran') onReport(message.report)
      goOn()
    })
    child.on('exit', (code, signal) =>
      reject(
        new CommandError(
          EXIT.failed,
          `A process that ran seeds ended: ${signal ?? `exit code ${code}`}.`,
          'Run with --workers 1 to see why.',
        ),
      ),
    )
    send(child, { kind: 'open', options })
  })
}

function send(child: ChildProcess, message: ToWorker): void {
  child.send(message)
}
