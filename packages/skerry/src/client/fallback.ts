/**
 * What a caller says in place of an operation that gave no answer: what it was told last, or what a function makes up. Declared with `using`, and
 * never in place of an answer: a problem that the contract declares is one.
 */
import type { Duration } from '../base/duration.ts'
import type { InfrastructureFailure } from './call.ts'

/**
 * Makes up an answer, which must be one that the contract allows. Undefined, of an operation that has an output, leaves the failure as it is.
 * Runs after all attempts, and should need nothing that can fail.
 */
export type Fallback<Input = never, Output = unknown> = (context: {
  readonly input: Input
  readonly failure: InfrastructureFailure
}) => Output | undefined | Promise<Output | undefined>

/** How the last good answers are kept, one for each input. The oldest go first. */
export interface LastKnown {
  /** Default: 1 000. */
  readonly entries?: number
  /** Of all of them together, at two bytes a character. An answer above 256 KiB is not kept. Default: 16 777 216. */
  readonly maxBytes?: number
  /** What is older is not said any more. Default: `'10m'`. */
  readonly maxAge?: Duration
}
