/** A failure that is kept: not only its seed, which means something else as soon as the code changes, but what happens in it. */
import { SkerryError } from '../base/errors.ts'
import type { FaultLevel } from './faults.ts'
import { FAULT_LEVELS } from './faults.ts'
import type { Run, RunOptions } from './outcome.ts'
import { RUN_DEFAULTS } from './outcome.ts'

export interface Regression {
  /** The name of the simulation. */
  readonly simulation: string
  /** What did not hold when it was found. */
  readonly failure: string
  readonly seed: number
  readonly faults: FaultLevel
  /** How many operations were drawn. */
  readonly operations: number
  /** Those that are carried out, by their index. */
  readonly onlyOperations: readonly number[]
  /** What goes wrong. */
  readonly choices: readonly string[]
  readonly calm: boolean
}

/** What a file of a regression holds. */
export function toRegression(simulation: string, run: Run, options: RunOptions): Regression {
  const { seed, faults, operations, calm = false } = { ...RUN_DEFAULTS, ...options }
  return {
    simulation,
    failure: run.failure === undefined ? '' : `${run.failure.name}: ${run.failure.messages.join('; ')}`,
    seed,
    faults,
    operations,
    onlyOperations: run.history.map(({ index }) => index).toSorted((a, b) => a - b),
    choices: run.choices,
    calm,
  }
}

/** How a regression is run again. */
export function optionsOf({ seed, faults, operations, onlyOperations, choices, calm }: Regression): RunOptions {
  return { seed, faults, operations, onlyOperations: new Set(onlyOperations), only: new Set(choices), calm }
}

/** Reads the text of a regression's file. Throws `regressionInvalid` that says what is wrong with it. */
export function readRegression(text: string, file: string): Regression {
  const wrong = (what: string): SkerryError => new SkerryError('regressionInvalid', `${file} is not a regression of a simulation: ${what}`)
  let value: Partial<Record<keyof Regression, unknown>>
  try {
    value = JSON.parse(text) as typeof value
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error))
  }
  if (typeof value !== 'object' || value === null) throw wrong('expected an object')
  const isListOf = (list: unknown, type: string): boolean => Array.isArray(list) && list.every((item) => typeof item === type)
  if (typeof value.simulation !== 'string') throw wrong('"simulation" must be the name of one')
  if (!Number.isSafeInteger(value.seed)) throw wrong('"seed" must be a whole number')
  if (!FAULT_LEVELS.includes(value.faults as FaultLevel)) throw wrong(`"faults" must be one of ${FAULT_LEVELS.join(', ')}`)
  const operations = value.operations as number
  if (!Number.isSafeInteger(operations) || operations < 1) throw wrong('"operations" must be a whole number from 1')
  // One that is not drawn would be left out in silence, and what then does not fail would pass for cured.
  const isIndex = (index: number): boolean => Number.isInteger(index) && index >= 0 && index < operations
  if (!isListOf(value.onlyOperations, 'number') || !(value.onlyOperations as number[]).every(isIndex))
    throw wrong(`"onlyOperations" must be a list of indexes from 0 to ${operations - 1}`)
  if (!isListOf(value.choices, 'string')) throw wrong('"choices" must be a list of texts')
  if (value.calm !== undefined && typeof value.calm !== 'boolean') throw wrong('"calm" must be true or false')
  return { failure: '', calm: false, ...value } as Regression
}
