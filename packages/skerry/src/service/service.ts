/** A service implements one contract and owns one database. `service(…)` says what it needs, `.implement(…)` what it does. */
import type { Duration } from '../base/duration.ts'
import { SkerryError } from '../base/errors.ts'
import type { Using } from '../client/policies.ts'
import type { Contract } from '../contract/contract.ts'
import type { Event } from '../contract/event.ts'
import type { OutputOf, Schema } from '../contract/schema.ts'
import type { CreateTable, ProjectedEvent, Projection } from '../event-store/projection.ts'
import { defineProjection } from '../event-store/projection.ts'
import { recordedBy } from '../event-store/recording.ts'
import type { AnyStream } from '../event-store/stream.ts'
import type { Streams } from '../event-store/streams.ts'
import type { Timing } from '../events/schedule.ts'
import { checkTiming } from '../events/schedule.ts'
import type { SubscriptionStart } from '../events/subscription.ts'
import type { Saga, SagaBuilder, SagaOptions } from '../saga/index.ts'
import { declareSaga } from '../saga/index.ts'
import type { Log } from '../telemetry/log.ts'
import type {
  EffectContext,
  EventContext,
  LocalStepContext,
  NoStreams,
  OperationHandler,
  ProjectionContext,
  RemoteStepContext,
  ScheduleContext,
  Uses,
} from './context.ts'

export interface ServiceOptions<U extends Uses, Tables, Config extends Schema, Resources, S extends Streams = NoStreams> {
  /** The contracts it calls, under the names it calls them by. It may handle their events too. */
  readonly uses?: U
  /** The contracts of which it only handles events, so that it need not know where they are served. */
  readonly listens?: readonly Contract[]
  /** The folder of its migrations: `new URL('./migrations/', import.meta.url)`. Default: it keeps no tables of its own. */
  readonly migrations?: URL
  /** The types of its tables, for `db`: `tables<{ orders: OrderRow }>()`. */
  readonly tables?: TableTypes<Tables>
  /** The streams in which it keeps what happened, under the names it calls them by. */
  readonly streams?: S
  /** Environment variables it reads, as an object schema with their names. Checked at start. */
  readonly config?: Config
  /** Makes what it keeps while it runs, such as a mail transport. What has `Symbol.asyncDispose` is disposed of at stop. */
  readonly resources?: (context: { readonly config: OutputOf<Config>; readonly log: Log }) => Resources | Promise<Resources>
}

/** Carries the type of a service's tables; it has no value at run time. */
interface TableTypes<Tables> {
  readonly tables?: Tables
}

/** The types of a service's tables, for Kysely. */
export function tables<Tables>(): TableTypes<Tables> {
  return {}
}

/** A subscription of a service to one event. */
export interface Subscription<C = unknown> {
  readonly event: Event
  readonly kind: 'transactional' | 'effect'
  readonly from: SubscriptionStart
  readonly handle: (context: never) => Promise<void>
  readonly subscriber?: C
}

export interface SubscriptionOptions {
  /**
   * Where it begins when it is new. `first`: with the first event that the publisher's outbox and the broker still hold for this service.
   * `now`: with what is emitted after the service has first started with this subscription, by the clocks of both. Default: `first`.
   */
  readonly from?: SubscriptionStart
}

/** Work that a service does by the clock. */
export interface Schedule<C = unknown> {
  readonly name: string
  readonly timing: Timing
  readonly handle: (context: never) => Promise<void>
  readonly scheduler?: C
}

/** An implemented service, ready to be put into a system. */
export interface Service<C extends Contract = Contract> {
  readonly kind: 'service'
  readonly contract: C
  readonly uses: Readonly<Record<string, Contract>>
  /** How it calls those of `uses` that it calls in a way of its own, by the same names. */
  readonly using: Readonly<Record<string, Using>>
  readonly listens: readonly Contract[]
  readonly migrations: URL | undefined
  readonly config: Schema | undefined
  readonly resources: ((context: never) => unknown) | undefined
  readonly handlers: Readonly<Record<string, (context: never) => Promise<unknown>>>
  readonly subscriptions: readonly Subscription[]
  readonly schedules: readonly Schedule[]
  readonly sagas: readonly Saga[]
  readonly ownIdempotency: readonly string[]
  readonly streams: Streams
  readonly projections: readonly Projection[]
}

type Handlers<C extends Contract, U extends Uses, Tables, Config, Resources, S extends Streams> = {
  readonly [K in keyof C['operations']]: OperationHandler<C, U, Tables, Config, Resources, C['operations'][K], S>
}

/** What a service has besides its operations. */
export interface Parts<C extends Contract> {
  readonly on?: readonly Subscription<C>[]
  readonly schedules?: readonly Schedule<C>[]
  /** Every version of which instances may still run. */
  readonly sagas?: readonly Saga[]
  readonly projections?: readonly Projection[]
  /**
   * Operations declared `idempotent` whose handlers see to repetition themselves, as when what they do is named by its input: the platform
   * then keeps no answers for them, and they may open as many transactions as they like.
   */
  readonly ownIdempotency?: readonly (keyof C['operations'] & string)[]
}

export interface ProjectionOptions<Tables, From extends readonly AnyStream[], T extends keyof Tables & string> {
  /** Raise it with every change that the rows there do not satisfy: the read model is built anew, and swapped in when it has caught up. Default 1. */
  readonly version?: number
  /** The streams that it follows. */
  readonly from: From
  /** Its tables: for each, the SQL that makes it under the name that it is given. Handlers read the plain name. */
  readonly tables: { readonly [K in T]: CreateTable }
  /** Applies one event. Runs once for each, in the global order; a failure is tried again and then stops the projection. */
  readonly apply: (context: ProjectionContext<Pick<Tables, T>, ProjectedEvent<From>>) => Promise<void>
}

export interface ServiceDefinition<C extends Contract, U extends Uses, Tables, Config, Resources, S extends Streams = NoStreams> {
  /**
   * Handles an event inside the transaction that records it as handled, so what it writes and emits happens once. One
   * handler for each event; a failure is tried again with growing pauses, and ends as a dead letter.
   */
  on<Data extends Schema>(
    event: Event<Data>,
    handle: (context: EventContext<C, Tables, Config, Resources, OutputOf<Data>, S>) => Promise<void>,
    options?: SubscriptionOptions,
  ): Subscription<C>
  /** Handles an event outside a transaction: may call other services and the world (mail, webhooks); happens at least once, so give the receiver `meta.id` as key. */
  effect<Data extends Schema>(
    event: Event<Data>,
    handle: (context: EffectContext<C, U, Tables, Config, Resources, OutputOf<Data>, S>) => Promise<void>,
    options?: SubscriptionOptions,
  ): Subscription<C>
  /**
   * Does something every so often, from 1 s, once across all instances: inside the transaction that moves the schedule on, so what it
   * writes and emits happens once for each time. The name stays the same for ever; times that are missed while no host runs are not made
   * up for; a failure is tried again with growing pauses. For calls and the world, emit an event and handle it with `effect`, or start a saga.
   */
  every(interval: Duration, name: string, handle: (context: ScheduleContext<C, Tables, Config, Resources, S>) => Promise<void>): Schedule<C>
  /** The same at the times of a cron expression of five or six fields (seconds first), in UTC or an IANA time zone. */
  cron(
    expression: string,
    name: string,
    handle: (context: ScheduleContext<C, Tables, Config, Resources, S>) => Promise<void>,
    options?: { readonly timeZone?: string },
  ): Schedule<C>
  /**
   * Declares a saga of this service: work across services that is done whole or undone. Give it to `implement(…, { sagas: […] })` and start
   * it inside a transaction. Its steps see the same context as handlers do.
   */
  saga<I extends Schema>(
    name: string,
    options: SagaOptions<I>,
  ): SagaBuilder<
    I,
    RemoteStepContext<U, Tables, Config, Resources>,
    LocalStepContext<C, Tables, Config, Resources, S>,
    Record<never, never>
  >
  /** A read model of the service's own streams, in tables of its own. */
  projection<const From extends readonly AnyStream[], T extends keyof Tables & string>(
    name: string,
    options: ProjectionOptions<Tables, From, T>,
  ): Projection
  /** The handler of each operation, and the service's other parts. */
  implement(handlers: Handlers<C, U, Tables, Config, Resources, S>, also?: Parts<C>): Service<C>
}

/** Begins the definition of a service. */
export function service<
  C extends Contract,
  U extends Uses = Record<never, never>,
  Tables = Record<never, never>,
  Config extends Schema = Schema<Record<never, never>>,
  Resources = undefined,
  S extends Streams = NoStreams,
>(
  contract: C,
  options: ServiceOptions<U, Tables, Config, Resources, S> = {},
): ServiceDefinition<C, U, Tables, OutputOf<Config>, Resources, S> {
  const using = Object.fromEntries(Object.entries<Contract | Using>(options.uses ?? {}).filter(isUsing))
  const uses = Object.fromEntries(
    Object.entries<Contract | Using>(options.uses ?? {}).map(([name, used]) => [name, 'policies' in used ? used.contract : used]),
  )
  const listens = options.listens ?? []
  const streams: Streams = options.streams ?? {}
  return {
    on: (event, handle, { from = 'first' } = {}) => ({ event, kind: 'transactional', from, handle }),
    effect: (event, handle, { from = 'first' } = {}) => ({ event, kind: 'effect', from, handle }),
    every: (every, name, handle) => schedule(contract, name, { every }, handle),
    cron: (cron, name, handle, { timeZone } = {}) =>
      schedule(contract, name, timeZone === undefined ? { cron } : { cron, timeZone }, handle),
    projection: (name, { version = 1, ...definition }) => defineProjection(name, { version, ...definition }),
    saga: (name, options) => declareSaga(contract.name, name, options),
    implement(handlers, also = {}) {
      const subscriptions = also.on ?? []
      const schedules = also.schedules ?? []
      const sagas = also.sagas ?? []
      const projections = also.projections ?? []
      const mistakes = [
        ...mistakesInHandlers(contract, handlers),
        ...mistakesInSubscriptions([contract, ...Object.values(uses), ...listens], subscriptions),
        ...mistakesInSchedules(schedules),
        ...mistakesInStreams([contract, ...Object.values(uses), ...listens], streams),
        ...mistakesInProjections(projections, streams),
        ...mistakesInSagas([contract, ...Object.values(uses), ...listens], contract, sagas),
      ]
      if (mistakes.length > 0)
        throw new SkerryError(
          'systemInvalid',
          `The service "${contract.name}" is not valid:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`,
        )
      return Object.freeze({
        kind: 'service',
        contract,
        uses: Object.freeze(uses),
        using: Object.freeze(using),
        listens: Object.freeze([...listens]),
        migrations: options.migrations,
        config: options.config,
        resources: options.resources,
        handlers: Object.freeze({ ...handlers }) as Service['handlers'],
        subscriptions: Object.freeze([...subscriptions]),
        schedules: Object.freeze([...schedules]),
        sagas: Object.freeze([...sagas]),
        ownIdempotency: Object.freeze([...(also.ownIdempotency ?? [])]),
        streams: Object.freeze({ ...streams }),
        projections: Object.freeze([...projections]),
      })
    },
  }
}

function isUsing(entry: [string, Contract | Using]): entry is [string, Using] {
  return 'policies' in entry[1]
}

const SCHEDULE_NAME = /^[a-zA-Z][a-zA-Z0-9-]{0,62}$/

function schedule<C extends Contract>(contract: C, name: string, timing: Timing, handle: Schedule['handle']): Schedule<C> {
  try {
    checkTiming(timing)
  } catch (error) {
    throw new SkerryError('systemInvalid', `The schedule "${name}" of "${contract.name}": ${(error as Error).message}`, { cause: error })
  }
  return { name, timing, handle }
}

function mistakesInSchedules(schedules: readonly Schedule[]): string[] {
  const names = schedules.map(({ name }) => name)
  return [
    ...names.filter((name) => !SCHEDULE_NAME.test(name)).map((name) => `the schedule "${name}" is not named like expireReservations`),
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `two schedules are named "${name}"`),
  ]
}

function mistakesInSagas(known: readonly Contract[], own: Contract, sagas: readonly Saga[]): string[] {
  const mistakes: string[] = []
  const publishers = new Set(known.map(({ name }) => name))
  const seen = new Set<string>()
  for (const { definition } of sagas) {
    const { name, version, service: owner, stages } = definition
    if (owner !== own.name) mistakes.push(`the saga "${name}" is one of "${owner}"`)
    if (stages.length === 0) mistakes.push(`the saga "${name}" has no steps`)
    if (seen.has(`${name}@${version}`)) mistakes.push(`version ${version} of the saga "${name}" is there twice`)
    seen.add(`${name}@${version}`)
    for (const { event } of stages.flat())
      if (event !== undefined && !publishers.has(event.contract))
        mistakes.push(`the saga "${name}" waits for ${event.type} without naming the contract "${event.contract}" in uses or listens`)
  }
  return mistakes
}

/** The events that a service consumes: those it handles, and those its sagas wait for. */
export function consumedEvents({ subscriptions, sagas, streams }: Pick<Service, 'subscriptions' | 'sagas' | 'streams'>): readonly Event[] {
  const waited = sagas.flatMap(({ definition }) => definition.stages.flat().flatMap(({ event }) => (event === undefined ? [] : [event])))
  const recorded = [...recordedBy(streams).values()].map(({ event }) => event)
  const events = new Map([...subscriptions.map(({ event }) => event), ...waited, ...recorded].map((event) => [event.type, event]))
  return [...events.values()]
}

function mistakesInHandlers(contract: Contract, handlers: object): string[] {
  const missing = Object.keys(contract.operations).filter((name) => !(name in handlers))
  const unknown = Object.keys(handlers).filter((name) => !(name in contract.operations))
  return [
    ...missing.map((name) => `the operation ${name} has no handler`),
    ...unknown.map((name) => `there is a handler for ${name}, which the contract does not declare`),
  ]
}

function mistakesInSubscriptions(known: readonly Contract[], subscriptions: readonly Subscription[]): string[] {
  const mistakes: string[] = []
  const publishers = new Set(known.map(({ name }) => name))
  const seen = new Set<string>()
  for (const { event } of subscriptions) {
    if (seen.has(event.type))
      mistakes.push(`${event.type} has two handlers: do both things in one, or emit an event of your own for the second`)
    seen.add(event.type)
    if (!publishers.has(event.contract))
      mistakes.push(`it handles ${event.type} without naming the contract "${event.contract}" in uses or listens`)
  }
  return mistakes
}

function mistakesInStreams(known: readonly Contract[], streams: Streams): string[] {
  const publishers = new Set(known.map(({ name }) => name))
  const recorded = [...recordedBy(streams).values()].map(({ event }) => event)
  return [
    ...repeated(Object.values(streams).map(({ name }) => name)).map((name) => `two of its streams are named "${name}"`),
    ...recorded
      .filter(({ contract }) => !publishers.has(contract))
      .map(({ type, contract }) => `it records ${type} without naming the contract "${contract}" in uses or listens`),
  ]
}

function mistakesInProjections(projections: readonly Projection[], streams: Streams): string[] {
  const own = new Set(Object.values(streams))
  return [
    ...repeated(projections.map(({ name }) => name)).map((name) => `two of its projections are named "${name}"`),
    ...repeated(projections.flatMap(({ tables: made }) => Object.keys(made))).map(
      (table) => `two of its projections have a table "${table}"`,
    ),
    ...projections.flatMap(({ name, from }) =>
      from
        .filter((stream) => !own.has(stream))
        .map((stream) => `the projection "${name}" follows the stream "${stream.name}", which is not among the service's streams`),
    ),
  ]
}

function repeated(names: readonly string[]): string[] {
  return names.filter((name, index) => names.indexOf(name) !== index)
}
