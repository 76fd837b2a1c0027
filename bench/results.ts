/** The results as a page: each figure with its spread, its peer, its goal, and the machine it was measured on. */
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type { Checkouts } from './checkout/bench.ts'
import type { DurableEvents } from './durable-events/bench.ts'
import { MANY, rateOf } from './durable-events/bench.ts'
import type { EventFigures } from './durable-events/workload.ts'
import type { EventStoreFigures } from './event-store/bench.ts'
import type { Footprint } from './footprint/bench.ts'
import type { Growth } from './growth/bench.ts'
import type { Comparison } from './harness/pairs.ts'
import { medianOf } from './harness/pairs.ts'
import type { PolicyCosts } from './policies/bench.ts'
import type { RemoteCalls } from './remote-call/bench.ts'
import { compareRemoteCalls } from './remote-call/bench.ts'
import type { Sagas } from './sagas/bench.ts'
import type { WayFigures } from './shop-ways/bench.ts'
import { policyTable, waysTable } from './side-by-side.ts'
import type { TelemetryCost } from './telemetry/bench.ts'

export interface Results {
  http?: Comparison
  local?: Comparison
  remote?: readonly RemoteCalls[]
  orders?: Comparison
  ordersEmbedded?: readonly number[]
  events?: DurableEvents
  eventsEmbedded?: readonly EventFigures[]
  sagas?: Sagas
  store?: EventStoreFigures
  checkouts?: Checkouts
  growth?: readonly Growth[]
  telemetry?: TelemetryCost
  policies?: PolicyCosts
  ways?: readonly WayFigures[]
  footprint?: Footprint
}

export function report(results: Results, pairs: number): string {
  const { footprint } = results
  const lines = [
    '# Measured',
    '',
    `Written by \`npm run bench\`: ${pairs} pairs each, the two candidates in turn, correctness checked after each measurement. On this machine the load and the server share the processor, so read ratios, not absolutes.`,
    '',
    `Machine: ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB. ${versions()}.`,
    '',
  ]
  const compared = comparedRows(results)
  if (compared.length > 0)
    lines.push('| what | Skerry | peer | ratio, median (min to max) | goal |', '| --- | ---: | ---: | ---: | ---: |', ...compared, '')
  const latencies = latencyRows(results)
  if (latencies.length > 0)
    lines.push(
      '| how long it takes, milliseconds | Skerry, p50 | p99 | peer, p50 | p99 |',
      '| --- | ---: | ---: | ---: | ---: |',
      ...latencies,
      '',
    )
  const alone = aloneRows(results)
  if (alone.length > 0) lines.push('| without a peer | Skerry, median (min to max) | goal |', '| --- | ---: | ---: |', ...alone, '')
  if (results.growth !== undefined)
    lines.push(
      '| rows of history in each table, PostgreSQL and RabbitMQ | events/s, one in a transaction | ' +
        `events/s, ${MANY} in a transaction | sagas/s, three steps that write |`,
      '| ---: | ---: | ---: | ---: |',
      ...growthRows(results.growth),
      '',
    )
  if (results.policies !== undefined) lines.push(...policyTable(results.policies))
  if (results.ways !== undefined) lines.push(...waysTable(results.ways))
  if (footprint !== undefined)
    lines.push(
      '| footprint | |',
      '| --- | ---: |',
      `| packages installed with the embedded engines | ${footprint.installedPackages} |`,
      `| megabytes installed | ${footprint.installedMegabytes.toFixed(1)} |`,
      `| shop: npm start with nothing kept, to first answer (goal under 5 s) | ${footprint.coldStartSeconds.toFixed(2)} s |`,
      `| shop: npm start once more | ${footprint.warmStartSeconds.toFixed(2)} s |`,
      `| shop: memory of skerry start at rest | ${whole(footprint.shopMegabytesAtRest)} MiB |`,
      `| one more service in the process | ${footprint.megabytesPerFurtherService.toFixed(2)} MiB |`,
      '',
    )
  return `${lines.join('\n').trimEnd()}\n`
}

function comparedRows({ http, local, remote, orders, events, sagas, store, telemetry }: Results): readonly string[] {
  const rows: string[] = []
  if (http !== undefined) rows.push(row('HTTP operation: validated POST, requests/s', http, 'at least 0.85'))
  if (local !== undefined) {
    const microseconds = (1e6 / local.subjectMedian).toFixed(2)
    rows.push(row(`local call: copied, validated both ways, calls/s (${microseconds} µs each; goal under 5 µs)`, local, 'at least 2'))
  }
  if (remote !== undefined) {
    for (const comparison of compareRemoteCalls(remote, ({ many }) => many.perSecond))
      rows.push(row('remote call over the fast wire, 64 at once, calls/s', comparison, goalOfRemoteCalls(comparison.peer)))
    for (const comparison of compareRemoteCalls(remote, ({ one }) => one.perSecond))
      rows.push(row('the same, one after the other, calls/s', comparison, 'none'))
  }
  if (orders !== undefined) rows.push(row('order placed and notified, PostgreSQL and RabbitMQ, orders/s', orders, 'at least 0.7'))
  if (events !== undefined)
    rows.push(
      row(`durable event, ${MANY} in a transaction, PostgreSQL and RabbitMQ, events/s`, events.many, 'at least 0.35'),
      row('durable event, one in a transaction, PostgreSQL and RabbitMQ, events/s', events.one, 'none'),
    )
  if (sagas !== undefined)
    rows.push(
      row('saga of three steps that do nothing, PostgreSQL, sagas/s', sagas.idle, 'at least 3'),
      row('saga of three steps that write a row each, PostgreSQL, sagas/s', sagas.writing, 'at least 3'),
    )
  if (telemetry !== undefined)
    rows.push(
      row('HTTP operation with all telemetry on, requests/s', telemetry.http, 'at least 0.75'),
      row('order placed and notified with all telemetry on, embedded, orders/s', telemetry.orders, 'at least 0.75'),
    )
  if (store !== undefined)
    rows.push(
      row('event decided on and appended, PostgreSQL, appends/s', store.appendsAlone, 'to be set'),
      row('the same, numbered and projected meanwhile, appends/s', store.appends, 'to be set'),
      row('read model built anew, PostgreSQL, events/s', store.rebuild, 'to be set'),
    )
  return rows
}

function goalOfRemoteCalls(peer: string): string {
  if (peer.startsWith('Moleculer')) return 'at least 2'
  return peer.startsWith('@grpc') ? 'at least 10' : 'none'
}

function latencyRows({ remote, events, eventsEmbedded, sagas }: Results): readonly string[] {
  const rows: string[] = []
  const cells = (...values: readonly (number | undefined)[]): string =>
    values.map((value) => (value === undefined ? '' : value.toFixed(value < 1 ? 2 : 1))).join(' | ')
  const beside = (what: string, { p50, p99 }: { readonly p50: Comparison; readonly p99: Comparison }): string =>
    `| ${what}; beside it ${p50.peer} | ${cells(p50.subjectMedian, p99.subjectMedian, p50.peerMedian, p99.peerMedian)} |`
  if (remote !== undefined)
    for (const [what, of] of [
      ['remote call over the fast wire, 64 at once', 'many'],
      ['the same, one after the other', 'one'],
    ] as const) {
      const p99 = compareRemoteCalls(remote, (figures) => figures[of].p99Ms)
      for (const [index, p50] of compareRemoteCalls(remote, (figures) => figures[of].p50Ms).entries())
        rows.push(beside(what, { p50, p99: p99[index]! }))
    }
  if (events !== undefined) rows.push(beside('durable event at 200/s, PostgreSQL and RabbitMQ', events))
  if (eventsEmbedded !== undefined) {
    const p50 = medianOf(eventsEmbedded.map(({ latency }) => latency.p50Ms))
    const p99 = medianOf(eventsEmbedded.map(({ latency }) => latency.p99Ms))
    rows.push(`| durable event at 200/s, PGlite and the embedded broker | ${cells(p50, p99, undefined, undefined)} |`)
  }
  if (sagas !== undefined) rows.push(beside('saga of three steps that write, at 50/s, PostgreSQL', sagas))
  return rows
}

function aloneRows({ ordersEmbedded, eventsEmbedded, checkouts }: Results): readonly string[] {
  const rows: string[] = []
  const embedded = 'one process, PGlite and the embedded broker'
  if (ordersEmbedded !== undefined) rows.push(aloneRow(`order placed and notified, ${embedded}, orders/s`, ordersEmbedded, 'none'))
  if (eventsEmbedded !== undefined)
    rows.push(
      aloneRow(`durable event, ${MANY} in a transaction, ${embedded}, events/s`, eventsEmbedded.map(rateOf(MANY)), 'at least 8,000'),
      aloneRow(`durable event, one in a transaction, ${embedded}, events/s`, eventsEmbedded.map(rateOf(1)), 'none'),
    )
  if (checkouts !== undefined)
    rows.push(
      aloneRow(`the shop: order placed, paid and sent, ${embedded}, checkouts/s`, checkouts.together, 'none'),
      aloneRow('the same, a process and a database for each service, PostgreSQL and RabbitMQ, checkouts/s', checkouts.apart, 'none'),
    )
  return rows
}

function aloneRow(what: string, values: readonly number[], goal: string): string {
  return `| ${what} | **${whole(medianOf(values))}** (${whole(Math.min(...values))} to ${whole(Math.max(...values))}) | ${goal} |`
}

/** Each figure with what it is of that with the least history. */
function growthRows(growth: readonly Growth[]): readonly string[] {
  const [least] = growth
  return growth.map((entry) => {
    const cell = (of: (growth: Growth) => readonly number[]): string => {
      const median = medianOf(of(entry))
      return entry === least ? whole(median) : `${whole(median)} (${(median / medianOf(of(least!))).toFixed(2)})`
    }
    const cells = [cell((of) => of.eventsPerSecond), cell((of) => of.batchedEventsPerSecond), cell((of) => of.sagasPerSecond)]
    return `| ${whole(entry.rows)} | ${cells.join(' | ')} |`
  })
}

function row(what: string, { subjectMedian, peerMedian, peer, median, min, max }: Comparison, goal: string): string {
  return `| ${what} | ${whole(subjectMedian)} | ${peer}: ${whole(peerMedian)} | **${median.toFixed(2)}** (${min.toFixed(2)} to ${max.toFixed(2)}) | ${goal} |`
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function versions(): string {
  const version = (name: string): string => {
    const manifest = JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url), 'utf8')) as {
      version: string
    }
    return `${name} ${manifest.version}`
  }
  return `Node ${process.version}, ${['fastify', 'moleculer', '@grpc/grpc-js', '@nestjs/microservices', 'undici', '@dbos-inc/dbos-sdk', 'pg', 'amqplib', 'zod'].map(version).join(', ')}`
}
