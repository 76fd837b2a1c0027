/** The commands under `skerry sagas`, with their options and their help. */
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import type { AdminOptions } from '../admin/access.ts'
import type { Shared } from '../admin/options.ts'
import { VARIABLES, withLimit } from '../admin/options.ts'
import { EXIT_CODES, helpText } from '../help.ts'
import type { ActOptions, CancelOptions, ListOptions, SkipOptions } from './sagas.ts'

const STATUSES = ['running', 'waiting', 'compensating', 'parked', 'completed', 'compensated']

export function addSagas(skerry: Command, { withSystem, guardToEnd }: Shared): void {
  const sagas = skerry
    .command('sagas')
    .description('See how sagas get on, and help those that wait for a person.')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry sagas list --status parked', 'those that wait for a person, and why'],
          ['skerry sagas show 019b76da-…', 'one of them, step by step'],
          ['skerry sagas retry 019b76da-…', 'let it go on, once the cause is mended'],
        ],
        variables: VARIABLES,
        notes: ['A running host has its embedded database to itself: give it an ADMIN_PORT, and this command the same.', EXIT_CODES],
      }),
    )
  const withJson = (command: Command): Command => withSystem(command).option('--json', 'print one line of JSON')
  const withAct = (command: Command): Command =>
    withJson(command)
      .argument('<id>', 'as "skerry sagas list" shows it')
      .option('--by <who>', 'who does it, for the record (default: this user at this machine)')
  const help = (examples: readonly (readonly [string, string])[], ...notes: string[]): string =>
    helpText({ examples, variables: VARIABLES, notes: [...notes, EXIT_CODES] })

  withLimit(withJson(sagas.command('list')))
    .description('List sagas, the newest of each service first.')
    .option('--service <name>', 'the service whose sagas they are (default: all)')
    .option('--name <name>', 'the name of the saga, such as checkout')
    .addOption(new Option('--status <status>', 'how they stand; "waiting" is for an event').choices(STATUSES))
    .option('--after <page>', 'goes on behind an earlier list, with the "next" that it printed')
    .addHelpText(
      'after',
      help([
        ['skerry sagas list', 'of every service'],
        ['skerry sagas list --name checkout --status waiting --json', 'as one line of JSON'],
      ]),
    )
    .action((options: ListOptions) => guardToEnd(options, async () => (await import('./sagas.ts')).listSagas(options)))
  withJson(sagas.command('show'))
    .description('Show one saga with its steps, and what people did to it.')
    .argument('<id>', 'as "skerry sagas list" shows it')
    .addHelpText('after', help([['skerry sagas show 019b76da-…', 'one saga']]))
    .action((id: string, options: AdminOptions) => guardToEnd(options, async () => (await import('./sagas.ts')).showSaga(id, options)))
  withAct(sagas.command('retry'))
    .description('Let a parked saga go on where it stands, or make a pending attempt now.')
    .addHelpText('after', help([['skerry sagas retry 019b76da-…', 'once the cause is mended']]))
    .action((id: string, options: ActOptions) => guardToEnd(options, async () => (await import('./sagas.ts')).retrySaga(id, options)))
  withAct(sagas.command('skip'))
    .description('Count the step that parked a saga as done by hand, or as undone when the saga is being undone.')
    .option('--output <json>', 'what the step gave, for the steps behind it', json)
    .option('--step <name>', 'which step, when several parked it')
    .addHelpText(
      'after',
      help(
        [
          ['skerry sagas skip 019b76da-…', 'what the step does has been done by hand'],
          [`skerry sagas skip 019b76da-… --output '{"ref":"F-7"}'`, 'with what it would have given'],
        ],
        'Without --output the steps behind it find nothing from this one.',
      ),
    )
    .action((id: string, options: SkipOptions) => guardToEnd(options, async () => (await import('./sagas.ts')).skipSagaStep(id, options)))
  withAct(sagas.command('cancel'))
    .description('Have a saga undone that is not past its pivot.')
    .option('--reason <code>', 'the code that its steps and its end are given (default: cancelled)')
    .addHelpText('after', help([['skerry sagas cancel 019b76da-… --reason fraud', 'as soon as the step at work has ended']]))
    .action((id: string, options: CancelOptions) => guardToEnd(options, async () => (await import('./sagas.ts')).cancelSaga(id, options)))
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new InvalidArgumentError('Expected JSON.')
  }
}
