/** The results as a page: each figure with its spread, its peer, its goal, and the machine it was measured on. */
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type { EventStoreFigures } from './event-store/bench.ts'
import type { Footprint } from './footprint/bench.ts'
import type { Comparison } from './harness/pairs.ts'

export interface Results {
  http?: Comparison
  local?: Comparison
  orders?: Comparison
  ordersEmbedded?: { readonly median: number; readonly values: readonly number[] }
  eventStore?: EventStoreFigures
  footprint?: Footprint
}

export function report(results: Results, pairs: number): string {
  const { http, local, orders, ordersEmbedded, eventStore, footprint } = results
  const lines = [
    '# Measured',
    '',
    `Written by \`npm run bench\`: ${pairs} pairs each, the two candidates in turn, correctness checked after each measurement. On this machine the load and the server share the processor, so read ratios, not absolutes.`,
    '',
    `Machine: ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB. ${versions()}.`,
    '',
  ]
  if (http !== undefined || local !== undefined || orders !== undefined || eventStore !== undefined) {
    lines.push('| what | Skerry | peer | ratio, median (min to max) | goal |', '| --- | ---: | ---: | ---: | ---: |')
    if (http !== undefined) lines.push(row('HTTP operation: validated POST, requests/s', http, 'at least 0.85'))
    if (local !== undefined)
      lines.push(
        row(
          `local call: copied, validated both ways, calls/s (${(1e6 / local.subjectMedian).toFixed(2)} µs each; goal under 5 µs)`,
          local,
          'at least 2',
        ),
      )
    if (orders !== undefined) lines.push(row('order placed and notified, PostgreSQL and RabbitMQ, orders/s', orders, 'at least 0.7'))
    if (eventStore !== undefined)
      lines.push(
        row('event decided on and appended, numbered and projected meanwhile, PostgreSQL, appends/s', eventStore.appends, 'to be set'),
        row('read model built anew, PostgreSQL, events/s', eventStore.rebuild, 'to be set'),
      )
    lines.push('')
  }
  if (ordersEmbedded !== undefined)
    lines.push(
      `Order placed and notified, one process on PGlite and the embedded broker: **${whole(ordersEmbedded.median)} orders/s** (${whole(Math.min(...ordersEmbedded.values))} to ${whole(Math.max(...ordersEmbedded.values))}).`,
      '',
    )
  if (footprint !== undefined)
    lines.push(
      '| footprint | |',
      '| --- | ---: |',
      `| packages installed with the embedded engines | ${footprint.installedPackages} |`,
      `| megabytes installed | ${footprint.installedMegabytes.toFixed(1)} |`,
      `| shop: cold start to first answer (goal under 5 s) | ${footprint.coldStartSeconds.toFixed(2)} s |`,
      `| shop: start on existing data | ${footprint.warmStartSeconds.toFixed(2)} s |`,
      `| shop: memory at rest | ${whole(footprint.shopMegabytesAtRest)} MiB |`,
      `| one more service in the process | ${footprint.megabytesPerFurtherService.toFixed(2)} MiB |`,
      '',
    )
  return `${lines.join('\n').trimEnd()}\n`
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
  return `Node ${process.version}, ${['fastify', 'moleculer', 'pg', 'amqplib', 'zod'].map(version).join(', ')}`
}
