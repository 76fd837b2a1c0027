/** What a handler is given: its input, and every way out of itself. Handlers take time, randomness, ids, peers and data from here and nowhere else. */
import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import type { Duration } from '../base/duration.ts'
import type { NewId } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import type { Client } from '../client/call.ts'
import type { Using } from '../client/policies.ts'
import type { Contract } from '../contract/contract.ts'
import type { Event, EventInput } from '../contract/event.ts'
import type { Operation } from '../contract/operation.ts'
import type { Problem, ProblemData, Problems } from '../contract/problem.ts'
import type { InputOf, OutputOf, Schema } from '../contract/schema.ts'
import type { Isolation } from '../engine/database.ts'
import type { ProjectionReader } from '../event-store/projection-access.ts'
import type { StreamReaders, Streams, StreamWriters } from '../event-store/streams.ts'
import type { EventMeta } from '../events/subscription.ts'
import type { Saga, SagaReference, StartOptions } from '../saga/index.ts'
import type { Log } from '../telemetry/log.ts'

/** The contracts a service calls, under the names it calls them by; those that it calls in a way of its own come from `using(…)`. */
export type Uses = Readonly<Record<string, Contract | Using>>

/** One typed client for each contract in `uses`. */
export type Clients<U extends Uses> = { readonly [K in keyof U]: Client<U[K] extends Using<infer C> ? C : U[K]> }

/** `emit.orderPlaced({ … })` for each event of the contract. */
export type Emit<C> = C extends { readonly events: infer Events }
  ? {
      readonly [K in keyof Events]: Events[K] extends Event<infer S> ? (data: EventInput<Event<S>>, options?: EmitOptions) => void : never
    }
  : never

export interface EmitOptions {
  /** Publish it so long after the commit, in the order of its key from then on. Survives restarts. Default: at once. */
  readonly after?: Duration
}

/** `throw fail.outOfStock({ sku })` for each problem of the operation. */
export type Fail<E extends Problems> = {
  readonly [Code in keyof E]: E[Code]['data'] extends Schema
    ? (data: ProblemData<E[Code]>, detail?: string) => DeclaredProblemError
    : (data?: ProblemData<E[Code]>, detail?: string) => DeclaredProblemError
}

/** Thrown by handlers, through `fail`, to answer with a declared problem. */
export class DeclaredProblemError extends Error {
  override readonly name = 'DeclaredProblemError'
  readonly code: string
  readonly problem: Problem
  readonly data: unknown

  constructor(code: string, problem: Problem, data: unknown, detail: string | undefined) {
    super(detail ?? problem.title)
    this.code = code
    this.problem = problem
    this.data = data
  }
}

export interface InTransaction<C, Tables, S extends Streams = NoStreams> {
  /** The open transaction; so is every other `db` while the closure runs. */
  readonly db: Kysely<Tables>
  /** Puts an event into the outbox: it is published if and when the transaction commits. */
  readonly emit: Emit<C>
  /** The service's streams: what is appended commits with the transaction. */
  readonly streams: StreamWriters<S>
  /**
   * Starts a saga of this service if and when the transaction commits, and returns its id. With a `key`, at most one instance is ever
   * started for that key; starting it again does nothing and returns the same id.
   */
  readonly start: <I extends Schema>(saga: Saga<I>, input: InputOf<I>, options?: StartOptions) => string
  /** Asks for an instance to be undone; `code` is the reason that its steps and its end are given. Default: `'cancelled'`. */
  readonly cancel: (saga: Saga, reference: SagaReference, code?: string) => Promise<'cancelling' | 'tooLate' | 'unknown'>
}

/** What a step of a saga is given that runs outside a transaction, besides its input. */
export interface RemoteStepContext<U extends Uses, Tables, Config, Resources> extends ServiceContext<Tables, Config, Resources> {
  readonly call: Clients<U>
  /** Aborts when the step's time is over. */
  readonly signal: AbortSignal
}

/** What a local step of a saga is given, besides its input. */
export interface LocalStepContext<C, Tables, Config, Resources, S extends Streams = NoStreams>
  extends ServiceContext<Tables, Config, Resources>, InTransaction<C, Tables, S> {
  readonly db: Kysely<Tables>
}

/** Of a service that declares none. */
export type NoStreams = Record<never, never>

export interface TransactionOptions {
  /** Default: `repeatable read`, retried whole when the database finds a conflict. `serializable` also finds write skew. */
  readonly isolation?: Isolation
}

/** Runs a closure in one transaction of the service's own database. It may run more than once: keep side effects out of it. Calls are refused inside. */
export type RunTransaction<C, Tables, S extends Streams = NoStreams> = <T>(
  work: (context: InTransaction<C, Tables, S>) => Promise<T>,
  options?: TransactionOptions,
) => Promise<T>

/** What every handler of a service has. */
export interface ServiceContext<Tables, Config, Resources> {
  /** The service's own database, through Kysely. Each query is a transaction of its own, except while one is open. */
  readonly db: Kysely<Tables>
  readonly clock: Clock
  readonly random: Random
  /** A new UUIDv7. */
  readonly id: NewId
  readonly log: Log
  /** What the service read from the environment, as its `config` schema gives it. */
  readonly config: Config
  /** What the service's `resources` made at start. */
  readonly resources: Resources
}

export interface OperationContext<
  C,
  U extends Uses,
  Tables,
  Config,
  Resources,
  I extends Schema,
  E extends Problems,
  S extends Streams = NoStreams,
> extends ServiceContext<Tables, Config, Resources> {
  readonly input: OutputOf<I>
  readonly call: Clients<U>
  readonly transaction: RunTransaction<C, Tables, S>
  /** The service's streams, to read; `transaction(…)` gives them to write. */
  readonly streams: StreamReaders<S>
  /** How far the service's projections are, and waiting for one. */
  readonly projections: ProjectionReader
  readonly fail: Fail<E>
  /** Aborts when the caller has stopped waiting. */
  readonly signal: AbortSignal
  /** The Idempotency-Key that the caller sent. */
  readonly idempotencyKey: string | undefined
}

/** An event handler inside the transaction that records the event as handled. */
export interface EventContext<C, Tables, Config, Resources, Data, S extends Streams = NoStreams>
  extends ServiceContext<Tables, Config, Resources>, InTransaction<C, Tables, S> {
  readonly event: Data
  readonly meta: EventMeta
  readonly db: Kysely<Tables>
}

/** Scheduled work, inside the transaction that moves its schedule on. */
export interface ScheduleContext<C, Tables, Config, Resources, S extends Streams = NoStreams>
  extends ServiceContext<Tables, Config, Resources>, InTransaction<C, Tables, S> {
  /** The time it was due, which may be a while ago. */
  readonly dueAt: Date
  readonly db: Kysely<Tables>
}

/** An event handler outside: it may call others and the world. */
export interface EffectContext<C, U extends Uses, Tables, Config, Resources, Data, S extends Streams = NoStreams> extends ServiceContext<
  Tables,
  Config,
  Resources
> {
  readonly event: Data
  readonly meta: EventMeta
  readonly call: Clients<U>
  readonly transaction: RunTransaction<C, Tables, S>
  readonly streams: StreamReaders<S>
  readonly projections: ProjectionReader
}

/** Applies one event to a read model. Whatever it writes commits with the note of how far the projection is. */
export interface ProjectionContext<Tables, Event> {
  readonly event: Event
  /** The tables of the read model, in the generation that is being built; nothing else, so that building it anew gives the same. */
  readonly db: Kysely<Tables>
}

export type OperationHandler<C, U extends Uses, Tables, Config, Resources, O, S extends Streams = NoStreams> =
  O extends Operation<infer I, infer Out, infer E>
    ? (context: OperationContext<C, U, Tables, Config, Resources, I, E, S>) => Promise<Out extends Schema ? InputOf<Out> : void>
    : never
