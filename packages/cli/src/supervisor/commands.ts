/** The commands that talk to a supervisor, with their options and their help. */
import type { Command } from 'commander'
import type { Shared } from '../admin/options.ts'
import { helpText } from '../help.ts'
import type { RemoteOptions } from './remote.ts'

const VARIABLES = [['SKERRY_DATA', 'the data directory that the supervisor was started with (default: .skerry)']] as const

export function addSupervisor(skerry: Command, { guardToEnd }: Pick<Shared, 'guardToEnd'>): void {
  skerry
    .command('ps')
    .description('Show the instances that skerry start --each runs here.')
    .option('--json', 'print it as one line of JSON')
    .addHelpText(
      'after',
      helpText({
        examples: [['skerry ps', 'what runs, since when, and how much memory it has']],
        variables: VARIABLES,
        notes: ['Exit code 1 when an instance has died and waits to be started again.'],
      }),
    )
    .action((options: RemoteOptions) => guardToEnd(options, async () => (await import('./remote.ts')).ps(options)))
  skerry
    .command('scale')
    .description('Change how many instances of services run. No request fails.')
    .argument('<service=count...>', 'such as orders=3')
    .option('--json', 'print what runs then as one line of JSON')
    .addHelpText(
      'after',
      helpText({ examples: [['skerry scale orders=3 users=1', 'three of one, one of the other']], variables: VARIABLES }),
    )
    .action((counts: string[], options: RemoteOptions) =>
      guardToEnd(options, async () => (await import('./remote.ts')).scale(counts, options)),
    )
  skerry
    .command('restart')
    .description('Replace running instances by new ones, which run the code as it is now, one after the other. No request fails.')
    .argument('[service...]', 'the services, and "gateway" (default: all, and the gateway)')
    .option('--json', 'print what runs then as one line of JSON')
    .addHelpText(
      'after',
      helpText({
        examples: [['skerry restart orders', 'after a change of its code']],
        variables: VARIABLES,
        notes: [
          'An instance stops when its successor serves; when that does not start, it goes on. With an embedded database, which one process has at a time, it stops first.',
        ],
      }),
    )
    .action((services: string[], options: RemoteOptions) =>
      guardToEnd(options, async () => (await import('./remote.ts')).restart(services, options)),
    )
  skerry
    .command('stop')
    .description('Stop what skerry start --each runs here, in order.')
    .option('--json', 'print the result as one line of JSON')
    .addHelpText('after', helpText({ examples: [['skerry stop', 'the same as SIGTERM']], variables: VARIABLES }))
    .action((options: RemoteOptions) => guardToEnd(options, async () => (await import('./remote.ts')).stop(options)))
}
