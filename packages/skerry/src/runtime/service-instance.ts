/** One service in one host, from opening its database to giving back its leases. */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import type { NewId } from '../base/id.ts'
import type { Random } from '../base/random.ts'
import type { Worker } from '../base/worker.ts'
import type { Using } from '../client/policies.ts'
import type { Contract } from '../contract/contract.ts'
import type { Event } from '../contract/event.ts'
import type { Broker } from '../engine/broker.ts'
import type { Database } from '../engine/database.ts'
import { eventStore } from '../event-store/event-store.ts'
import type { ProjectionAdministration } from '../event-store/projection-access.ts'
import type { RunningConsumer } from '../events/consumer.ts'
import { startConsumer } from '../events/consumer.ts'
import type { LaterWorker } from '../events/later-worker.ts'
import { startLaterWorker } from '../events/later-worker.ts'
import type { RelayWorker } from '../events/relay-worker.ts'
import { startRelay } from '../events/relay-worker.ts'
import { createTransactionRunner } from '../events/transaction-runner.ts'
import { checkSagaVersions } from '../saga/index.ts'
import type { HostedService } from '../service/hosted-service.ts'
import { hostService } from '../service/hosted-service.ts'
import type { InjectedFaults } from '../service/injected-faults.ts'
import type { Service } from '../service/service.ts'
import { consumedEvents } from '../service/service.ts'
import type { Log } from '../telemetry/log.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { CheckResult } from './health.ts'

export interface ServiceInstanceOptions {
  readonly service: Service
  readonly database: Database | undefined
  /** No other process can have the database open. */
  readonly exclusive: boolean
  readonly broker: Broker
  readonly clientFor: (contract: Contract, using: Using | undefined) => unknown
  readonly config: unknown
  readonly resources: unknown
  /** Whether any service of the system consumes what this one publishes. */
  readonly hasConsumers: boolean
  readonly clock: Clock
  readonly random: Random
  readonly newId: NewId
  readonly log: Log
  readonly telemetry: Telemetry
  readonly faults: InjectedFaults | undefined
}

export interface ServiceInstance {
  readonly name: string
  readonly hosted: HostedService
  readonly projections: ProjectionAdministration
  readonly database: Database | undefined
  /** Undefined before `begin`, and where there is nothing to publish. */
  readonly relay: RelayWorker | undefined
  /** Undefined before `begin`, and where there is nothing to consume. */
  readonly consumer: RunningConsumer | undefined
  /** What else it does by itself. Empty before `begin`. */
  readonly workers: readonly Worker[]
  /** Begins to publish and to consume. Call when everything that handlers may call answers. */
  begin(): void
  /** Says within two seconds whether the database answers. */
  checkDatabase(): Promise<CheckResult>
  /** Writes what it has counted and closes its database. Call when nothing uses it any more. */
  close(): Promise<void>
}

const CHECK_MS = 2_000

/** Makes the instance: from then on it answers calls. */
export async function createServiceInstance(options: ServiceInstanceOptions): Promise<ServiceInstance> {
  const { service, database, broker, clock, random, newId, telemetry } = options
  const { contract } = service
  const log = options.log.with({ service: contract.name })
  let relay: RelayWorker | undefined
  let consumer: RunningConsumer | undefined
  let later: LaterWorker | undefined
  let workers: readonly Worker[] = []
  const transactions =
    database &&
    createTransactionRunner({
      topic: contract.name,
      database,
      clock,
      random,
      newId,
      telemetry,
      onEmitted: (entries) => relay?.offer(entries),
      onUncertain: () => relay?.lookAgain(),
      onDelayed: (dueAtMs) => later?.wakeBy(dueAtMs),
    })
  const clients = Object.fromEntries(
    Object.entries(service.uses).map(([name, used]) => [name, options.clientFor(used, service.using[name])]),
  )
  if (database !== undefined)
    await checkSagaVersions(
      contract.name,
      database,
      service.sagas.map(({ definition }) => definition),
    )
  const store = eventStore({ ...options, service: contract.name, streams: service.streams, projections: service.projections, log })
  await store.prepare()
  const hosted = hostService({
    service,
    database,
    exclusive: options.exclusive,
    transactions,
    clients,
    config: options.config,
    resources: options.resources,
    clock,
    random,
    newId,
    log,
    telemetry,
    faults: options.faults,
    onAppended: () => store.appended(),
    projections: store.projections,
  })

  const publish = (): RelayWorker | undefined => {
    const events = Object.values(contract.events as Record<string, Event>)
    if (database === undefined || events.length === 0) return undefined
    return startRelay({
      service: contract.name,
      database,
      broker,
      clock,
      log,
      telemetry,
      owner: newId(),
      exclusive: options.exclusive,
      hasConsumers: options.hasConsumers,
      events: new Map(events.map((event) => [event.type, event])),
    })
  }
  const doLater = (): LaterWorker | undefined => {
    const events = Object.values(contract.events as Record<string, Event>)
    if (database === undefined || transactions === undefined || (events.length === 0 && hosted.scheduledWork.length === 0)) return undefined
    return startLaterWorker({
      service: contract.name,
      events,
      schedules: hosted.scheduledWork,
      database,
      exclusive: options.exclusive,
      transactions,
      clock,
      random,
      log,
      telemetry,
      onEmitted: (entries) => relay?.offer(entries),
      onUncertain: () => relay?.lookAgain(),
    })
  }
  const consume = (): RunningConsumer | undefined => {
    const publishers = new Set(consumedEvents(service).map((event) => event.contract))
    if (database === undefined || transactions === undefined || publishers.size === 0) return undefined
    return startConsumer({
      service: contract.name,
      contracts: [contract, ...Object.values(service.uses), ...service.listens].filter(
        ({ name }, index, all) => publishers.has(name) && all.findIndex((other) => other.name === name) === index,
      ),
      handlers: hosted.eventHandlers,
      database,
      transactions,
      broker,
      exclusive: options.exclusive,
      clock,
      random,
      newId,
      log,
      telemetry,
    })
  }

  return {
    name: contract.name,
    hosted,
    projections: store.projections,
    database,
    get relay() {
      return relay
    },
    get consumer() {
      return consumer
    },
    get workers() {
      return workers
    },
    begin() {
      relay = publish()
      consumer = consume()
      later = doLater()
      hosted.sagas?.worker.begin()
      workers = [later, hosted.sagas?.worker, ...store.begin(hosted.projections)].filter((worker) => worker !== undefined)
    },
    checkDatabase: () => (database === undefined ? Promise.resolve({ status: 'up' }) : answerOf(database, clock)),
    async close() {
      await hosted.deprecatedCalls?.stop()
      await database?.close()
    },
  }
}

async function answerOf(database: Database, clock: Clock): Promise<CheckResult> {
  const answered = new AbortController()
  const asked = database.ping().then(
    (): CheckResult => ({ status: 'up' }),
    (error: unknown): CheckResult => ({ status: 'down', reason: error instanceof Error ? error.message : String(error) }),
  )
  const late = sleep(clock, CHECK_MS, answered.signal).then((): CheckResult => ({
    status: 'down',
    reason: `it has not answered for ${CHECK_MS} ms`,
  }))
  const result = await Promise.race([asked, late])
  answered.abort()
  return result
}
