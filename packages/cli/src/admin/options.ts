/** Options and help that the commands share which look after a system. */
import type { Command } from 'commander'
import { DATABASE_VARIABLES } from '../help.ts'
import { wholeNumber } from '../whole-number.ts'
import type { AdminOptions } from './access.ts'

/** What every command of the program shares. */
export interface Shared {
  readonly withSystem: (command: Command) => Command
  readonly guardToEnd: (options: AdminOptions, command: () => Promise<void>) => Promise<void>
}

export const VARIABLES = [
  ['ADMIN_URL', 'the admin API of a running host; then no database is opened'],
  ['ADMIN_PORT', 'the same on this machine, tried first when the database is embedded'],
  ...DATABASE_VARIABLES,
] as const

const DEFAULT_LIMIT = 50

export function withLimit(command: Command): Command {
  return command.option('--limit <number>', 'how many to show at most', wholeNumber, DEFAULT_LIMIT)
}
