/** A service at work in a host: its implementation joined with its database, its clients, its part in events, and its answers to calls. */
import type { Kysely } from 'kysely'
import type { Clock } from '../base/clock.ts'
import { milliseconds } from '../base/duration.ts'
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
import type { ScheduledWork } from '../events/later-worker.ts'
import type { EventHandler, EventMeta } from '../events/subscription.ts'
import type { OpenTransaction, TransactionRunner } from '../events/transaction-runner.ts'
import type { Saga, SagaReference, StartOptions } from '../saga/index.ts'
import { Sagas } from '../saga/index.ts'
import { answeringOf } from '../telemetry/conventions.ts'
import type { Log } from '../telemetry/log.ts'
import type { Scope } from '../telemetry/scope.ts'
import { currentScope } from '../telemetry/scope.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { silentTelemetry } from '../telemetry/telemetry.ts'
import type { EmitOptions, RunTransaction, TransactionOptions } from './context.ts'
import { DeclaredProblemError } from './context.ts'
import { DeprecatedCalls } from './deprecated-calls.ts'
import type { IncomingCall, OperationAnswer, OperationRequest } from './dispatch.ts'
import { dispatch } from './dispatch.ts'
import { housekeeping } from './housekeeping.ts'
import type { InjectedFaults } from './injected-faults.ts'
import { databaseOfGeneration } from './projection-database.ts'
import { serviceDatabase } from './service-database.ts'
import type { Service } from './service.ts'
import { consumedEvents } from './service.ts'
import { keepsAnswers, KeyedRequest } from './stored-answer.ts'

export interface HostedServiceOptions {
  readonly service: Service
  /** Undefined for a service that keeps nothing and takes no part in events. */
  readonly database: Database | undefined
  readonly transactions: TransactionRunner | undefined
  /** No other process can have the database open. */
  readonly exclusive: boolean
  /** The typed clients of the contracts it uses. */
  readonly clients: Readonly<Record<string, unknown>>
  readonly config: unknown
  readonly resources: unknown
  readonly clock: Clock
  readonly random: Random
  readonly newId: NewId
  readonly log: Log
  /** Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  /** What goes wrong on purpose. Default: nothing. */
  readonly faults?: InjectedFaults | undefined
  /** Told when a transaction that appended to a stream has been committed, or may have been. */
  readonly onAppended?: () => void
  /** Undefined where there are none. */
  readonly projections?: ProjectionReader
}

export interface HostedService {
  readonly contract: Contract
  readonly operations: ReadonlyMap<string, BoundOperation>
  readonly eventHandlers: readonly EventHandler[]
  readonly scheduledWork: readonly ScheduledWork[]
  readonly projections: readonly { readonly projection: Projection; readonly apply: Apply }[]
  /** Undefined when it has none. */
  readonly sagas: Sagas | undefined
  /** Undefined when no operation is deprecated, and where there is no database to keep them in. */
  readonly deprecatedCalls: DeprecatedCalls | undefined
  /** Requests being answered. */
  readonly inProgress: number
  /** Answers one request. Never rejects. */
  answer(call: IncomingCall): Promise<OperationAnswer>
}

/** True when a service needs a database: it has tables or streams, or publishes or consumes events. */
export function needsDatabase(service: Service): boolean {
  return (
    service.migrations !== undefined ||
    service.subscriptions.length > 0 ||
    service.schedules.length > 0 ||
    service.sagas.length > 0 ||
    Object.keys(service.streams).length > 0 ||
    Object.keys(service.contract.events).length > 0
  )
}

export function hostService(options: HostedServiceOptions): HostedService {
  const { service, log } = options
  const operations = boundOperations(service.contract)
  const streams = streamAccess({ onAppended: () => undefined, ...options, service: service.contract.name, streams: service.streams })
  const own: OwnParts = { sagas: undefined, streams }
  const shared = sharedContext(options, own)
  own.sagas = sagasOf(options, shared, own)
  const fails = new Map([...operations.values()].map((operation) => [operation.name, failFor(operation.operation.errors)]))
  const telemetry = options.telemetry ?? silentTelemetry(options.random)
  const starts = new Map([...operations.values()].map(({ name, fullName }) => [name, telemetry.work(answeringOf(fullName))]))
  const deprecatedCalls = deprecatedCallsOf(options, operations)
  let inProgress = 0

  const invoke = (request: OperationRequest, input: unknown): Promise<unknown> => {
    const { operation, idempotencyKey } = request
    const handler = service.handlers[operation.name] as Handler
    const fail = fails.get(operation.name)!
    if (idempotencyKey === undefined || options.database === undefined || !keepsAnswers(service, operation))
      return handler(new RequestContext(shared, request, input, fail, shared.transaction))
    return invokeKeyed(request, input, idempotencyKey, handler, fail)
  }

  const invokeKeyed = async (request: OperationRequest, input: unknown, key: string, handler: Handler, fail: object): Promise<unknown> => {
    const keyed = new KeyedRequest(request.operation, key, input, options.clock)
    const keyedTransaction = transactionFor(options, shared.db, own, keyed)
    let result: unknown
    try {
      result = await handler(new RequestContext(shared, request, input, fail, keyedTransaction))
    } catch (error) {
      throw await keyed.settle(error, (work) => options.transactions!(request.scope, 'read committed', work))
    }
    keyed.check(result)
    return result
  }

  return {
    contract: service.contract,
    operations,
    eventHandlers: eventHandlers(options, shared, own),
    projections: service.projections.map((projection) => ({ projection, apply: applyTo(projection, shared.db) })),
    scheduledWork: [
      ...scheduledWork(options, shared, own),
      ...housekeeping({
        clock: options.clock,
        keepsAnswers: [...operations.values()].some((operation) => keepsAnswers(service, operation)),
        sagas: own.sagas,
      }),
    ],
    sagas: own.sagas,
    deprecatedCalls,
    get inProgress() {
      return inProgress
    },
    async answer({ operation, input, trace, deadlineAtMs, idempotencyKey, userAgent, record, signal }) {
      inProgress++
      if (operation.operation.deprecated !== undefined) deprecatedCalls?.count(operation.name, userAgent)
      const span = starts.get(operation.name)!(trace)
      const scope: Scope = { service: service.contract.name, trace: span, deadlineAtMs }
      if (record !== undefined) record.inside = scope
      try {
        const fault = options.faults?.none === false ? await options.faults.meet(scope.service, operation.name, input) : undefined
        const answer: OperationAnswer =
          fault === undefined
            ? await dispatch({ operation, input, idempotencyKey, userAgent, record, signal, scope }, invoke, log)
            : { ok: false, problem: fault }
        if (answer.ok) span.end()
        // A 4xx is an answer like any other, to whoever gives it.
        else span.end({ errorType: answer.problem.code, failed: answer.problem.status >= 500, message: answer.problem.detail })
        return answer
      } finally {
        inProgress--
      }
    },
  }
}

type Handler = (context: unknown) => Promise<unknown>

/** What all handlers of the service share; one object for its whole life. */
interface SharedContext {
  readonly db: Kysely<unknown>
  readonly call: Readonly<Record<string, unknown>>
  readonly transaction: RunTransaction<unknown, unknown>
  readonly streams: StreamAccess['readers']
  readonly projections: ProjectionReader | undefined
  readonly clock: Clock
  readonly random: Random
  readonly id: NewId
  readonly log: Log
  readonly config: unknown
  readonly resources: unknown
}

/** What is the service's own: its streams, and its sagas, which need its contexts, which need the sagas. */
interface OwnParts {
  readonly streams: StreamAccess
  sagas: Sagas | undefined
}

function sharedContext(options: HostedServiceOptions, own: OwnParts): SharedContext {
  const { service, database, clients, projections, clock, random, newId, log, config, resources } = options
  const streams = own.streams.readers
  const db = serviceDatabase<unknown>(service.contract.name, database)
  const transaction = transactionFor(options, db, own)
  return { db, call: clients, transaction, streams, projections, clock, random, id: newId, log, config, resources }
}

/** The context of one request. A class, so that what is shared costs nothing per request and what is rarely used is made on demand. */
class RequestContext {
  readonly input: unknown
  readonly fail: object
  readonly #shared: SharedContext
  readonly #request: OperationRequest
  readonly transaction: RunTransaction<unknown, unknown>

  constructor(
    shared: SharedContext,
    request: OperationRequest,
    input: unknown,
    fail: object,
    transaction: RunTransaction<unknown, unknown>,
  ) {
    this.input = input
    this.fail = fail
    this.transaction = transaction
    this.#shared = shared
    this.#request = request
  }

  get db(): Kysely<unknown> {
    return this.#shared.db
  }
  get call(): Readonly<Record<string, unknown>> {
    return this.#shared.call
  }
  get streams(): StreamAccess['readers'] {
    return this.#shared.streams
  }
  get projections(): ProjectionReader | undefined {
    return this.#shared.projections
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

/** `transaction(…)` of a context; of a keyed request's when there is one. */
function transactionFor(
  { service, transactions }: HostedServiceOptions,
  db: Kysely<unknown>,
  own: OwnParts,
  keyed?: KeyedRequest,
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
    const isolation = options.isolation ?? 'repeatable read'
    const inside = (open: OpenTransaction) => work({ db, ...inTransaction(service, own, open) } as never)
    return keyed === undefined
      ? transactions(scope, isolation, inside)
      : keyed.run((claimed) => transactions(scope, isolation, claimed), inside)
  }
}

/** What only an open transaction offers. */
function inTransaction(service: Service, own: OwnParts, open: OpenTransaction): object {
  const sagas = (saga: Saga): Sagas => {
    if (own.sagas === undefined)
      throw new SkerryError(
        'systemInvalid',
        `The service "${service.contract.name}" has no sagas: add "${saga.definition.name}" to implement(…, { sagas: […] })`,
      )
    return own.sagas
  }
  return {
    emit: emitFor(service, open),
    streams: own.streams.writersIn(open),
    start: (saga: Saga, input: unknown, options: StartOptions = {}) => sagas(saga).start(open, saga, input, options),
    cancel: async (saga: Saga, reference: SagaReference, code = 'cancelled') => sagas(saga).cancel(open, saga, reference, code),
  }
}

function sagasOf(options: HostedServiceOptions, shared: SharedContext, own: OwnParts): Sagas | undefined {
  const { service, database, transactions, exclusive, clock, random, newId, log, telemetry } = options
  if (database === undefined || transactions === undefined || service.sagas.length === 0) return undefined
  const { call, transaction: _transaction, projections: _projections, streams: _streams, ...inside } = shared
  return new Sagas({
    service: service.contract.name,
    definitions: service.sagas.map(({ definition }) => definition),
    database,
    exclusive,
    transactions,
    clock,
    random,
    newId,
    log,
    telemetry,
    remoteContext: (signal) => ({ ...inside, call, signal }),
    localContext: (open) => ({ ...inside, ...inTransaction(service, own, open) }),
  })
}

function deprecatedCallsOf(
  { database, clock, log }: HostedServiceOptions,
  operations: ReadonlyMap<string, BoundOperation>,
): DeprecatedCalls | undefined {
  const isAny = [...operations.values()].some(({ operation }) => operation.deprecated !== undefined)
  return database === undefined || !isAny ? undefined : new DeprecatedCalls({ database, clock, log })
}

/** `emit.x(data)` for each event of the contract, bound to one open transaction. */
function emitFor(service: Service, open: OpenTransaction): Record<string, never> {
  const emit: Record<string, unknown> = {}
  for (const [name, event] of Object.entries(service.contract.events as Record<string, Event>))
    emit[name] = (data: unknown, { after }: EmitOptions = {}) =>
      open.emit(event, data, after === undefined ? undefined : milliseconds(after))
  return emit as Record<string, never>
}

function failFor(errors: Readonly<Record<string, Problem>>): object {
  const fail: Record<string, unknown> = {}
  for (const [code, problem] of Object.entries(errors))
    fail[code] = (data?: unknown, detail?: string) => new DeclaredProblemError(code, problem, data, detail)
  return Object.freeze(fail)
}

/** The handlers of the events that the service consumes; its sagas are told of those they wait for. */
function eventHandlers(options: HostedServiceOptions, shared: SharedContext, own: OwnParts): readonly EventHandler[] {
  const { service } = options
  const waited = new Set(consumedEvents({ subscriptions: [], sagas: service.sagas, streams: {} }).map(({ type }) => type))
  const kept = recordedBy(service.streams)
  const { call: _call, transaction: _transaction, projections: _projections, ...inside } = shared
  return consumedEvents(service).map((event): EventHandler => {
    const subscription = service.subscriptions.find((candidate) => candidate.event.type === event.type)
    const handle = subscription?.handle as ((context: unknown) => Promise<void>) | undefined
    const isWaited = waited.has(event.type)
    const keptIn = kept.get(event.type)?.in ?? []
    const recorded = async (data: unknown, meta: EventMeta, open: OpenTransaction): Promise<void> => {
      if (isWaited) await own.sagas!.arrive(open, data, meta)
      for (const as of keptIn) await own.streams.record(open, as, data, meta)
    }
    const common = { event, from: subscription?.from, recorded: isWaited || keptIn.length > 0 ? recorded : undefined }
    const meetFaults = async (data: unknown): Promise<void> => {
      const fault = options.faults?.none === false ? await options.faults.meet(service.contract.name, event.type, data) : undefined
      if (fault !== undefined) throw new Error(fault.detail)
    }
    if (subscription?.kind === 'effect')
      return {
        ...common,
        kind: 'effect',
        async run(data, meta) {
          await meetFaults(data)
          await handle!({ ...shared, event: data, meta })
        },
      }
    return {
      ...common,
      kind: 'transactional',
      async run(data, meta, open) {
        await meetFaults(data)
        await handle?.({ ...inside, ...inTransaction(service, own, open), event: data, meta })
      },
    }
  })
}

function scheduledWork({ service }: HostedServiceOptions, shared: SharedContext, own: OwnParts): readonly ScheduledWork[] {
  const { call: _call, transaction: _transaction, projections: _projections, ...inside } = shared
  return service.schedules.map(({ name, timing, handle }): ScheduledWork => ({
    name,
    timing,
    run: (open, dueAt) => (handle as (context: unknown) => Promise<void>)({ ...inside, ...inTransaction(service, own, open), dueAt }),
  }))
}

function applyTo(projection: Projection, db: Kysely<unknown>): Apply {
  const apply = projection.apply as (context: unknown) => Promise<void>
  return (event, generation) => apply({ event, db: databaseOfGeneration(db, projection, generation) })
}
