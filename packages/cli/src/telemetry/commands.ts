/** The commands that read recent telemetry, with their options and their help. */
import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import type { Shared } from '../admin/options.ts'
import { withLimit } from '../admin/options.ts'
import { EXIT_CODES, helpText, RECENT_VARIABLE } from '../help.ts'
import { wholeNumber } from '../whole-number.ts'
import type { LogsOptions } from './logs.ts'
import type { MapOptions } from './map.ts'
import type { TracesOptions } from './traces.ts'

const VARIABLES = [
  ['ADMIN_URL', 'the admin API of a running host; then no file is opened'],
  ['ADMIN_PORT', 'the same on this machine, tried first'],
  ['SKERRY_DATA', 'folder of the embedded database, which has the file in it (default: .skerry)'],
  RECENT_VARIABLE,
] as const

const MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

export function addTelemetry(skerry: Command, { withSystem, guardToEnd }: Shared): void {
  const withJson = (command: Command): Command =>
    withSystem(command).option('--since <time>', 'leave out what is older, such as 30s, 15m or 2h', ago).option('--json', 'print JSON')

  withLimit(withJson(skerry.command('traces')))
    .description('List recent traces, the latest first, or show one as a tree.')
    .argument('[id]', 'of a trace, as the list or a line of the log shows it; its first digits are enough')
    .option('--service <name>', 'those with a span of this service')
    .option('--operation <name>', 'of this operation, event or name, such as orders.placeOrder')
    .addOption(new Option('--status <status>', 'how they ended').choices(['ok', 'failed']))
    .option('--slower <ms>', 'that took at least so long', wholeNumber)
    .option('--attribute <name=value>', 'with this attribute', attribute)
    .option('--text <text>', 'with this text in their name, failure or attributes')
    .option('--before <page>', 'goes on behind an earlier list, with the "next" that it printed', wholeNumber)
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry traces', 'the latest'],
          ['skerry traces --service payments --status failed --since 15m', 'those in which payments failed'],
          ['skerry traces 0af7651916cd', 'one of them, span by span'],
        ],
        variables: VARIABLES,
        notes: ['A trace is listed when one of its spans is all that is asked for.', EXIT_CODES],
      }),
    )
    .action((id: string | undefined, options: TracesOptions) =>
      guardToEnd(options, async () => (await import('./traces.ts')).traces(id, options)),
    )

  withLimit(withJson(skerry.command('logs')))
    .description('Print the last lines of the log, of all services that keep theirs in one place.')
    .option('--follow', 'go on with those that come, until it is stopped')
    .addOption(new Option('--level <level>', 'this level and those above it').choices(['debug', 'info', 'warn', 'error']))
    .option('--service <name>', 'of this service')
    .option('--trace <id>', 'of this trace')
    .option('--text <text>', 'with this text in their message or fields')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry logs --follow', 'as they come'],
          ['skerry logs --level warn --since 1h', 'what went wrong within the last hour'],
          ['skerry logs --trace 0af7651916cd43dd8448eb211c80319c', 'what was said about one request'],
        ],
        variables: VARIABLES,
        notes: ['With --json each line is one of JSON.', EXIT_CODES],
      }),
    )
    .action((options: LogsOptions) => guardToEnd(options, async () => (await import('./logs.ts')).logs(options)))

  withJson(skerry.command('map'))
    .description('Show who calls whom and who is told what: what is declared against what was seen, and what deserves a second look.')
    .addHelpText(
      'after',
      helpText({
        examples: [
          ['skerry map', 'from the latest traces'],
          ['skerry map --since 5m --json', 'as one line of JSON'],
        ],
        variables: VARIABLES,
        notes: [EXIT_CODES],
      }),
    )
    .action((options: MapOptions) => guardToEnd(options, async () => (await import('./map.ts')).map(options)))
}

/** In milliseconds. */
function ago(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text)
  if (match === null) throw new InvalidArgumentError('Expected a time such as 30s, 15m, 2h or 1d.')
  return Number(match[1]) * MS[match[2] as keyof typeof MS]
}

function attribute(text: string): string {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError('Expected a name and a value, such as http.request.method=POST.')
  return text
}
