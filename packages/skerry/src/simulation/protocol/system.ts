/**
 * The services of a run and what goes between them: an exclusive one and one of two hosts, both of which emit and have sagas, a consumer of both
 * on two hosts, and one that may join in the middle.
 */
import { CLOCK_DOUBT_MS } from '../../events/inbox.ts'
import { BrokerModel, QueueModel } from './broker-model.ts'
import type { Consumer } from './checks.ts'
import { InboxChecks } from './checks.ts'
import type { ProtocolEngines } from './engines.ts'
import type { ModelEvent } from './event.ts'
import { KEYS } from './event.ts'
import type { Ended } from './host.ts'
import { Host } from './host.ts'
import { InboxNode, RETRY } from './inbox-node.ts'
import { InboxTable } from './inbox-table.ts'
import { OutboxTable } from './outbox-table.ts'
import { RelayNode } from './relay-node.ts'
import { SagaCalls } from './saga-calls.ts'
import { SagaChecks } from './saga-checks.ts'
import { SagaNode } from './saga-node.ts'
import { SAGAS } from './saga-shapes.ts'
import type { SagaRow } from './saga-table.ts'
import { SagaTable } from './saga-table.ts'
import type { World } from './world.ts'
import { START_MS } from './world.ts'

interface Shape {
  readonly name: string
  readonly hosts: number
  /** Whose events it consumes. */
  readonly topics: readonly number[]
  readonly hasSagas: boolean
  /** Handling an event emits one, of every second event. */
  readonly emits: boolean
  readonly mayJoinLate: boolean
}

const SHAPES: readonly Shape[] = [
  { name: 'orders', hosts: 1, topics: [1], hasSagas: true, emits: false, mayJoinLate: false },
  { name: 'billing', hosts: 2, topics: [0], hasSagas: true, emits: true, mayJoinLate: false },
  { name: 'stock', hosts: 2, topics: [0, 1], hasSagas: false, emits: false, mayJoinLate: false },
  { name: 'ledger', hosts: 1, topics: [0, 1], hasSagas: false, emits: false, mayJoinLate: true },
]

/** Whose commands there are. */
const COMMANDED: readonly number[] = [0, 1]

interface Service {
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
  #nextSaga = 1

  constructor(world: World, engines: ProtocolEngines) {
    this.#world = world
    this.#engines = engines
    this.#broker = new BrokerModel(world)
    this.#sagaChecks = new SagaChecks(world)
    this.#calls = new SagaCalls(world, engines, this.#sagaChecks)
    this.services = SHAPES.map((shape, number) => {
      const subscribers = SHAPES.flatMap(({ topics }, consumer) => (topics.includes(number) ? [consumer] : []))
      const joinsLate = shape.mayJoinLate && world.strikes('joins', `${shape.name} joins late`) !== undefined
      return {
        shape,
        outbox: new OutboxTable(world, number, shape.name, subscribers),
        consumer: { table: new InboxTable(number, SHAPES.length, joinsLate), topics: shape.topics },
        sagas: new SagaTable(),
        hosts: [],
        relays: new Map(),
        workers: new Map(),
      }
    })
    this.#inboxChecks = new InboxChecks(
      world,
      this.services.map(({ outbox }) => outbox),
      RETRY.maxAttempts,
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
    const exclusive = shape.hosts === 1
    for (let number = 1; number <= shape.hosts; number++) {
      const host = new Host(this.#world, `${shape.name}-${number}`, () => ({
        start: () => {
          const relay = new RelayNode(host, { outbox, broker: this.#broker, engines, exclusive })
          service.relays.set(host, relay)
          const emit = (keyIndex: number): ((ended: Ended) => void) => {
            const row = outbox.add(keyIndex, host.nowMs())
            return (ended) => relay.emitted([row], ended)
          }
          if (COMMANDED.includes(consumer.table.consumer)) relay.start()
          if (shape.hasSagas) {
            const worker = new SagaNode(host, {
              table: sagas,
              calls: this.#calls,
              engines,
              exclusive,
              emit: ({ id }) => emit(id % KEYS.length),
            })
            service.workers.set(host, worker)
            worker.start()
          }
          new InboxNode(host, {
            table: consumer.table,
            queue,
            engines,
            checks: this.#inboxChecks,
            exclusive,
            subscribedSinceMs,
            emit: ({ id, keyIndex }) => (shape.emits && id % 2 === 0 ? emit(keyIndex) : undefined),
          }).start()
        },
      }))
      host.onDeath = () => this.#broker.lose(host)
      hosts.push(host)
      host.start()
    }
  }

  /** A client asks a service for something that changes data, and emits events or starts a saga. */
  command(number: number): void {
    const { choices } = this.#world
    const about = `command ${number}`
    const service = this.services[COMMANDED[Math.floor(choices.sizeOf(about, 'service') * COMMANDED.length)]!]!
    const host = service.hosts[Math.floor(choices.sizeOf(about, 'host') * service.hosts.length)]!
    if (!host.isUp) return
    if (choices.sizeOf(about, 'kind') < 0.3) return this.#startSaga(service, host, choices.sizeOf(about, 'saga'))
    const count = 1 + Math.floor(choices.sizeOf(about, 'count') * 3)
    const keyIndex = Math.floor(choices.sizeOf(about, 'key') * KEYS.length)
    if (!host.passes('transaction.before-commit')) return
    const rows: ModelEvent[] = []
    const ended = host.commit('command', () => {
      for (let index = 0; index < count; index++) rows.push(service.outbox.add((keyIndex + (index >> 1)) % KEYS.length, host.nowMs()))
    })
    if (!host.passes('transaction.committed')) return
    if (ended !== 'refused') service.relays.get(host)!.emitted(rows, ended)
  }

  #startSaga(service: Service, host: Host, which: number): void {
    const world = this.#world
    const id = this.#nextSaga++
    let row: SagaRow | undefined
    const ended = host.commit('start of a saga', () => {
      row = service.sagas.insert(id, SAGAS[Math.floor(which * SAGAS.length)]!, host.nowMs())
    })
    if (!host.passes('saga.started') || row === undefined) return
    const started = row
    // Also when nobody knows whether it is committed.
    if (ended !== 'refused') service.workers.get(host)!.wake()
    const cancelled = world.strikes('cancel', `saga ${id} is cancelled`)
    if (cancelled === undefined) return
    world.at(world.nowMs + world.sizeMs(cancelled, 0, 400), () => {
      service.sagas.cancel(started)
      for (const [on, worker] of service.workers) if (on.isUp) worker.wake()
    })
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
