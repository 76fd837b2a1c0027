/** A failed seed for people. */
import { styleText } from 'node:util'
import type { FailedSeed } from './runner.ts'

const SHOWN_LINES = 80

export interface FailureTextOptions {
  /** The simulation's file, as a person would write it here. */
  readonly file: string
  readonly name: string
  /** Where the failure is kept; undefined when it is not. */
  readonly keptIn: string | undefined
}

export function failureText(
  { failure, regression, trace, before, tries, unasked }: FailedSeed,
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
    `  It takes ${count(onlyOperations.length, 'operation')} and ${count(choices.length, 'fault')}${shrunk}${choices.length === 0 ? '' : ':'}`,
    ...choices.map((choice) => `    ${choice}`),
    '',
    '  What happened:',
    ...(left > 0 ? [`    (${left} lines before that)`] : []),
    ...lines.slice(-SHOWN_LINES).map((line) => `  ${line}`),
    '',
    ...(unasked.length === 0 ? [] : [`  Never asked for, so the code has changed since it was kept: ${unasked.join(', ')}`, '']),
    keptIn === undefined
      ? `  Again:  skerry simulate ${file} --seed ${seed} --faults ${faults}`
      : `  Again:  skerry simulate ${file} --replay ${keptIn}`,
    '',
  ].join('\n')
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
