/** A service at work in a host: its implementation joined with its database, its clients, its part in events, and its answers to calls. */
import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import type { NewId } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { boundOperations } from '../contract/bound-operation.ts'
import type { Contract } from '../contract/contract.ts'
import type { Event } from '../contract/event.ts'
import type { Problem } from '../contract/problem.ts'
import type { Database } from '../engine/database.ts'
import type { Apply } from '../event-store/builder.ts'
import type { ProjectionReader } from '../event-store/projection-access.ts'
import type { Projection } from '../event-store/projection.ts'
import { recordedBy } from '../event-store/recording.ts'
import type { StreamAccess } from '../event-store/streams.ts'
import { streamAccess } from '../event-store/streams.ts'
import type { EventHandler } from '../events/subscription.ts'
import type { OpenTransaction, TransactionRunner } from '../events/transaction-runner.ts'
import type { Log } from '../telemetry/log.ts'
import { currentScope } from '../telemetry/scope.ts'
import type { RunTransaction, TransactionOptions } from './context.ts'
import { DeclaredProblemError } from './context.ts'
import type { OperationAnswer, OperationRequest } from './dispatch.ts'
import { dispatch } from './dispatch.ts'
import { databaseOfGeneration } from './projection-database.ts'
import { serviceDatabase } from './service-database.ts'
import type { Service } from './service.ts'

export interface HostedServiceOptions {
  readonly service: Service
  /** Undefined for a service that keeps nothing and takes no part in events. */
  readonly database: Database | undefined
  readonly transactions: TransactionRunner | undefined
  /** The typed clients of the contracts it uses. */
  readonly clients: Readonly<Record<string, unknown>>
  readonly config: unknown
  readonly resources: unknown
  readonly clock: Clock
  readonly random: Random
  readonly newId: NewId
  readonly log: Log
  /** Told when a transaction that appended to a stream has been committed, or may have been. */
  readonly onAppended: () => void
  readonly projections: ProjectionReader
}

export interface HostedService {
  readonly contract: Contract
  readonly operations: ReadonlyMap<string, BoundOperation>
  readonly eventHandlers: readonly EventHandler[]
  readonly projections: readonly { readonly projection: Projection; readonly apply: Apply }[]
  /** Requests being answered. */
  readonly inProgress: number
  /** Answers one request. Never rejects. */
  answer(request: OperationRequest): Promise<OperationAnswer>
}

/** True when a service needs a database: it has tables or streams, or publishes or consumes events. */
export function needsDatabase(service: Service): boolean {
  const { migrations, subscriptions, streams, contract } = service
  return migrations !== undefined || subscriptions.length > 0 || Object.keys(contract.events).length > 0 || Object.keys(streams).length > 0
}

export function hostService(options: HostedServiceOptions): HostedService {
  const { service, log } = options
  const operations = boundOperations(service.contract)
  const streams = streamAccess({ ...options, service: service.contract.name, streams: service.streams })
  const shared = sharedContext(options, streams)
  const fails = new Map([...operations.values()].map((operation) => [operation.name, failFor(operation.operation.errors)]))
  let inProgress = 0

  const invoke = (request: OperationRequest, input: unknown): Promise<unknown> => {
    const handler = service.handlers[request.operation.name] as (context: unknown) => Promise<unknown>
    return handler(new RequestContext(shared, request, input, fails.get(request.operation.name)!))
  }

  return {
    contract: service.contract,
    operations,
    eventHandlers: service.subscriptions.map((subscription) => eventHandler(options, shared, streams, subscription)),
    projections: service.projections.map((projection) => ({ projection, apply: applyTo(projection, shared.db) })),
    get inProgress() {
      return inProgress
    },
    async answer(request) {
      inProgress++
      try {
        return await dispatch(request, invoke, log)
      } finally {
        inProgress--
      }
    },
  }
}

/** What all handlers of the service share; one object for its whole life. */
interface SharedContext {
  readonly db: Kysely<unknown>
  readonly call: Readonly<Record<string, unknown>>
  readonly transaction: RunTransaction<unknown, unknown>
  readonly streams: StreamAccess['readers']
  readonly projections: ProjectionReader
  readonly clock: Clock
  readonly random: Random
  readonly id: NewId
  readonly log: Log
  readonly config: unknown
  readonly resources: unknown
}

function sharedContext(options: HostedServiceOptions, access: StreamAccess): SharedContext {
  const { service, database, clients, projections, clock, random, newId, log, config, resources } = options
  const db = serviceDatabase<unknown>(service.contract.name, database)
  const transaction = transactionFor(options, db, access)
  return { db, call: clients, transaction, streams: access.readers, projections, clock, random, id: newId, log, config, resources }
}

/** The context of one request. A class, so that what is shared costs nothing per request and what is rarely used is made on demand. */
class RequestContext {
  readonly input: unknown
  readonly fail: object
  readonly #shared: SharedContext
  readonly #request: OperationRequest

  constructor(shared: SharedContext, request: OperationRequest, input: unknown, fail: object) {
    this.input = input
    this.fail = fail
    this.#shared = shared
    this.#request = request
  }

  get db(): Kysely<unknown> {
    return this.#shared.db
  }
  get call(): Readonly<Record<string, unknown>> {
    return this.#shared.call
  }
  get transaction(): RunTransaction<unknown, unknown> {
    return this.#shared.transaction
  }
  get projections(): ProjectionReader {
    return this.#shared.projections
  }
  get streams(): StreamAccess['readers'] {
    return this.#shared.streams
  }
  get clock(): Clock {
    return this.#shared.clock
  }
  get random(): Random {
    return this.#shared.random
  }
  get id(): NewId {
    return this.#shared.id
  }
  get log(): Log {
    return this.#shared.log
  }
  get config(): unknown {
    return this.#shared.config
  }
  get resources(): unknown {
    return this.#shared.resources
  }
  get signal(): AbortSignal {
    return this.#request.signal()
  }
  get idempotencyKey(): string | undefined {
    return this.#request.idempotencyKey
  }
}

function transactionFor(
  { service, transactions }: HostedServiceOptions,
  db: Kysely<unknown>,
  access: StreamAccess,
): RunTransaction<unknown, unknown> {
  return (work, options: TransactionOptions = {}) => {
    const scope = currentScope()
    const name = service.contract.name
    if (transactions === undefined)
      throw new SkerryError(
        'systemInvalid',
        `The service "${name}" uses transaction(…) but has no database: give it migrations in service(contract, { migrations })`,
      )
    if (scope === undefined)
      throw new SkerryError(
        'outsideTransaction',
        `transaction(…) of "${name}" was called outside a handler: nothing would bound or trace it`,
      )
    if (scope.transaction !== undefined)
      throw new SkerryError(
        'transactionInTransaction',
        `"${name}" opened a transaction inside another: use the db and emit of the one that is open`,
      )
    return transactions(scope, options.isolation ?? 'repeatable read', (open) =>
      work({ db, emit: emitFor(service, open) as never, streams: access.writersIn(open) as never }),
    )
  }
}

/** `emit.x(data)` for each event of the contract, bound to one open transaction. */
function emitFor(service: Service, open: OpenTransaction): Record<string, never> {
  const emit: Record<string, unknown> = {}
  for (const [name, event] of Object.entries(service.contract.events as Record<string, Event>))
    emit[name] = (data: unknown) => open.emit(event, data)
  return emit as Record<string, never>
}

function failFor(errors: Readonly<Record<string, Problem>>): object {
  const fail: Record<string, unknown> = {}
  for (const [code, problem] of Object.entries(errors))
    fail[code] = (data?: unknown, detail?: string) => new DeclaredProblemError(code, problem, data, detail)
  return Object.freeze(fail)
}

function eventHandler(
  { service }: HostedServiceOptions,
  shared: SharedContext,
  access: StreamAccess,
  subscription: Service['subscriptions'][number],
): EventHandler {
  const handle = subscription.handle as (context: unknown) => Promise<void>
  if (subscription.kind === 'effect')
    return { event: subscription.event, kind: 'effect', run: (event, meta) => handle({ ...shared, event, meta }) }
  const recorded = recordedBy(service.streams).get(subscription.event.type)?.in ?? []
  const { call: _call, transaction: _transaction, projections: _projections, ...inside } = shared
  return {
    event: subscription.event,
    kind: 'transactional',
    async run(event, meta, open) {
      for (const kept of recorded) await access.record(open, kept, event, meta)
      await handle({ ...inside, emit: emitFor(service, open), streams: access.writersIn(open), event, meta })
    },
  }
}

function applyTo(projection: Projection, db: Kysely<unknown>): Apply {
  const apply = projection.apply as (context: unknown) => Promise<void>
  return (event, generation) => apply({ event, db: databaseOfGeneration(db, projection, generation) })
}
