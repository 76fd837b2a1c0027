/**
 * How a service (or the gateway) wants to call another: `using(contract, …)` in its `uses`, in place of the contract. All of it is optional and
 * has a default that is safe; what is said of an operation goes before what is said of the whole. What is wrong is refused when it is declared.
 */
import type { Duration } from '../base/duration.ts'
import { milliseconds } from '../base/duration.ts'
import { SkerryError } from '../base/errors.ts'
import type { Contract } from '../contract/contract.ts'
import type { Operation } from '../contract/operation.ts'
import type { InputOf, OutputOf, Schema } from '../contract/schema.ts'
import type { Fallback, LastKnown } from './fallback.ts'

export interface CallPolicies {
  readonly retry?: {
    /** All attempts together, the first included; 1 never retries. Default: 2. */
    readonly attempts?: number
    /** The longest pause before the second attempt, doubled for each further one, and the longest of all. Default: `'25ms..250ms'`. */
    readonly backoff?: `${Duration}..${Duration}`
  }
  /** For callers with such settings there are circuit breakers of their own. */
  readonly breaker?: {
    /** Failures in a row that open it. Default: 5. */
    readonly failures?: number
    /** The share of failures, of at least 20 calls in 10 s, that opens it too. Default: 0.5. */
    readonly failureRate?: number
    /** How long it stays open before a call is let through. Default: `'30s'`. */
    readonly openFor?: Duration
  }
  /** Calls in progress at once, of this caller; what comes on top is refused as `overloaded`. Default: only the host's limit, 1 000 for each service. */
  readonly maxConcurrent?: number
}

export interface OperationPolicies<Input = never, Output = unknown> extends CallPolicies {
  /** How long to wait. Default: the operation's own; with a fallback, at most 80 % of what this caller's own caller still waits. */
  readonly deadline?: Duration
  /**
   * When it gives no answer, say what it has last answered to the same input. For GET, where the answer depends on the input alone: whoever
   * asks the same through this caller is told the same. Any other answer, such as a 404, ends that. Kept in memory, by each service in each process. Default: the failure.
   */
  readonly lastKnown?: true | LastKnown
  /** What to answer when it gives no answer, nor is the last one known. Default: the failure. */
  readonly fallback?: Fallback<Input, Output>
  /** Ask a second instance when the first takes longer than 95 % of answers do. For GET. Default: false. */
  readonly hedge?: boolean
}

export interface DependencyPolicies<C extends Contract> extends CallPolicies {
  readonly operations?: {
    readonly [K in keyof C['operations']]?: C['operations'][K] extends Operation<infer I, infer O>
      ? OperationPolicies<OutputOf<I>, O extends Schema ? InputOf<O> : void>
      : never
  }
}

/** A contract with how it is called. */
export interface Using<C extends Contract = Contract> {
  readonly kind: 'using'
  readonly contract: C
  readonly policies: CallPolicies
  /** By the name of the operation. */
  readonly operations: Readonly<Record<string, OperationPolicies>>
}

/**
 * Calls a service in another way than the usual one.
 *
 * @example service(orders, { uses: { inventory: using(inventory, { operations: { getStock: { deadline: '200ms', lastKnown: true } } }) } })
 */
export function using<C extends Contract>(contract: C, { operations = {}, ...policies }: DependencyPolicies<C>): Using<C> {
  const declared = operations as Readonly<Record<string, OperationPolicies>>
  const mistakes = [
    ...mistakesIn('', policies),
    ...Object.entries(declared).flatMap(([name, own]) => mistakesInOperation(name, contract.operations[name], own)),
  ]
  if (mistakes.length > 0)
    throw new SkerryError(
      'systemInvalid',
      `using(${contract.name}, …) is not valid:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`,
    )
  return Object.freeze({ kind: 'using', contract, policies: Object.freeze(policies), operations: Object.freeze({ ...declared }) })
}

function mistakesInOperation(
  name: string,
  operation: Operation | undefined,
  { deadline, lastKnown, hedge, ...own }: OperationPolicies,
): string[] {
  if (operation === undefined) return [`operations.${name}: the contract declares no such operation`]
  const mistakes = mistakesIn(`operations.${name}.`, own)
  if (deadline !== undefined && !isPositive(deadline))
    mistakes.push(`operations.${name}.deadline must be a duration above zero such as 500ms, not ${deadline}`)
  if (hedge === true && operation.method !== 'GET')
    mistakes.push(`operations.${name}.hedge: only a GET may be asked of two at once, and this is a ${operation.method}`)
  if (lastKnown === undefined) return mistakes
  if (operation.method !== 'GET')
    mistakes.push(`operations.${name}.lastKnown: what was said last tells nothing of the next, for this is a ${operation.method}`)
  const { entries = 1, maxBytes = 1, maxAge = '1s' } = lastKnown === true ? {} : lastKnown
  if (!isCount(entries)) mistakes.push(`operations.${name}.lastKnown.entries must be a whole number from 1, not ${entries}`)
  if (!isCount(maxBytes)) mistakes.push(`operations.${name}.lastKnown.maxBytes must be a whole number from 1, not ${maxBytes}`)
  if (!isPositive(maxAge)) mistakes.push(`operations.${name}.lastKnown.maxAge must be a duration above zero such as 10m, not ${maxAge}`)
  return mistakes
}

function mistakesIn(where: string, { retry = {}, breaker = {}, maxConcurrent = 1 }: CallPolicies): string[] {
  const { attempts = 1, backoff = '1ms..1ms' } = retry
  const { failures = 1, failureRate = 1, openFor = '1s' } = breaker
  const [min, max, ...rest] = backoff.split('..')
  const isRange = rest.length === 0 && isPositive(min) && isPositive(max) && lengthOf(min)! <= lengthOf(max)!
  return [
    ...(isCount(attempts) ? [] : [`${where}retry.attempts must be a whole number from 1, not ${attempts}`]),
    ...(isRange ? [] : [`${where}retry.backoff must be two durations, the shorter first, such as 25ms..250ms, not ${backoff}`]),
    ...(isCount(failures) ? [] : [`${where}breaker.failures must be a whole number from 1, not ${failures}`]),
    ...(failureRate > 0 && failureRate <= 1 ? [] : [`${where}breaker.failureRate must be above 0 and at most 1, not ${failureRate}`]),
    ...(isPositive(openFor) ? [] : [`${where}breaker.openFor must be a duration above zero such as 30s, not ${openFor}`]),
    ...(isCount(maxConcurrent) ? [] : [`${where}maxConcurrent must be a whole number from 1, not ${maxConcurrent}`]),
  ]
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1
}

function isPositive(duration: string | undefined): boolean {
  return (lengthOf(duration) ?? 0) > 0
}

/** Undefined when it is not a duration. */
function lengthOf(duration: string | undefined): number | undefined {
  try {
    return milliseconds(duration as Duration)
  } catch {
    return undefined
  }
}
