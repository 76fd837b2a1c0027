/**
 * Durable events from one service to another: emitted in a transaction, carried by a broker that confirms, handled in a transaction of the
 * receiver. Beside it what amqplib alone moves through a quorum queue with confirms and acknowledgements.
 */
import { randomUUID } from 'node:crypto'
import { startChild } from '../harness/child.ts'
import { withDatabase, withDirectory } from '../harness/database.ts'
import type { Comparison } from '../harness/pairs.ts'
import { comparisonOf, measureInTurn } from '../harness/pairs.ts'
import type { Servers } from '../harness/servers.ts'
import type { EventFigures } from './workload.ts'

const SECONDS = '4'
/** Events in one transaction, as work on several things emits them, and as one request does. */
export const MANY = 50
const ONE = 1

export interface DurableEvents {
  readonly many: Comparison
  readonly one: Comparison
  readonly p50: Comparison
  readonly p99: Comparison
}

export async function benchDurableEvents(pairs: number, { postgresUrl, rabbitmqUrl }: Servers): Promise<DurableEvents> {
  const skerry = {
    name: 'Skerry',
    measure: () =>
      withDatabase(postgresUrl, (url, exchange) => runSkerry({ DATABASE_URL: url, RABBITMQ_URL: rabbitmqUrl, EXCHANGE: exchange })),
  }
  const amqplib = {
    name: 'amqplib alone',
    measure: () => run('./amqplib.ts', { RABBITMQ_URL: rabbitmqUrl, QUEUE: `bench-${randomUUID()}` }),
  }
  const measured = await measureInTurn(skerry, amqplib, pairs, rateOf(MANY), rateOf(ONE))
  return {
    many: comparisonOf(measured, rateOf(MANY), rateOf(ONE)),
    one: comparisonOf(measured, rateOf(ONE), rateOf(ONE)),
    p50: comparisonOf(measured, p50, p50),
    p99: comparisonOf(measured, p99, p99),
  }
}

/** On PGlite and the embedded broker, one value per run. */
export async function benchDurableEventsEmbedded(runs: number): Promise<readonly EventFigures[]> {
  const figures: EventFigures[] = []
  for (let n = 0; n < runs; n++) {
    figures.push(await withDirectory((directory) => runSkerry({ SKERRY_DATA: directory })))
    process.stderr.write(`  run ${n + 1}/${runs}: ${Math.round(rateOf(MANY)(figures.at(-1)!)).toLocaleString('en')}\n`)
  }
  return figures
}

/** Events a second with so many in a transaction. */
export function rateOf(batch: number): (figures: EventFigures) => number {
  return ({ rates }) => rates.find((rate) => rate.batch === batch)!.eventsPerSecond
}

const p50 = ({ latency }: EventFigures): number => latency.p50Ms
const p99 = ({ latency }: EventFigures): number => latency.p99Ms

/** On the servers that the environment names, else embedded. */
export function runSkerry(env: Readonly<Record<string, string>>): Promise<EventFigures> {
  return run('./skerry-events.ts', { ...env, BATCHES: `${MANY},${ONE}` })
}

async function run(file: string, env: Readonly<Record<string, string>>): Promise<EventFigures> {
  await using child = await startChild<EventFigures>(new URL(file, import.meta.url), { env: { SECONDS, ...env } })
  return child.ready
}
