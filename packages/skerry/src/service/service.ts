/** A service implements one contract and owns one database. `service(…)` says what it needs, `.implement(…)` what it does. */
import { SkerryError } from '../base/errors.ts'
import type { Contract } from '../contract/contract.ts'
import type { Event } from '../contract/event.ts'
import type { OutputOf, Schema } from '../contract/schema.ts'
import type { Streams } from '../event-store/streams.ts'
import type { Log } from '../telemetry/log.ts'
import type { EffectContext, EventContext, NoStreams, OperationHandler, Uses } from './context.ts'

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
}

type Handlers<C extends Contract, U extends Uses, Tables, Config, Resources, S extends Streams> = {
  readonly [K in keyof C['operations']]: OperationHandler<C, U, Tables, Config, Resources, C['operations'][K], S>
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
  /** The handler of each operation, and the subscriptions. */
  implement(handlers: Handlers<C, U, Tables, Config, Resources, S>, also?: { readonly on?: readonly Subscription<C>[] }): Service<C>
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
    implement(handlers, also = {}) {
      const subscriptions = also.on ?? []
      const mistakes = [
        ...mistakesInHandlers(contract, handlers),
        ...mistakesInSubscriptions([contract, ...Object.values(uses), ...listens], subscriptions),
        ...mistakesInStreams(streams),
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

function mistakesInStreams(streams: Streams): string[] {
  const names = Object.values(streams).map(({ name }) => name)
  return names.filter((name, index) => names.indexOf(name) !== index).map((name) => `two of its streams are named "${name}"`)
}
