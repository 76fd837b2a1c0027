/** The commands under `skerry faults`, with their options and their help. */
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import type { AdminOptions } from '../admin/access.ts'
import type { Shared } from '../admin/options.ts'
import { EXIT_CODES, helpText } from '../help.ts'
import { wholeNumber } from '../whole-number.ts'
import type { InjectOptions } from './faults.ts'

const VARIABLES = [
  ['ADMIN_URL', 'the admin API of the host'],
  ['ADMIN_PORT', 'the same on this machine'],
] as const
const EFFECTS = ['latency', 'error', 'blackHole', 'kill']
const PROBLEMS = ['unavailable', 'internal', 'overloaded']

export function addFaults(skerry: Command, { withSystem, guardToEnd }: Shared): void {
  const faults = skerry
    .command('faults')
    .description('Make a service of a running host slow, failing, silent or dead for a while, to see what becomes of the rest.')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry faults inject inventory latency --latency-ms 3000', 'every operation of inventory takes three seconds longer'],
          ['skerry faults inject payments error --of capturePayment --percent 20', 'every fifth capture fails, on the average'],
          ['skerry faults inject orders blackHole --of getOrder --where id=7', 'questions after order 7 are not answered'],
          ['skerry faults list', 'what was injected, and how many have met it'],
        ],
        variables: VARIABLES,
        notes: [
          'Each ends by itself, after ten minutes when it was not said. What meets it is drawn from --seed.',
          'A host with NODE_ENV=production refuses them, unless SKERRY_FAULTS=on.',
          EXIT_CODES,
        ],
      }),
    )
  const withJson = (command: Command): Command => withSystem(command).option('--json', 'print one line of JSON')
  withJson(faults.command('list'))
    .description('List the faults that have not ended.')
    .action((options: AdminOptions) => guardToEnd(options, async () => (await import('./faults.ts')).listFaults(options)))
  withJson(faults.command('inject'))
    .description('Inject a fault into a service.')
    .argument('<service>', 'the service')
    .argument('<effect>', EFFECTS.join(', '), effect)
    .option('--of <name>', 'one of its operations, or the type of an event that it handles (default: all)')
    .option('--where <field=value>', 'only what has this in its input')
    .option('--percent <number>', 'how many of a hundred meet it (default: 100)', wholeNumber)
    .option('--latency-ms <number>', 'how much longer it takes, for latency (default: 1000)', wholeNumber)
    .addOption(new Option('--problem <code>', 'what it fails with, for error (default: unavailable)').choices(PROBLEMS))
    .option('--seed <number>', 'decides who meets it (default: 1)', wholeNumber)
    .option('--for-ms <number>', 'it ends by itself after so long (default: 600000)', wholeNumber)
    .action((service: string, kind: InjectOptions['effect'], options: InjectOptions) =>
      guardToEnd(options, async () => (await import('./faults.ts')).injectFault(service, { ...options, effect: kind })),
    )
  withJson(faults.command('remove'))
    .description('End a fault now.')
    .argument('<id>', 'as "skerry faults list" shows it')
    .action((id: string, options: AdminOptions) => guardToEnd(options, async () => (await import('./faults.ts')).removeFault(id, options)))
}

function effect(text: string): string {
  if (!EFFECTS.includes(text)) throw new InvalidArgumentError(`Allowed choices are ${EFFECTS.join(', ')}.`)
  return text
}
