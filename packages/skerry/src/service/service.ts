/** A service implements one contract and owns one database. `service(…)` says what it needs, `.implement(…)` what it does. */
import { SkerryError } from '../base/errors.ts'
import type { Contract } from '../contract/contract.ts'
import type { Event } from '../contract/event.ts'
import type { OutputOf, Schema } from '../contract/schema.ts'
import type { CreateTable, ProjectedEvent, Projection } from '../event-store/projection.ts'
import { defineProjection } from '../event-store/projection.ts'
import { recordedBy } from '../event-store/recording.ts'
import type { AnyStream } from '../event-store/stream.ts'
import type { Streams } from '../event-store/streams.ts'
import type { Log } from '../telemetry/log.ts'
import type { EffectContext, EventContext, NoStreams, OperationHandler, ProjectionContext, Uses } from './context.ts'

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
  readonly handle: (context: never) => Promise<void>
  readonly subscriber?: C
}

/** An implemented service, ready to be put into a system. */
export interface Service<C extends Contract = Contract> {
  readonly kind: 'service'
  readonly contract: C
  readonly uses: Uses
  readonly listens: readonly Contract[]
  readonly migrations: URL | undefined
  readonly config: Schema | undefined
  readonly resources: ((context: never) => unknown) | undefined
  readonly handlers: Readonly<Record<string, (context: never) => Promise<unknown>>>
  readonly subscriptions: readonly Subscription[]
  readonly streams: Streams
  readonly projections: readonly Projection[]
}

type Handlers<C extends Contract, U extends Uses, Tables, Config, Resources, S extends Streams> = {
  readonly [K in keyof C['operations']]: OperationHandler<C, U, Tables, Config, Resources, C['operations'][K], S>
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
  ): Subscription<C>
  /** Handles an event outside a transaction: may call other services and the world (mail, webhooks); happens at least once, so give the receiver `meta.id` as key. */
  effect<Data extends Schema>(
    event: Event<Data>,
    handle: (context: EffectContext<C, U, Tables, Config, Resources, OutputOf<Data>, S>) => Promise<void>,
  ): Subscription<C>
  /** A read model of the service's own streams, in tables of its own. */
  projection<const From extends readonly AnyStream[], T extends keyof Tables & string>(
    name: string,
    options: ProjectionOptions<Tables, From, T>,
  ): Projection
  /** The handler of each operation, the subscriptions and the projections. */
  implement(
    handlers: Handlers<C, U, Tables, Config, Resources, S>,
    also?: { readonly on?: readonly Subscription<C>[]; readonly projections?: readonly Projection[] },
  ): Service<C>
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
  const uses: Uses = options.uses ?? {}
  const listens = options.listens ?? []
  const streams: Streams = options.streams ?? {}
  return {
    on: (event, handle) => ({ event, kind: 'transactional', handle }),
    effect: (event, handle) => ({ event, kind: 'effect', handle }),
    projection: (name, { version = 1, ...definition }) => defineProjection(name, { version, ...definition }),
    implement(handlers, also = {}) {
      const subscriptions = withRecordings(also.on ?? [], streams)
      const projections = also.projections ?? []
      const mistakes = [
        ...mistakesInHandlers(contract, handlers),
        ...mistakesInSubscriptions([contract, ...Object.values(uses), ...listens], subscriptions),
        ...mistakesInStreams(streams, subscriptions),
        ...mistakesInProjections(projections, streams),
      ]
      if (mistakes.length > 0)
        throw new SkerryError(
          'systemInvalid',
          `The service "${contract.name}" is not valid:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`,
        )
      return Object.freeze({
        kind: 'service',
        contract,
        uses: Object.freeze({ ...uses }),
        listens: Object.freeze([...listens]),
        migrations: options.migrations,
        config: options.config,
        resources: options.resources,
        handlers: Object.freeze({ ...handlers }) as Service['handlers'],
        subscriptions: Object.freeze([...subscriptions]),
        streams: Object.freeze({ ...streams }),
        projections: Object.freeze([...projections]),
      })
    },
  }
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

/** What is only recorded is listened to all the same. */
function withRecordings(subscriptions: readonly Subscription[], streams: Streams): readonly Subscription[] {
  const handled = new Set(subscriptions.map(({ event }) => event.type))
  const unhandled = [...recordedBy(streams).values()].filter(({ event }) => !handled.has(event.type))
  return [...subscriptions, ...unhandled.map(({ event }) => ({ event, kind: 'transactional' as const, handle: async () => undefined }))]
}

function mistakesInStreams(streams: Streams, subscriptions: readonly Subscription[]): string[] {
  const names = Object.values(streams).map(({ name }) => name)
  const recorded = recordedBy(streams)
  return [
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `two of its streams are named "${name}"`),
    ...subscriptions
      .filter(({ kind, event }) => kind === 'effect' && recorded.has(event.type))
      .map(
        ({ event }) => `${event.type} is recorded and has an effect: an effect has no transaction to record it in, so handle it with on(…)`,
      ),
  ]
}

function mistakesInProjections(projections: readonly Projection[], streams: Streams): string[] {
  const own = new Set(Object.values(streams))
  const repeated = (names: readonly string[]): string[] => names.filter((name, index) => names.indexOf(name) !== index)
  return [
    ...repeated(projections.map(({ name }) => name)).map((name) => `two of its projections are named "${name}"`),
    ...repeated(projections.flatMap(({ tables }) => Object.keys(tables))).map((table) => `two of its projections have a table "${table}"`),
    ...projections.flatMap(({ name, from }) =>
      from
        .filter((stream) => !own.has(stream))
        .map((stream) => `the projection "${name}" follows the stream "${stream.name}", which is not among the service's streams`),
    ),
  ]
}
