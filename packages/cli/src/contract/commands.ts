/** The commands under `skerry contract`, and `skerry check`, with their options and their help. */
import type { Command } from 'commander'
import type { AdminOptions } from '../admin/access.ts'
import type { Shared } from '../admin/options.ts'
import { VARIABLES } from '../admin/options.ts'
import { EXIT_CODES, helpText } from '../help.ts'
import type { CheckOptions } from './check.ts'
import type { ReleaseOptions } from './release.ts'

export function addContract(skerry: Command, { withSystem, guardToEnd }: Shared): void {
  const withReleases = (command: Command): Command =>
    withSystem(command).option('--folder <folder>', 'where releases are kept (default: contracts/ beside the system file)')
  const contract = skerry
    .command('contract')
    .description('Keep contracts as they are released, and see who calls what is deprecated.')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry contract release', 'write contracts/<service>/<version>.json for all that has changed'],
          ['skerry contract callers', 'who still calls deprecated operations'],
        ],
      }),
    )
  withReleases(contract.command('release'))
    .description('Write down the contracts of all services, or of the named ones, each under its version; commit what is written.')
    .argument('[service...]', 'the services (default: all)')
    .option('--json', 'print what was written as one line of JSON')
    .action((services: string[], options: ReleaseOptions) =>
      guardToEnd(options, async () => (await import('./release.ts')).release(services, options)),
    )
  withSystem(contract.command('callers'))
    .description('Show the deprecated operations of all services, or of one, and who still calls them.')
    .argument('[service]', 'the service (default: all)')
    .option('--json', 'print it as one line of JSON')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry contract callers', 'every deprecated operation, the last caller first'],
          ['skerry contract callers orders --json', 'of one service, for programs'],
        ],
        variables: VARIABLES,
        notes: [
          'Callers are known by what they send as User-Agent; a service sends its name and version.',
          'Hosts write what they have counted every few seconds. A running host has its embedded database to itself: give it an ADMIN_PORT,',
          'and this command the same.',
          EXIT_CODES,
        ],
      }),
    )
    .action((service: string | undefined, options: AdminOptions) =>
      guardToEnd(options, async () => (await import('./callers.ts')).callers(service, options)),
    )
  withReleases(skerry.command('check'))
    .description('Hold the code against what was released, and fail when it would break whoever relies on that.')
    .option('--json', 'print it as one line of JSON')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry check', 'contracts, sagas and migrations of every service'],
          ['skerry check --json', 'for programs'],
        ],
        notes: ['What breaks is refused unless the major version says so. It proposes the version that the changes ask for.', EXIT_CODES],
      }),
    )
    .action((options: CheckOptions) => guardToEnd(options, async () => (await import('./check.ts')).check(options)))
}
