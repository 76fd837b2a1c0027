/** The types of a typed call: what the caller writes, what it gets, and how it can fail. */
import type { Duration } from '../base/duration.ts'
import type { Contract } from '../contract/contract.ts'
import type { Degradation } from '../contract/degradation.ts'
import type { Operation } from '../contract/operation.ts'
import type { ProblemData, Problems } from '../contract/problem.ts'
import type { InputOf, OutputOf, Schema } from '../contract/schema.ts'
import type { TimeSpent } from '../contract/time-spent.ts'

export interface CallOptions {
  /** How long to wait. Default: the operation's own; never longer than what the caller's caller waits. */
  readonly deadline?: Duration
  /** Names this attempt and its repetitions, for operations declared `idempotent`. */
  readonly idempotencyKey?: string
}

/** The problem declared under this code, with its particulars. */
export type DeclaredFailure<E extends Problems> = {
  readonly [Code in keyof E & string]: {
    readonly code: Code
    readonly status: number
    readonly detail: string
    readonly data: ProblemData<E[Code]>
  }
}[keyof E & string]

/** The call did not get an answer from the operation's code, or got none that its contract knows. */
export interface InfrastructureFailure {
  readonly code:
    /** Not reachable, answered 5xx, or its circuit breaker is open. */
    | 'unavailable'
    | 'deadlineExceeded'
    /** It refused the load: 429, or 503 `overloaded`. */
    | 'overloaded'
  readonly status: 503 | 504
  readonly detail: string
  readonly data: {
    readonly service: string
    readonly operation: string
    readonly retryAfterMs?: number
    readonly timing?: readonly TimeSpent[]
  }
}

export type Result<T, E> =
  | {
      readonly ok: true
      readonly value: T
      /** What stands in for something in the value, here or further on; absent when it is whole. */
      readonly degraded?: readonly Degradation[]
    }
  | { readonly ok: false; readonly error: E }

type Input<I extends Schema> = InputOf<I>

type Arguments<I> = undefined extends I
  ? [input?: I, options?: CallOptions]
  : Record<never, never> extends I
    ? [input?: I, options?: CallOptions]
    : [input: I, options?: CallOptions]

export type OutputValue<O extends Schema | undefined> = O extends Schema ? OutputOf<O> : void

export interface Call<I extends Schema, O extends Schema | undefined, E extends Problems> {
  /** Resolves with the output; throws a `CallError` for everything else. */
  (...args: Arguments<Input<I>>): Promise<OutputValue<O>>
  /** Resolves with the output, a declared problem or an infrastructure failure. Throws only for mistakes in this code, such as input that breaks the contract. */
  try(...args: Arguments<Input<I>>): Promise<Result<OutputValue<O>, DeclaredFailure<E> | InfrastructureFailure>>
}

/** A typed caller of every operation of a contract. */
export type Client<C> =
  C extends Contract<string, infer Ops, infer _Events>
    ? { readonly [K in keyof Ops]: Ops[K] extends Operation<infer I, infer O, infer E> ? Call<I, O, E> : never }
    : never
