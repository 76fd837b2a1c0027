/** `skerry dev`: runs every service of a system, and picks up changes as they are saved. */
import { systemClock } from 'skerry/engine'
import { describeFailure } from '../failure.ts'
import { keepAlive } from '../keep-alive.ts'
import { onStopSignal } from '../signals.ts'
import { findSystemFile } from '../system-file.ts'
import { Development } from './development.ts'

export interface DevOptions {
  readonly system?: string
  readonly verbose?: boolean
}

export async function dev(options: DevOptions): Promise<void> {
  const file = await findSystemFile(options.system)
  const development = new Development({ file, verbose: options.verbose === true, environment: process.env, clock: systemClock })
  keepAlive()
  onStopSignal(
    (signal) => {
      process.stdout.write(`stopping on ${signal}\n`)
      return development.stop()
    },
    (error) => process.stderr.write(describeFailure(error, options.verbose === true).text),
    () => development.kill(),
  )
  const exitCode = await development.run()
  if (exitCode !== 0) process.exit(exitCode)
}
