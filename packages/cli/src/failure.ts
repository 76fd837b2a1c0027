/** How the command fails: what happened, what to do about it, and an exit code that tells scripts whose turn it is. */
import type { SkerryError } from 'skerry/runtime'

export const EXIT = {
  /** It failed while it ran. */
  failed: 1,
  /** The command was not written correctly. */
  usage: 2,
  /** EX_CONFIG of sysexits(3): starting it again will not help. */
  configuration: 78,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A failure of the command itself, beside those of the platform's catalogue. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: ExitCode
  readonly help: string

  constructor(exitCode: ExitCode, message: string, help: string) {
    super(message)
    this.exitCode = exitCode
    this.help = help
  }
}

export interface Failure {
  readonly exitCode: ExitCode
  /** For people; ends with a line break. */
  readonly text: string
}

/** What to print for an error and how to exit. `verbose` adds the stack and the causes. */
export function describeFailure(error: unknown, verbose: boolean): Failure {
  const message = error instanceof Error ? error.message : String(error)
  const lines = [`error: ${message || 'something failed without a message'}`]
  if (error instanceof CommandError || isSkerryError(error)) lines.push('', `What to do: ${error.help}`)
  else if (error instanceof Error && !verbose)
    lines.push(...whereIn(error), '', 'What to do: correct the code there, or run the command with --verbose to see the whole stack.')
  if (verbose && error instanceof Error) lines.push('', stackOf(error))
  return { exitCode: exitCodeOf(error), text: `${lines.join('\n')}\n` }
}

/** By its shape: the system may have a copy of the platform of its own, with a class of its own. */
export function isSkerryError(error: unknown): error is SkerryError {
  return error instanceof Error && error.name === 'SkerryError' && 'code' in error && 'help' in error
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode
  return isSkerryError(error) && error.code === 'configurationInvalid' ? EXIT.configuration : EXIT.failed
}

/** The excerpt that Node puts above the stack of a syntax error, else the first place outside of Node. */
function whereIn(error: Error): string[] {
  const lines = (error.stack ?? '').split('\n')
  const first = lines.findIndex((line) => line.includes(error.message.split('\n', 1)[0]!))
  if (first > 0) return ['', ...lines.slice(0, first).filter((line) => line.trim() !== '')]
  const place = lines.find((line) => /^\s+at /.test(line) && !line.includes('node:'))
  return place === undefined ? [] : ['', `  ${place.trim()}`]
}

function stackOf(error: Error): string {
  const own = error.stack ?? `${error.name}: ${error.message}`
  return error.cause instanceof Error ? `${own}\ncaused by ${stackOf(error.cause)}` : own
}
