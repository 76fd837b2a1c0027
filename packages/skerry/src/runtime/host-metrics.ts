/**
 * What a host can be asked of at any time: how far its services are behind with events, sagas and projections, and how its process is. Read
 * when somebody collects the metrics, and then at most every few seconds.
 */
// oxlint-disable-next-line no-restricted-imports -- how late the event loop is only the machine knows; a simulation records nothing
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { Clock } from '../base/clock.ts'
import type { Database } from '../engine/database.ts'
import type { EventStatus } from '../events/event-status.ts'
import { readEventStatus } from '../events/event-status.ts'
import { countSagas } from '../saga/index.ts'
import type { Labels, MetricDefinition, Metrics, Point } from '../telemetry/metrics.ts'
import type { ServiceInstance } from './service-instance.ts'

/** So often at most a database is asked. */
const FRESH_MS = 5_000
const NANOSECONDS = 1e9

/** Registers them; what is returned ends that which measures all the time. */
export function observeHost(metrics: Metrics, instances: ReadonlyMap<string, ServiceInstance>, clock: Clock): () => void {
  const withDatabase = (): readonly (ServiceInstance & { readonly database: Database })[] =>
    [...instances.values()].filter((instance) => instance.database !== undefined) as (ServiceInstance & { database: Database })[]
  observeEvents(metrics, withDatabase, clock)
  observeSagas(metrics, withDatabase, clock)
  observeProjections(metrics, () => [...instances.values()], clock)
  observeConnections(metrics, withDatabase)
  return observeProcess(metrics, clock)
}

type Instances = () => readonly (ServiceInstance & { readonly database: Database })[]

function observeEvents(metrics: Metrics, instances: Instances, clock: Clock): void {
  const read = remembered(clock, () =>
    Promise.all(instances().map(async ({ name, database }) => ({ name, status: await readEventStatus(database, name) }))),
  )
  const observe = (definition: MetricDefinition, points: (status: EventStatus, nowMs: number) => readonly Point[]): void =>
    metrics.observe(definition, 'gauge', async () =>
      (await read()).flatMap(({ name, status }) => withService(name, points(status, clock.nowMs()))),
    )
  const outbox = 'events that are committed and not yet with the broker'
  observe({ name: 'skerry.outbox.size', unit: '{event}', description: `How many ${outbox}.` }, ({ outbox: { count } }) => [one(count)])
  observe(
    { name: 'skerry.outbox.age', unit: 's', description: `How old the oldest of the ${outbox}.` },
    ({ outbox: { oldest } }, nowMs) => [one(ageS(oldest, nowMs))],
  )
  const inbox = 'events that wait for the one before of their key (early) or for another attempt (retry)'
  observe({ name: 'skerry.inbox.size', unit: '{event}', description: `How many ${inbox}.` }, (status) =>
    waiting(status).map(({ labels, count }) => ({ labels, value: count })),
  )
  observe({ name: 'skerry.inbox.age', unit: 's', description: `How old the oldest of the ${inbox}.` }, (status, nowMs) =>
    waiting(status).map(({ labels, oldest }) => ({ labels, value: ageS(oldest, nowMs) })),
  )
  observe({ name: 'skerry.dead_letter.size', unit: '{event}', description: 'How many events are dead letters.' }, ({ deadLetters }) =>
    deadLetters.map(({ topic, cause, count }) => ({ labels: { 'skerry.topic': topic, 'skerry.cause': cause }, value: count })),
  )
  observe({ name: 'skerry.dead_letter.age', unit: 's', description: 'How old the oldest dead letter is.' }, ({ deadLetters }, nowMs) =>
    deadLetters.map(({ topic, cause, oldest }) => ({
      labels: { 'skerry.topic': topic, 'skerry.cause': cause },
      value: ageS(oldest, nowMs),
    })),
  )
}

function waiting({ inbox }: EventStatus): readonly { readonly labels: Labels; readonly count: number; readonly oldest: Date | null }[] {
  return inbox.flatMap(({ source, early, retry }) => [
    { labels: { 'skerry.source': source, 'skerry.reason': 'early' }, ...early },
    { labels: { 'skerry.source': source, 'skerry.reason': 'retry' }, ...retry },
  ])
}

function observeSagas(metrics: Metrics, instances: Instances, clock: Clock): void {
  const read = remembered(clock, async () => {
    const withSagas = instances().filter(({ hosted }) => hosted.sagas !== undefined)
    return Promise.all(withSagas.map(async ({ name, database }) => ({ name, sagas: await countSagas(database) })))
  })
  const labels = (name: string, status: string): Labels => ({ 'skerry.saga.name': name, 'skerry.saga.status': status })
  metrics.observe({ name: 'skerry.saga.size', unit: '{saga}', description: 'How many sagas have not ended.' }, 'gauge', async () =>
    (await read()).flatMap(({ name, sagas }) =>
      withService(
        name,
        sagas.map(({ saga, status, count }) => ({ labels: labels(saga, status), value: count })),
      ),
    ),
  )
  metrics.observe(
    { name: 'skerry.saga.age', unit: 's', description: 'How old the oldest saga that has not ended is.' },
    'gauge',
    async () =>
      (await read()).flatMap(({ name, sagas }) =>
        withService(
          name,
          sagas.map(({ saga, status, oldest }) => ({ labels: labels(saga, status), value: ageS(oldest, clock.nowMs()) })),
        ),
      ),
  )
}

function observeProjections(metrics: Metrics, instances: () => readonly ServiceInstance[], clock: Clock): void {
  const read = remembered(clock, () =>
    Promise.all(
      instances().flatMap(({ name, hosted, projections }) =>
        hosted.projections.map(async ({ projection }) => ({ name, generations: await projections.status(projection) })),
      ),
    ),
  )
  metrics.observe(
    { name: 'skerry.projection.lag', unit: '{event}', description: 'How many events projections are behind.' },
    'gauge',
    async () =>
      (await read()).flatMap(({ name, generations }) =>
        withService(
          name,
          generations.map(({ name: projection, status, lag }) => ({
            labels: { 'skerry.projection.name': projection, 'skerry.projection.status': status },
            value: lag,
          })),
        ),
      ),
  )
}

function observeConnections(metrics: Metrics, instances: Instances): void {
  const points = (of: (connections: NonNullable<Database['connections']>) => readonly Point[]) => () =>
    instances().flatMap(({ name, database }) => (database.connections === undefined ? [] : withService(name, of(database.connections))))
  metrics.observe(
    { name: 'db.client.connection.count', unit: '{connection}', description: 'How many connections to databases there are.' },
    'gauge',
    points(({ used, idle }) => [
      { labels: { 'db.client.connection.state': 'used' }, value: used },
      { labels: { 'db.client.connection.state': 'idle' }, value: idle },
    ]),
  )
  metrics.observe(
    { name: 'db.client.connection.max', unit: '{connection}', description: 'How many connections to databases there may be.' },
    'gauge',
    points(({ max }) => [one(max)]),
  )
  metrics.observe(
    { name: 'db.client.connection.pending_requests', unit: '{request}', description: 'How much waits for a connection.' },
    'gauge',
    points(({ pending }) => [one(pending)]),
  )
}

function observeProcess(metrics: Metrics, clock: Clock): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  let busy = performance.eventLoopUtilization()
  // Of the time since the last look: of all time since the start an overload would not show for long.
  const loop = remembered(clock, async () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, busy)
    busy = now
    const seen = { p50: delay.percentile(50), p90: delay.percentile(90), p99: delay.percentile(99), max: delay.max, utilization }
    delay.reset()
    return seen
  })
  const late = 'how late the event loop was since the last look'
  for (const name of ['p50', 'p90', 'p99', 'max'] as const)
    metrics.observe(
      { name: `nodejs.eventloop.delay.${name}`, unit: 's', description: `${name === 'max' ? 'The maximum' : `The ${name}`} of ${late}.` },
      'gauge',
      async () => [one((await loop())[name] / NANOSECONDS)],
    )
  metrics.observe(
    { name: 'nodejs.eventloop.utilization', unit: '1', description: 'The share of time that the event loop was busy since the last look.' },
    'gauge',
    async () => [one((await loop()).utilization)],
  )
  metrics.observe({ name: 'process.memory.usage', unit: 'By', description: 'Memory of the process.' }, 'gauge', () => [
    one(process.memoryUsage.rss()),
  ])
  metrics.observe({ name: 'v8js.memory.heap.used', unit: 'By', description: 'Heap in use.' }, 'gauge', () => [
    one(getHeapStatistics().used_heap_size),
  ])
  metrics.observe({ name: 'v8js.memory.heap.limit', unit: 'By', description: 'What the heap may grow to.' }, 'gauge', () => [
    one(getHeapStatistics().heap_size_limit),
  ])
  metrics.observe({ name: 'process.cpu.time', unit: 's', description: 'Processor time that the process has used.' }, 'counter', () => {
    const { user, system } = process.cpuUsage()
    return [
      { labels: { 'cpu.mode': 'user' }, value: user / 1e6 },
      { labels: { 'cpu.mode': 'system' }, value: system / 1e6 },
    ]
  })
  metrics.observe({ name: 'process.uptime', unit: 's', description: 'How long the process has been running.' }, 'gauge', () => [
    one(process.uptime()),
  ])
  return () => delay.disable()
}

/** What was read a moment ago is not read again, however many ask. A failure is not remembered. */
function remembered<T>(clock: Clock, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly atMs: number; readonly value: Promise<T> } | undefined
  return () => {
    const nowMs = clock.nowMs()
    if (last !== undefined && nowMs - last.atMs < FRESH_MS) return last.value
    const value = read()
    last = { atMs: nowMs, value }
    value.catch(() => {
      last = undefined
    })
    return value
  }
}

function one(value: number): Point {
  return { labels: {}, value }
}

function withService(service: string, points: readonly Point[]): readonly Point[] {
  return points.map(({ labels, value }) => ({ labels: { 'service.name': service, ...labels }, value }))
}

function ageS(oldest: Date | null, nowMs: number): number {
  return oldest === null ? 0 : Math.max(0, nowMs - oldest.getTime()) / 1_000
}
