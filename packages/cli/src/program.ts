/** The commands, their options and their help. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { describeFailure, EXIT } from './failure.ts'
import type { StartOptions } from './start.ts'
import { start } from './start.ts'

/** Runs the command that the arguments name. Failures are printed and set the exit code. */
export async function run(parameters: readonly string[]): Promise<void> {
  const verbose = parameters.includes('--verbose') || (process.env['SKERRY_DEBUG'] ?? '') !== ''
  try {
    await program().parseAsync(parameters, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : EXIT.usage)
    const failure = describeFailure(error, verbose)
    process.stderr.write(failure.text)
    // What had been opened, or a system file that keeps timers, must not keep a failed command alive.
    process.exit(failure.exitCode)
  }
}

function program(): Command {
  const skerry = new Command('skerry')
    .description('Runs a system of services, in one process or in many.')
    .version(version(), '--version', 'print the version')
    .exitOverride()
  startCommand(skerry)
  return skerry
}

function startCommand(skerry: Command): void {
  skerry
    .command('start')
    .description('Run all services of a system, or the named ones, in this process.')
    .argument('[service...]', 'the services to run, and "gateway" (default: all, and the gateway)')
    .option('--system <file>', 'the file that exports the system (default: system.ts, system.js or src/system.ts)')
    .option('--json', 'print one line of JSON on standard output when it is ready; the log goes to standard error', false)
    .option('--verbose', 'show the stack of errors', false)
    .action((services: string[], options: StartOptions) => start(services, options))
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version
}
