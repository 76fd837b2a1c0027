/** The services of a run at work, and what goes between them. */
import { CLOCK_DOUBT_MS } from '../../events/inbox.ts'
import type { SagaDefinition } from '../../saga/definition.ts'
import { BrokerModel, QueueModel } from './broker-model.ts'
import type { Consumer } from './checks.ts'
import { InboxChecks } from './checks.ts'
import type { ProtocolEngines } from './engines.ts'
import type { ModelEvent, NewEvent } from './event.ts'
import type { Ended } from './host.ts'
import { Host } from './host.ts'
import { InboxNode } from './inbox-node.ts'
import { InboxTable } from './inbox-table.ts'
import { OutboxTable } from './outbox-table.ts'
import { RelayNode } from './relay-node.ts'
import { SagaCalls } from './saga-calls.ts'
import { SagaChecks } from './saga-checks.ts'
import { SagaNode } from './saga-node.ts'
import type { SagaRow } from './saga-table.ts'
import { SagaTable } from './saga-table.ts'
import type { Scenario } from './scenario.ts'
import type { Shape } from './topology.ts'
import { SHAPES } from './topology.ts'
import type { World } from './world.ts'
import { START_MS } from './world.ts'

export interface Service {
  readonly shape: Shape
  readonly outbox: OutboxTable
  readonly consumer: Consumer
  readonly sagas: SagaTable
  readonly hosts: Host[]
  readonly relays: Map<Host, RelayNode>
  readonly workers: Map<Host, SagaNode>
}

export class System {
  readonly services: readonly Service[]
  readonly #world: World
  readonly #engines: ProtocolEngines
  readonly #broker: BrokerModel
  readonly #inboxChecks: InboxChecks
  readonly #sagaChecks: SagaChecks
  readonly #calls: SagaCalls
  readonly #scenario: Scenario

  constructor(world: World, engines: ProtocolEngines, scenario: Scenario) {
    this.#world = world
    this.#engines = engines
    this.#scenario = scenario
    this.#broker = new BrokerModel(world)
    this.#sagaChecks = new SagaChecks(world)
    this.#calls = new SagaCalls(world, engines, this.#sagaChecks, scenario)
    this.services = SHAPES.map((shape, number) => {
      const joinsLate = shape.mayJoinLate && scenario.joinsLate(shape.name)
      return {
        shape,
        outbox: new OutboxTable(world, number, shape.name, scenario),
        consumer: { table: new InboxTable(number, SHAPES.length, scenario.keys.length, joinsLate), topics: shape.topics },
        sagas: new SagaTable(),
        hosts: [],
        relays: new Map(),
        workers: new Map(),
      }
    })
    this.#inboxChecks = new InboxChecks(
      world,
      this.services.map(({ outbox }) => outbox),
      scenario.retry.maxAttempts,
    )
    this.#broker.onBack = () => {
      for (const { relays, hosts } of this.services) for (const host of hosts) if (host.isUp) relays.get(host)?.retryNow()
    }
  }

  /** `joinsAtMs`: when the one that joins in the middle does. */
  start(joinsAtMs: number): void {
    this.#broker.start()
    for (const service of this.services) {
      if (service.consumer.table.joinsLate) this.#world.at(joinsAtMs, () => this.#open(service, joinsAtMs))
      else this.#open(service, START_MS - 3 * CLOCK_DOUBT_MS)
    }
  }

  #open(service: Service, subscribedSinceMs: number): void {
    const { shape, hosts, outbox, consumer, sagas } = service
    const queue = new QueueModel(this.#world, consumer.table.consumer, `${shape.name} queue`)
    this.#broker.bind(queue, shape.topics)
    const engines = this.#engines
    const scenario = this.#scenario
    const exclusive = shape.hosts === 1
    for (let number = 1; number <= shape.hosts; number++) {
      const host = new Host(this.#world, `${shape.name}-${number}`, () => ({
        start: () => {
          const relay = new RelayNode(host, { outbox, broker: this.#broker, engines, exclusive })
          service.relays.set(host, relay)
          const emit = (event: NewEvent): ((ended: Ended) => void) => {
            const row = outbox.add(event, host.nowMs())
            return (ended) => relay.emitted([row], ended)
          }
          if (shape.isCommanded) {
            relay.start()
            const worker = new SagaNode(host, {
              table: sagas,
              calls: this.#calls,
              engines,
              exclusive,
              emit: (row, step) => emit(scenario.noteOf(row, step)),
            })
            service.workers.set(host, worker)
            worker.start()
          }
          new InboxNode(host, {
            table: consumer.table,
            queue,
            engines,
            checks: this.#inboxChecks,
            retry: scenario.retry,
            exclusive,
            subscribedSinceMs,
            emit: (event) => {
              const reaction = shape.emits ? scenario.reactionTo(event) : undefined
              return reaction === undefined ? undefined : emit(reaction)
            },
          }).start()
        },
      }))
      host.onDeath = () => this.#broker.lose(host)
      hosts.push(host)
      host.start()
    }
  }

  /** Has a service change its data and emit, on a host that is up. True when that is committed, whoever knows it. */
  emit(service: Service, host: Host, events: readonly NewEvent[]): boolean {
    if (!host.passes('transaction.before-commit')) return false
    const rows: ModelEvent[] = []
    const ended = host.commit('command', () => rows.push(...events.map((event) => service.outbox.add(event, host.nowMs()))))
    const isWritten = ended !== 'refused'
    if (host.passes('transaction.committed') && isWritten) service.relays.get(host)!.emitted(rows, ended)
    return isWritten
  }

  /** Has a service start a saga, on a host that is up. Undefined when that is not committed. */
  startSaga(service: Service, host: Host, id: number, definition: SagaDefinition): SagaRow | undefined {
    let row: SagaRow | undefined
    host.commit('start of a saga', () => {
      row = service.sagas.insert(id, definition, host.nowMs())
    })
    // Also when nobody knows whether it is committed.
    if (host.passes('saga.started') && row !== undefined) service.workers.get(host)!.wake()
    return row
  }

  cancelSaga({ sagas, workers }: Service, row: SagaRow): void {
    sagas.cancel(row)
    for (const [on, worker] of workers) if (on.isUp) worker.wake()
  }

  /** Nothing is left to do. */
  get isSettled(): boolean {
    return (
      this.#broker.size === 0 &&
      this.services.every(
        ({ outbox, consumer, sagas, hosts }) =>
          outbox.rows.length === 0 && hosts.every(({ isUp }) => isUp) && sagas.isSettled && this.#inboxChecks.isSettled(consumer.table),
      )
    )
  }

  final(): void {
    if (!this.isSettled) for (const left of this.#unsettled()) this.#world.violate(`it did not come to rest: ${left}`)
    for (const { consumer, sagas } of this.services) {
      this.#inboxChecks.final(consumer)
      for (const row of sagas.rows) if (row.ended || row.state.status === 'parked') this.#sagaChecks.final(row)
    }
  }

  #unsettled(): readonly string[] {
    return this.services.flatMap(({ shape, outbox, consumer, sagas }) => [
      ...(outbox.rows.length > 0 ? [`${outbox.rows.length} rows in the outbox of ${shape.name}`] : []),
      ...(this.#inboxChecks.isSettled(consumer.table) ? [] : [`messages wait at ${shape.name}`]),
      ...(sagas.isSettled ? [] : [`sagas of ${shape.name}`]),
    ])
  }
}
