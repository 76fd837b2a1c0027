/**
 * A saga: a piece of work across services that is either done whole or undone. It is declared as named steps, not as code that is
 * replayed: what is kept is which steps are done and what they gave, so there are no rules of determinism, and a page can draw it.
 */
import type { Duration } from '../base/duration.ts'
import { milliseconds } from '../base/duration.ts'
import { SkerryError } from '../base/errors.ts'
import type { Event } from '../contract/event.ts'
import type { OutputOf, Schema } from '../contract/schema.ts'

/** Why a saga is being undone. */
export interface SagaFailure {
  /** `refused`: a called operation answered with a declared problem. `aborted`: a step threw `abort(…)`. */
  readonly reason: 'refused' | 'aborted' | 'exhausted' | 'deadlineExceeded' | 'timedOut' | 'cancelled' | 'broken'
  /** The step at which it happened; undefined for the saga's own deadline and for `cancel`. */
  readonly step: string | undefined
  readonly message: string
  /** The problem's code, or what was given to `abort` or `cancel`. */
  readonly code: string
  readonly data: unknown
}

/** Thrown by a step that finds that the saga must be undone. */
export class SagaAborted extends Error {
  override readonly name = 'SagaAborted'
  readonly code: string
  readonly data: unknown

  constructor(code: string, data: unknown) {
    super(`The saga was aborted: ${code}`)
    this.code = code
    this.data = data
  }
}

export interface StepInput<Input, Done> {
  readonly input: Input
  /** What the steps before it gave, by name. */
  readonly done: Done
  readonly saga: { readonly id: string; readonly startedAt: Date }
  /** `throw abort('priceChanged', { … })`: undoes the saga, with this code as its reason. */
  readonly abort: (code: string, data?: unknown) => SagaAborted
}

/** What an undo knows of its own step: nothing when it was never known whether the step took effect. */
export interface UndoInput<Output> {
  readonly result: Output | undefined
  readonly failure: SagaFailure
}

export interface RetryPolicy {
  /** How often it may fail before the saga is undone. Default 12; what is merely unreachable is tried for ever, or until the saga's deadline. */
  readonly attempts?: number
  /** From the first pause to the longest, doubling. Default `'1s..10m'`. */
  readonly backoff?: `${Duration}..${Duration}`
}

interface StepOptions<Input, Done> {
  /** Left out, and undefined in `done`, when this is false. */
  readonly when?: (context: { readonly input: Input; readonly done: Done }) => boolean
  /** From the moment it may have taken effect nothing is undone any more: what follows is tried until it is done. */
  readonly pivot?: boolean
  readonly retry?: RetryPolicy
}

/** A step that calls other services or the world. Calls carry an idempotency key of the step, so a repetition finds the first answer. */
export interface Step<Remote, Input, Done, Output> extends StepOptions<Input, Done> {
  readonly run: (context: Remote & StepInput<Input, Done>) => Promise<Output>
  /** Must succeed also when the step never took effect. Tried until it does; what refuses for good parks the saga for a person. */
  readonly undo?: (context: Remote & StepInput<Input, Partial<Done>> & UndoInput<Output>) => Promise<unknown>
  /** How long one attempt may take. Default `'30s'`. */
  readonly timeout?: Duration
}

/** A step in the service's own database, in the transaction that also records it: it happens once. */
export interface LocalStep<Local, Input, Done, Output> extends StepOptions<Input, Done> {
  readonly run: (context: Local & StepInput<Input, Done>) => Promise<Output>
  readonly undo?: (context: Local & StepInput<Input, Partial<Done>> & UndoInput<Output>) => Promise<unknown>
}

export interface WaitOptions<Input, Done, Data> {
  /** The ordering key of the event that it waits for. */
  readonly key: (context: { readonly input: Input; readonly done: Done }) => string | number
  /** Looks closer at events of that key. Default: the first that comes after the saga was started. */
  readonly where?: (event: Data, context: { readonly input: Input; readonly done: Done }) => boolean
  readonly timeout: Duration
}

interface Endings<Local, Input, Done> {
  /** Runs in the transaction that ends the saga when all steps are done. */
  readonly completed?: (context: Local & StepInput<Input, Done>) => Promise<unknown>
  /** Runs in the transaction that ends the saga when all is undone. */
  readonly compensated?: (context: Local & StepInput<Input, Partial<Done>> & { readonly failure: SagaFailure }) => Promise<unknown>
}

/** A declared saga, as `start` takes it. */
export interface Saga<I extends Schema = Schema> {
  readonly kind: 'saga'
  readonly definition: SagaDefinition
  /** Carries the type of the input; it has no value at run time. */
  readonly startsWith?: I
}

type With<Done, Name extends string, Output> = Done & { readonly [K in Name]: Output }

/** Steps are added in their order. Each call gives a new declaration; the last one is the saga. */
export interface SagaBuilder<I extends Schema, Remote, Local, Done> extends Saga<I> {
  step<const Name extends string, Output>(
    name: Name,
    step: Step<Remote, OutputOf<I>, Done, Output> & { readonly when?: undefined },
  ): SagaBuilder<I, Remote, Local, With<Done, Name, Output>>
  step<const Name extends string, Output>(
    name: Name,
    step: Step<Remote, OutputOf<I>, Done, Output>,
  ): SagaBuilder<I, Remote, Local, With<Done, Name, Output | undefined>>
  local<const Name extends string, Output>(
    name: Name,
    step: LocalStep<Local, OutputOf<I>, Done, Output> & { readonly when?: undefined },
  ): SagaBuilder<I, Remote, Local, With<Done, Name, Output>>
  local<const Name extends string, Output>(
    name: Name,
    step: LocalStep<Local, OutputOf<I>, Done, Output>,
  ): SagaBuilder<I, Remote, Local, With<Done, Name, Output | undefined>>
  /** Steps that run side by side. When one fails, the others end first. None of them can be the pivot. */
  parallel<Outputs extends Record<string, unknown>>(steps: {
    readonly [Name in keyof Outputs]: Step<Remote, OutputOf<I>, Done, Outputs[Name]> & { readonly pivot?: false }
  }): SagaBuilder<I, Remote, Local, Done & { readonly [Name in keyof Outputs]: Outputs[Name] }>
  /** Goes on when the event comes; it may have come before this point was reached. Undoes the saga (`timedOut`) when it does not come in time. */
  waitFor<const Name extends string, S extends Schema>(
    name: Name,
    event: Event<S>,
    options: WaitOptions<OutputOf<I>, Done, OutputOf<S>>,
  ): SagaBuilder<I, Remote, Local, With<Done, Name, OutputOf<S>>>
  /** What is written and emitted with the end of the saga. */
  finally(endings: Endings<Local, OutputOf<I>, Done>): Saga<I>
}

export interface SagaOptions<I extends Schema> {
  readonly input: I
  /**
   * Instances go on with the version they were started with. Steps may be appended to a version; any other change needs a new version,
   * with the old one kept as long as instances of it run. Default 1.
   */
  readonly version?: number
  /** How long the whole may take before it is undone; not counted from the pivot on. Default: no limit. */
  readonly deadline?: Duration
}

/** What the platform knows of one step. */
export interface StepDefinition {
  readonly name: string
  readonly kind: 'remote' | 'local' | 'wait'
  readonly pivot: boolean
  readonly maxAttempts: number
  readonly minBackoffMs: number
  readonly maxBackoffMs: number
  readonly timeoutMs: number
  readonly event: Event | undefined
  readonly when: ((context: never) => boolean) | undefined
  readonly run: ((context: never) => Promise<unknown>) | undefined
  readonly undo: ((context: never) => Promise<unknown>) | undefined
  readonly key: ((context: never) => string | number) | undefined
  readonly where: ((event: never, context: never) => boolean) | undefined
}

export interface SagaDefinition {
  /** The contract of the service whose saga it is. */
  readonly service: string
  readonly name: string
  readonly version: number
  readonly input: Schema
  readonly deadlineMs: number | undefined
  /** The steps in their order; those of one stage run side by side. */
  readonly stages: readonly (readonly StepDefinition[])[]
  readonly completed: ((context: never) => Promise<unknown>) | undefined
  readonly compensated: ((context: never) => Promise<unknown>) | undefined
}

const NAME = /^[a-zA-Z][a-zA-Z0-9]{0,62}$/
const DEFAULT_TIMEOUT = '30s'
const DEFAULT_ATTEMPTS = 12
const DEFAULT_BACKOFF = '1s..10m'

/** Begins the declaration of a saga of a service. */
export function declareSaga<I extends Schema, Remote, Local>(
  service: string,
  name: string,
  { input, version = 1, deadline }: SagaOptions<I>,
): SagaBuilder<I, Remote, Local, Record<never, never>> {
  checkName('saga', name, service)
  if (!Number.isInteger(version) || version < 1) throw invalid(service, name, `version ${version} is not a whole number from 1`)
  const deadlineMs = deadline === undefined ? undefined : milliseconds(deadline)
  return builder({ service, name, version, input, deadlineMs, stages: [], completed: undefined, compensated: undefined }) as never
}

function builder(definition: SagaDefinition): object {
  const add = (stage: readonly StepDefinition[]): object => {
    const names = new Set(definition.stages.flat().map((step) => step.name))
    for (const { name } of stage) {
      checkName('step', name, `${definition.service}.${definition.name}`)
      if (names.has(name)) throw invalid(definition.service, definition.name, `two steps are named "${name}"`)
      names.add(name)
    }
    const pivots = [...definition.stages.flat(), ...stage].filter(({ pivot }) => pivot)
    if (pivots.length > 1)
      throw invalid(definition.service, definition.name, `${pivots.map(({ name }) => name).join(' and ')} are both the pivot`)
    return builder({ ...definition, stages: [...definition.stages, Object.freeze(stage)] })
  }
  const step = (name: string, kind: 'remote' | 'local', options: AnyStep): StepDefinition => stepDefinition(definition, name, kind, options)
  return Object.freeze({
    kind: 'saga',
    definition: Object.freeze(definition),
    step: (name: string, options: AnyStep) => add([step(name, 'remote', options)]),
    local: (name: string, options: AnyStep) => add([step(name, 'local', options)]),
    parallel(steps: Readonly<Record<string, AnyStep>>) {
      const stage = Object.entries(steps).map(([name, options]) => step(name, 'remote', options))
      const pivot = stage.find((beside) => beside.pivot)
      if (pivot !== undefined)
        throw invalid(
          definition.service,
          definition.name,
          `the pivot "${pivot.name}" stands in parallel(…): from when on nothing is undone could not be told of the steps beside it, so give it a step(…) of its own, before or behind them`,
        )
      return add(stage)
    },
    waitFor: (name: string, event: Event, options: WaitOptions<never, never, never>) => add([waitDefinition(name, event, options)]),
    finally: ({ completed, compensated }: Endings<never, never, never>) =>
      Object.freeze({ kind: 'saga', definition: Object.freeze({ ...definition, completed, compensated }) }),
  })
}

type AnyStep = Step<never, never, never, unknown>

function stepDefinition(saga: SagaDefinition, name: string, kind: 'remote' | 'local', options: AnyStep): StepDefinition {
  const { attempts = DEFAULT_ATTEMPTS, backoff = DEFAULT_BACKOFF } = options.retry ?? {}
  if (!Number.isInteger(attempts) || attempts < 1)
    throw invalid(saga.service, saga.name, `step "${name}" has ${attempts} attempts: expected 1 or more`)
  const [min, max] = backoff.split('..') as [Duration, Duration]
  return Object.freeze({
    name,
    kind,
    pivot: options.pivot ?? false,
    maxAttempts: attempts,
    minBackoffMs: milliseconds(min),
    maxBackoffMs: milliseconds(max),
    // A transaction that goes on behind a timeout could commit all the same.
    timeoutMs: kind === 'local' ? Infinity : milliseconds(options.timeout ?? DEFAULT_TIMEOUT),
    event: undefined,
    when: options.when,
    run: options.run,
    undo: options.undo,
    key: undefined,
    where: undefined,
  })
}

function waitDefinition(name: string, event: Event, { key, where, timeout }: WaitOptions<never, never, never>): StepDefinition {
  return Object.freeze({
    name,
    kind: 'wait',
    pivot: false,
    maxAttempts: Infinity,
    minBackoffMs: 0,
    maxBackoffMs: 0,
    timeoutMs: milliseconds(timeout),
    event,
    when: undefined,
    run: undefined,
    undo: undefined,
    key,
    where,
  })
}

function checkName(what: string, name: string, of: string): void {
  if (!NAME.test(name)) throw invalid(of, name, `a ${what} is named like a function: letters and digits, at most 63`)
}

function invalid(service: string, name: string, message: string): SkerryError {
  return new SkerryError('systemInvalid', `The saga "${name}" of "${service}": ${message}`)
}
