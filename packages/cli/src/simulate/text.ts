/** A failed seed for people. */
import { styleText } from 'node:util'
import type { FailedSeed } from './runner.ts'

const SHOWN_LINES = 80

export interface FailureTextOptions {
  /** The simulation's file, as a person would write it here. */
  readonly file: string
  readonly name: string
  /** Where the failure is kept. */
  readonly keptIn: string
}

export function failureText(
  { failure, regression, trace, before, tries, repeats }: FailedSeed,
  { file, name, keptIn }: FailureTextOptions,
): string {
  const { seed, faults, choices, onlyOperations } = regression
  const lines = trace.split('\n')
  const left = lines.length - SHOWN_LINES
  const shrunk =
    tries === 0
      ? ''
      : `, of ${count(before.operations, 'operation')} and ${count(before.choices, 'fault')}; found in ${count(tries, 'run')}`
  return [
    `${styleText('red', '✗')} ${styleText('bold', name)}, seed ${seed}, faults ${faults}: ${failure.name}`,
    ...failure.messages.map((message) => `    ${message}`),
    '',
    ...(repeats ? [] : ['  It did not fail a second time: something that it depends on is not decided by the seed.', '']),
    `  It takes ${count(onlyOperations.length, 'operation')} and ${count(choices.length, 'fault')}${shrunk}${choices.length === 0 ? '' : ':'}`,
    ...choices.map((choice) => `    ${choice}`),
    '',
    '  What happened:',
    ...(left > 0 ? [`    (${left} lines before that)`] : []),
    ...lines.slice(-SHOWN_LINES).map((line) => `  ${line}`),
    '',
    `  Again:  skerry simulate ${shellWord(file)} --replay ${shellWord(keptIn)}`,
    '',
  ].join('\n')
}

/** Of a kept failure that does not fail any more. Faults that never came can be why, and then it proves less than it did. */
export function fineText(unasked: readonly string[], { name, keptIn }: FailureTextOptions): string {
  return [
    `${styleText('green', '✓')} ${styleText('bold', name)}  ${keptIn} does not fail any more`,
    ...(unasked.length === 0 ? [] : [`  Never asked for, so the code has changed since it was kept: ${unasked.join(', ')}`]),
    '',
  ].join('\n')
}

/** As a POSIX shell reads it. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
