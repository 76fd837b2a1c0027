/** The commands, their options and their help. Each command's code is loaded when it runs, so that help is quick. */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import type { AsyncApiOptions } from './asyncapi.ts'
import { addContract } from './contract/commands.ts'
import type { DevOptions } from './dev/dev.ts'
import { addEvents } from './events/commands.ts'
import { CommandError, describeFailure, EXIT } from './failure.ts'
import { addFaults } from './faults/commands.ts'
import type { ComposeOptions, GenerateOptions, NginxOptions } from './generate/generate.ts'
import { DATABASE_VARIABLES, EXIT_CODES, helpText, HOST_VARIABLES } from './help.ts'
import type { MigrateOptions } from './migrate.ts'
import type { OpenApiOptions } from './openapi.ts'
import type { ProjectionsOptions, SkipOptions } from './projections.ts'
import { addSagas } from './sagas/commands.ts'
import type { SimulateOptions } from './simulate/simulate.ts'
import { addSupervisor } from './supervisor/commands.ts'
import { memorySize } from './supervisor/each-options.ts'
import type { EachOptions } from './supervisor/start-each.ts'
import { addTelemetry } from './telemetry/commands.ts'
import { wholeNumber } from './whole-number.ts'

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
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry dev', 'all services, reloaded as files are saved'],
          ['skerry start orders', 'one service, as in production'],
          ['skerry help start', 'options, examples and environment of a command'],
        ],
        notes: [EXIT_CODES],
      }),
    )
  addDev(skerry)
  addStart(skerry)
  addSupervisor(skerry, { guardToEnd })
  addMigrate(skerry)
  addProjections(skerry)
  addOpenApi(skerry)
  addAsyncApi(skerry)
  addEvents(skerry, { withSystem, guardToEnd })
  addSagas(skerry, { withSystem, guardToEnd })
  addTelemetry(skerry, { withSystem, guardToEnd })
  addFaults(skerry, { withSystem, guardToEnd })
  addContract(skerry, { withSystem, guardToEnd })
  addSimulate(skerry)
  addGenerate(skerry)
  nameAlternatives(skerry, skerry)
  return skerry
}

/** Commander says what was wrong; what there is instead belongs in the same message. */
function nameAlternatives(command: Command, skerry: Command): void {
  const names = [...command.commands.map((one) => one.name()), 'help']
  command.copyInheritedSettings(skerry).configureOutput({
    outputError: (text, write) =>
      write(
        `${text}\nWhat to do: ${text.startsWith('error: unknown command') ? `Use one of: ${names.join(', ')}.` : 'See skerry help.'}\n`,
      ),
  })
  for (const one of command.commands) nameAlternatives(one, skerry)
}

function addDev(skerry: Command): void {
  withSystem(skerry.command('dev'))
    .description('Run all services of a system in one process, and pick up changes as they are saved.')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry dev', 'the system in ./system.ts, gateway at http://127.0.0.1:8080'],
          ['PORT=3000 skerry dev', 'the gateway at another port'],
          ['SKERRY_DATA=memory skerry dev', 'with data that is gone at every reload'],
        ],
        variables: HOST_VARIABLES,
        notes: ['Data stays over reloads and restarts. Code that does not load never replaces code that runs.'],
      }),
    )
    .action((options: DevOptions) => guard(options, async () => (await import('./dev/dev.ts')).dev(options)))
}

function addStart(skerry: Command): void {
  withSystem(skerry.command('start'))
    .description('Run all services of a system, or the named ones, in this process or in one each.')
    .argument('[service...]', 'the services to run, and "gateway" (default: all, and the gateway)')
    .option('--json', 'print one line of JSON on standard output when it is ready; the log goes to standard error')
    .option('--each', 'run each in a process of its own, under a supervisor')
    .option('--instances <service=count>', 'with --each: how many of a service (default: 1); more with commas', (text) => text.split(','))
    .option('--memory <size>', 'with --each: an instance that has more is replaced, such as 512M', memorySize)
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry start', 'everything in one process'],
          ['skerry start --each --instances orders=3', 'every service in a process of its own, one in three'],
          ['PORT=3001 skerry start users', 'the service "users" alone'],
          ['USERS_URL=http://users:3001 skerry start gateway', 'the gateway, with "users" elsewhere'],
        ],
        variables: HOST_VARIABLES,
        notes: [
          'SIGTERM and SIGINT stop it in order: no request is cut off, no event is lost. A second signal ends it at once.',
          `${EXIT_CODES} A second signal: 128 and its number.`,
        ],
      }),
    )
    .action((services: string[], options: EachOptions & { readonly each?: boolean }) =>
      guard(options, async () => {
        if (options.each === true) return (await import('./supervisor/start-each.ts')).startEach(services, options)
        if (options.instances !== undefined || options.memory !== undefined)
          throw new CommandError(EXIT.usage, '--instances and --memory are of use to a supervisor only.', 'Add --each.')
        return (await import('./start.ts')).start(services, options)
      }),
    )
}

function addMigrate(skerry: Command): void {
  withSystem(skerry.command('migrate'))
    .description('Bring the databases of all services, or of the named ones, up to date.')
    .argument('[service...]', 'the services whose databases to migrate (default: all)')
    .option('--json', 'print what was applied as one line of JSON')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry migrate', 'every service of ./system.ts'],
          ['ORDERS_DATABASE_URL=postgres://… skerry migrate orders', 'one service'],
        ],
        variables: DATABASE_VARIABLES,
        notes: ['Hosts migrate when they start: this is for doing it before, as a step of its own.', EXIT_CODES],
      }),
    )
    .action((services: string[], options: MigrateOptions) =>
      guardToEnd(options, async () => (await import('./migrate.ts')).migrate(services, options)),
    )
}

function addProjections(skerry: Command): void {
  const projections = skerry
    .command('projections')
    .description('See how far read models are, build one anew, or leave out an event that stops one.')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry projections list', 'all services: position, lag, and what is in the way'],
          ['skerry projections rebuild orders summaries', 'from the first event; the old one answers meanwhile'],
          ['skerry projections skip orders summaries 4711 --reason "ticket 12"', 'leave out the event that stops it'],
        ],
        variables: DATABASE_VARIABLES,
        notes: [
          'An embedded database belongs to one process: stop the host first. On PostgreSQL hosts take notice by themselves.',
          EXIT_CODES,
        ],
      }),
    )
  withSystem(projections.command('list'))
    .description('Print where the projections of all services, or of the named ones, are.')
    .argument('[service...]', 'the services (default: all)')
    .option('--json', 'print it as one line of JSON')
    .action((services: string[], options: ProjectionsOptions) =>
      guardToEnd(options, async () => (await import('./projections.ts')).listProjections(services, options)),
    )
  withSystem(projections.command('rebuild'))
    .description('Build a projection anew, beside the one that answers; hosts do it, and swap it in when it has caught up.')
    .argument('<service>', 'the service')
    .argument('<projection>', 'its projection')
    .option('--json', 'print the result as one line of JSON')
    .action((service: string, projection: string, options: ProjectionsOptions) =>
      guardToEnd(options, async () => (await import('./projections.ts')).rebuildProjection(service, projection, options)),
    )
  withSystem(projections.command('skip'))
    .description('Leave out the event at which a projection has stopped, and let it go on.')
    .argument('<service>', 'the service')
    .argument('<projection>', 'its projection')
    .argument('<position>', 'where it stopped')
    .requiredOption('--reason <text>', 'why: it is kept in skerry_projection_skip')
    .option('--json', 'print the result as one line of JSON')
    .action((service: string, projection: string, position: string, options: SkipOptions) =>
      guardToEnd(options, async () => (await import('./projections.ts')).skipEvent(service, projection, position, options)),
    )
}

function addOpenApi(skerry: Command): void {
  withSystem(skerry.command('openapi'))
    .description('Print the OpenAPI document of a service, or of the gateway.')
    .argument('[service]', 'the service (default: the gateway, with the public operations of all)')
    .option('--public', 'leave out operations that are not public')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry openapi > openapi.json', 'what the gateway serves'],
          ['skerry openapi orders', 'one service, with the operations that only other services call'],
        ],
      }),
    )
    .action((service: string | undefined, options: OpenApiOptions) =>
      guardToEnd(options, async () => (await import('./openapi.ts')).openapi(service, options)),
    )
}

function addAsyncApi(skerry: Command): void {
  withSystem(skerry.command('asyncapi'))
    .description('Print the AsyncAPI document of the events of a service, or of the whole system.')
    .argument('[service]', 'the service (default: all, with who sends and who receives what)')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry asyncapi > asyncapi.json', 'every event of the system'],
          ['skerry asyncapi orders', 'what one service sends and receives'],
        ],
      }),
    )
    .action((service: string | undefined, options: AsyncApiOptions) =>
      guardToEnd(options, async () => (await import('./asyncapi.ts')).asyncapi(service, options)),
    )
}

function addSimulate(skerry: Command): void {
  skerry
    .command('simulate')
    .description('Run whole systems under seeds that decide what goes wrong and in which order everything happens, and shrink what fails.')
    .argument('[file...]', 'files that export a simulation (default: every *.simulation.ts below this folder)')
    .option('--seeds <number>', 'how many seeds to run (default: 100)', wholeNumber)
    .option('--seed <number>', 'the first seed; without --seeds the only one', wholeNumber)
    .addOption(new Option('--until-stopped', 'go on with new seeds until SIGINT or SIGTERM').conflicts('seeds'))
    .addOption(new Option('--faults <level>', 'how much goes wrong').choices(['none', 'mild', 'rough', 'hell']).default('rough'))
    .option('--operations <number>', 'how many operations the clients of a seed carry out', wholeNumber, 40)
    .option('--workers <number>', 'how many processes run seeds', wholeNumber, 1)
    .addOption(new Option('--replay <file>', 'run a failure that was kept, and nothing else').conflicts(['seed', 'seeds', 'untilStopped']))
    .option('--no-shrink', 'do not look for the least that a failure takes')
    .option('--require-sometimes', 'fail when something that must happen in some seed has happened in none')
    .option('--debug', 'run it under the inspector; it waits for a debugger')
    .option('--json', 'print one line of JSON for each simulation')
    .option('--verbose', 'also print how often rare things have happened, and the stack of errors')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry simulate', 'kept failures first, then 100 seeds of each simulation'],
          ['skerry simulate --seeds 5000 --faults hell --workers 4', 'more, worse, and on four cores'],
          ['skerry simulate orders.simulation.ts --seed 4711', 'one seed, told in full when it fails'],
          ['skerry simulate orders.simulation.ts --replay regressions/orders/4711-rough.json', 'one failure, as it was kept'],
        ],
        notes: [
          'A failure is shrunk and kept in regressions/ beside the simulation: commit it with what cures it.',
          'After five failures no more seeds are run.',
          'The same seed of the same code always does the same.',
          EXIT_CODES,
        ],
      }),
    )
    .action((files: string[], options: SimulateOptions) =>
      guardToEnd(options, async () => (await import('./simulate/simulate.ts')).simulate(files, options)),
    )
}

function addGenerate(skerry: Command): void {
  const generate = skerry
    .command('generate')
    .description('Write the files that run a system in production: for Docker, Compose or nginx.')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry generate compose', 'Compose file, Dockerfiles and gateway, beside the system file'],
          ['skerry generate compose --check', 'for CI: fails when they are out of date'],
          ['skerry generate docker orders', 'the Dockerfile of one service'],
          ['skerry generate nginx --upstream orders=10.0.0.7:8080', 'nginx as the gateway'],
        ],
        notes: ['Files that were generated before are replaced; others only with --force.'],
      }),
    )
  withOutput(generate.command('compose'))
    .description('Write a Compose file in which each service has its own image and database, and all that it builds.')
    .addOption(new Option('--gateway <kind>', 'who serves on the public port').choices(['nginx', 'embedded']).default('nginx'))
    .action((options: ComposeOptions) => guardToEnd(options, async () => (await import('./generate/generate.ts')).generateCompose(options)))
  withOutput(generate.command('docker'))
    .description('Write a Dockerfile for each service and the gateway, or for the named ones.')
    .argument('[service...]', 'the services, and "gateway" (default: all, and the gateway)')
    .action((services: string[], options: GenerateOptions) =>
      guardToEnd(options, async () => (await import('./generate/generate.ts')).generateDocker(services, options)),
    )
  withOutput(generate.command('nginx'))
    .description('Write the configuration of nginx as the gateway.')
    .addOption(new Option('--upstream <service=address...>', 'where a service is: orders=10.0.0.7:8080,10.0.0.8:8080, or one DNS name'))
    .option('--listen <address>', 'a port, or an address with a port (default: 8080)')
    .option('--resolver <address...>', 'DNS servers, needed when an upstream is a DNS name')
    .action((options: NginxOptions) => guardToEnd(options, async () => (await import('./generate/generate.ts')).generateNginx(options)))
}

function withOutput(command: Command): Command {
  return withSystem(command)
    .option('--out <folder>', 'where to write (default: the folder of the system file)')
    .option('--check', 'write nothing, and fail when something would be written')
    .option('--force', 'replace files that were not generated')
}

function withSystem(command: Command): Command {
  return command
    .option('--system <file>', 'the file that exports the system (default: system.ts, system.js or src/system.ts)')
    .addOption(new Option('--verbose', 'show the stack of errors').env('SKERRY_DEBUG'))
}

interface Verbosity {
  readonly verbose?: boolean
}

/** Runs a command that goes on until it is stopped. What it has opened must not keep it alive when it fails: hence the exit. */
async function guard({ verbose = false }: Verbosity, command: () => Promise<void>): Promise<void> {
  try {
    await command()
  } catch (error) {
    const failure = describeFailure(error, verbose)
    process.stderr.write(failure.text)
    process.exit(failure.exitCode)
  }
}

/** Runs a command that is done when its promise resolves, whatever the system's modules still have open. */
function guardToEnd(verbosity: Verbosity, command: () => Promise<void>): Promise<void> {
  return guard(verbosity, async () => {
    await command()
    process.stdout.write('', () => process.exit())
  })
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version
}
