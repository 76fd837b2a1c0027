/**
 * A system for tests: real services on a real database and the embedded broker, in this process, on a clock that the test
 * moves. Nothing of Skerry's is mocked; services that are not under test are faked through their contracts.
 */
import { VirtualClock } from '../base/clock.ts'
import { seededRandom } from '../base/random.ts'
import type { Client } from '../client/call.ts'
import type { Event } from '../contract/event.ts'
import type { InputOf, OutputOf, Schema } from '../contract/schema.ts'
import { embeddedBroker } from '../engine/embedded-broker.ts'
import { readCloudEvent, sourceOf, writeCloudEvent } from '../events/cloud-event.ts'
import { readStoredText } from '../events/stored-message.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { NO_RETRY } from '../resilience/retry.ts'
import { readConfiguration } from '../runtime/configuration.ts'
import type { Host } from '../runtime/host.ts'
import { startHost } from '../runtime/host.ts'
import { select, system } from '../runtime/system.ts'
import type { Service } from '../service/service.ts'
import type { Log } from '../telemetry/log.ts'
import { createLog } from '../telemetry/log.ts'
import type { MetricSnapshot } from '../telemetry/metrics.ts'
import type { SpanRecord } from '../telemetry/span.ts'
import { createTelemetry } from '../telemetry/telemetry.ts'
import { recordingBroker } from './recording-broker.ts'
import { settle } from './settle.ts'
import { testDatabaseEngine } from './test-databases.ts'

export interface TestSystemOptions<Services extends readonly Service[]> {
  readonly services: Services
  /** Stand-ins for services that those under test use. */
  readonly fakes?: readonly Service[]
  /** Listens on a free port; its address is `gatewayUrl`. */
  readonly gateway?: Gateway
  /** Variables for the services' `config`. */
  readonly environment?: Readonly<Record<string, string>>
  /** Decides ids and jitter. Default: 1. */
  readonly seed?: number
  /** Calls inside the system go as between hosts: over HTTP (`true`), or over the fast wire. Default: the variable SKERRY_WIRE. */
  readonly forceWire?: boolean | 'fast'
  /** Default: errors and warnings are not shown, so that expected ones do not fill the output; pass `createLog()` to see all. */
  readonly log?: Log
}

/** `user-service` → `userService` */
type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<CamelCase<Tail>>}` : Name

export interface DeadLetterView {
  readonly service: string
  readonly type: string
  readonly key: string
  readonly cause: string
  readonly error: string
  readonly attempts: number
  readonly data: unknown
}

export interface TestSystem<Services extends readonly Service[]> extends AsyncDisposable {
  /** A typed client of each service under test: `app.call.orders.placeOrder(…)`. */
  readonly call: { readonly [S in Services[number] as CamelCase<S['contract']['name']>]: Client<S['contract']> }
  readonly clock: VirtualClock
  /** Where the gateway listens, when there is one. */
  readonly gatewayUrl: string
  readonly host: Host
  /**
   * Resolves when nothing is left to do: outboxes empty, events handled, retries made (the clock is moved to their times). What cannot
   * go on by itself (a dead letter, a message whose predecessor never comes) is left. Rejects when that takes too long, and says what is left.
   */
  settled(): Promise<void>
  /** The data of every event of this kind that has been published, in order. */
  published<S extends Schema>(event: Event<S>): OutputOf<S>[]
  /** Publishes an event as its service would, for services that are faked or absent. */
  publish<S extends Schema>(event: Event<S>, data: InputOf<S>): Promise<void>
  /** What has been recorded of all work that has ended, in the order in which it did: calls, transactions, events, steps of sagas. */
  spans(): readonly SpanRecord[]
  /** What is counted and measured. */
  metrics(): Promise<readonly MetricSnapshot[]>
  /** What the services could not handle. */
  deadLetters(): Promise<DeadLetterView[]>
}

/** Starts a system for a test. Use `await using`, or call `[Symbol.asyncDispose]()` at the end. */
export async function testSystem<const Services extends readonly Service[]>(
  options: TestSystemOptions<Services>,
): Promise<TestSystem<Services>> {
  const clock = new VirtualClock()
  const random = seededRandom(options.seed ?? 1)
  const definition = system('test', {
    services: [...options.services, ...(options.fakes ?? [])],
    ...(options.gateway === undefined ? {} : { gateway: options.gateway }),
  })
  const selection = select(definition, [])
  const environment = {
    PORT: '0',
    SKERRY_DATA: 'memory',
    SKERRY_WIRE: wireOf(options.forceWire) ?? process.env['SKERRY_WIRE'],
    ...options.environment,
  }
  const configuration = { ...(await readConfiguration(definition, selection, environment)), brokerUrl: 'test:', drainMs: 0 }
  const recorder = recordingBroker(embeddedBroker({ clock }))
  const spans: SpanRecord[] = []
  // Ids of services do not depend on what is recorded.
  const telemetry = createTelemetry({ clock, random: seededRandom(~(options.seed ?? 1)), onSpan: (span) => spans.push(span) })
  const host = await startHost({
    system: definition,
    selection,
    configuration,
    engines: { database: testDatabaseEngine, broker: async () => recorder.engine },
    clock,
    random,
    // Time stands still: who paused before another attempt would wait for ever.
    retry: NO_RETRY,
    telemetry,
    log: options.log ?? createLog({ level: 'silent' }),
  })
  const call = Object.fromEntries(options.services.map(({ contract }) => [camelCase(contract.name), host.clientFor(contract)]))
  const sequences = new Map<string, number>()

  return {
    call: call as TestSystem<Services>['call'],
    clock,
    get gatewayUrl() {
      if (host.gatewayUrl === undefined) throw new Error('This test system has no gateway: pass { gateway: gateway() }')
      return host.gatewayUrl
    },
    host,
    settled: () => settle(host, clock),
    published: <S extends Schema>(event: Event<S>) =>
      recorder.published
        .filter(({ type }) => type === event.type)
        .flatMap(({ body }) => {
          const read = readCloudEvent(body)
          return read.ok ? [read.envelope.data] : []
        }),
    async publish(event, data) {
      const key = String((data as Record<string, unknown>)[event.key])
      const sequence = (sequences.get(`${event.contract}\n${key}`) ?? 0) + 1
      sequences.set(`${event.contract}\n${key}`, sequence)
      const id = `${event.contract}-${key}-${sequence}`
      const time = clock.now().toISOString()
      const envelope = {
        id,
        source: sourceOf(event.contract),
        type: event.type,
        key,
        time,
        traceparent: undefined,
        sequence,
        previousTime: sequence === 1 ? undefined : time,
      }
      await recorder
        .broker()
        .publish([{ id, topic: event.contract, type: event.type, key, body: writeCloudEvent(envelope, JSON.stringify(data)) }])
    },
    spans: () => [...spans],
    metrics: () => telemetry.metrics.snapshot(),
    deadLetters: () => readDeadLetters(host),
    [Symbol.asyncDispose]: () => host.stop(),
  }
}

async function readDeadLetters(host: Host): Promise<DeadLetterView[]> {
  const letters: DeadLetterView[] = []
  for (const { name, database } of host.instances.values()) {
    if (database === undefined) continue
    const { rows } = await database.query<{ type: string; key: string; cause: string; error: string; attempts: number; envelope: string }>(
      'select type, key, cause, error, attempts, envelope from skerry_dead_letter order by died_at, id',
    )
    for (const { envelope, ...row } of rows) {
      const read = readCloudEvent(readStoredText(envelope).body)
      letters.push({ service: name, ...row, data: read.ok ? read.envelope.data : undefined })
    }
  }
  return letters
}

function camelCase(name: string): string {
  return name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function wireOf(forceWire: boolean | 'fast' | undefined): string | undefined {
  return typeof forceWire === 'boolean' ? (forceWire ? 'http' : 'local') : forceWire
}
