/** The commands under `skerry events`, with their options and their help. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { AdminOptions } from '../admin/access.ts'
import type { Shared } from '../admin/options.ts'
import { VARIABLES, withLimit } from '../admin/options.ts'
import { EXIT_CODES, helpText } from '../help.ts'
import type { DiscardOptions, ListOptions, ReplayOptions } from './dead.ts'

const CAUSES = ['undecodable', 'undeclared', 'invalid', 'overtaken', 'rejected', 'exhausted']
export function addEvents(skerry: Command, shared: Shared): void {
  const events = skerry
    .command('events')
    .description('See how events get on: what waits, what is dead, and what to do about it.')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry events status', 'what waits and what is dead, service by service'],
          ['skerry events dead list', 'the events that could not be handled'],
          ['skerry events dead replay --all', 'hand them to their handlers once more'],
        ],
        variables: VARIABLES,
        notes: ['A running host has its embedded database to itself: give it an ADMIN_PORT, and this command the same.', EXIT_CODES],
      }),
    )
  withService(shared.withSystem(events.command('status')))
    .description('Show what waits in outboxes and inboxes, and how many dead letters there are.')
    .addHelpText('after', helpText({ examples: [['skerry events status', 'every service']], variables: VARIABLES, notes: [EXIT_CODES] }))
    .action((options: AdminOptions) => shared.guardToEnd(options, async () => (await import('./status.ts')).eventStatus(options)))
  addDead(events.command('dead').description('Dead letters: events that could not be handled and are kept.'), shared)
}

function addDead(dead: Command, { withSystem, guardToEnd }: Shared): void {
  withLimit(withFilters(withService(withSystem(dead.command('list')))))
    .description('List dead letters, the oldest of each service first.')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry events dead list', 'of every service'],
          ['skerry events dead list --cause invalid --json', 'as one line of JSON'],
        ],
        variables: VARIABLES,
        notes: [EXIT_CODES],
      }),
    )
    .action((options: ListOptions) => guardToEnd(options, async () => (await import('./dead.ts')).listDead(options)))
  withService(withSystem(dead.command('show')))
    .description('Show one dead letter with its event and its stack.')
    .argument('<id>', 'as "skerry events dead list" shows it')
    .addHelpText(
      'after',
      helpText({ examples: [['skerry events dead show 019b76da-…', 'one letter']], variables: VARIABLES, notes: [EXIT_CODES] }),
    )
    .action((id: string, options: AdminOptions) => guardToEnd(options, async () => (await import('./dead.ts')).showDead(id, options)))
  withAct(withSystem(dead.command('replay')))
    .description('Hand dead letters to their handlers once more, with the same id, key and number.')
    .option('--out-of-order', 'also events whose key has gone on without them')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry events dead replay 019b76da-…', 'one letter'],
          ['skerry events dead replay --error 5f1c2b3a', 'all that failed in the same way, once it is corrected'],
          ['skerry events dead replay --all --dry-run', 'what that would do'],
        ],
        variables: VARIABLES,
        notes: ['The events of a key that wait behind a letter go on, in order, once it has been handled.', EXIT_CODES],
      }),
    )
    .action((id: string | undefined, options: ReplayOptions) =>
      guardToEnd(options, async () => (await import('./dead.ts')).replayDead(id, options)),
    )
  withAct(withSystem(dead.command('discard')))
    .description('Forget dead letters for good, and let their keys go on behind them.')
    .option('--yes', 'needed to discard more than one named by its id')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry events dead discard 019b76da-… --note "test data"', 'one letter'],
          ['skerry events dead discard --cause undecodable --yes', 'many'],
        ],
        variables: VARIABLES,
        notes: ['Who discarded what stays in the audit; the events themselves are gone.', EXIT_CODES],
      }),
    )
    .action((id: string | undefined, options: DiscardOptions) =>
      guardToEnd(options, async () => (await import('./dead.ts')).discardDead(id, options)),
    )
  withLimit(withService(withSystem(dead.command('audit'))))
    .description('Show who replayed and discarded what, the latest of each service first.')
    .addHelpText(
      'after',
      helpText({ examples: [['skerry events dead audit', 'of every service']], variables: VARIABLES, notes: [EXIT_CODES] }),
    )
    .action((options: ListOptions) => guardToEnd(options, async () => (await import('./dead.ts')).auditDead(options)))
}

function withService(command: Command): Command {
  return command.option('--service <name>', 'the consuming service (default: all)').option('--json', 'print one line of JSON')
}

function withFilters(command: Command): Command {
  return command
    .addOption(new Option('--cause <cause>', 'why they are dead').choices(CAUSES))
    .option('--error <hash>', 'the error hash, the same for failures of one kind')
    .option('--type <type>', 'the type of event, such as orders.orderPlaced.v1')
    .option('--key <key>', 'the ordering key')
}

function withAct(command: Command): Command {
  return withFilters(withService(command.argument('[id]', 'one letter; without it say which by the options')))
    .option('--all', 'every dead letter')
    .option('--dry-run', 'only show what would be done')
    .option('--by <who>', 'who does it, for the audit (default: this user at this machine)')
    .option('--note <text>', 'why, for the audit')
}
