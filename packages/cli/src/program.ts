/** The commands, their options and their help. Each command's code is loaded when it runs, so that help is quick. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import type { DevOptions } from './dev/dev.ts'
import { describeFailure, EXIT } from './failure.ts'
import type { StartOptions } from './start.ts'

/** Runs the command that the arguments name. A failure is printed and ends the process with its exit code. */
export async function run(parameters: readonly string[]): Promise<void> {
  try {
    await program().parseAsync(parameters, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exit(error.exitCode === 0 ? 0 : EXIT.usage)
  }
}

function program(): Command {
  const skerry = new Command('skerry')
    .description('Runs a system of services, in one process or in many.')
    .version(version(), '--version', 'print the version')
    .exitOverride()
  addStart(skerry)
  addDev(skerry)
  return skerry
}

function addStart(skerry: Command): void {
  withSystem(skerry.command('start'))
    .description('Run all services of a system, or the named ones, in this process.')
    .argument('[service...]', 'the services to run, and "gateway" (default: all, and the gateway)')
    .option('--json', 'print one line of JSON on standard output when it is ready; the log goes to standard error', false)
    .action((services: string[], options: StartOptions) => guard(options, async () => (await import('./start.ts')).start(services, options)))
}

function addDev(skerry: Command): void {
  withSystem(skerry.command('dev'))
    .description('Run all services of a system, and pick up changes as they are saved.')
    .action((options: DevOptions) => guard(options, async () => (await import('./dev/dev.ts')).dev(options)))
}

function withSystem(command: Command): Command {
  return command
    .option('--system <file>', 'the file that exports the system (default: system.ts, system.js or src/system.ts)')
    .option('--verbose', 'show the stack of errors (also: SKERRY_DEBUG=1)', (process.env['SKERRY_DEBUG'] ?? '') !== '')
}

/** What had been opened, or a system file that keeps timers, must not keep a failed command alive: hence the exit. */
async function guard({ verbose }: { readonly verbose: boolean }, command: () => Promise<void>): Promise<void> {
  try {
    await command()
  } catch (error) {
    const failure = describeFailure(error, verbose)
    process.stderr.write(failure.text)
    process.exit(failure.exitCode)
  }
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version
}
