/** Events and sagas in a second on tables that hold the history of some time, of ten times as long and of a hundred times as long. */
import { MANY, runSkerry } from '../durable-events/bench.ts'
import { startChild } from '../harness/child.ts'
import { withDatabase } from '../harness/database.ts'
import type { Servers } from '../harness/servers.ts'
import type { SagaFigures } from '../sagas/workload.ts'

const ROWS = 1_000
const TIMES = [1, 10, 100] as const
const SECONDS = '3'

/** With so much history, one value per round. */
export interface Growth {
  readonly rows: number
  readonly eventsPerSecond: readonly number[]
  readonly batchedEventsPerSecond: readonly number[]
  readonly sagasPerSecond: readonly number[]
}

export async function benchGrowth(rounds: number, { postgresUrl, rabbitmqUrl }: Servers): Promise<readonly Growth[]> {
  const growth = TIMES.map((times) => ({
    rows: ROWS * times,
    eventsPerSecond: [] as number[],
    batchedEventsPerSecond: [] as number[],
    sagasPerSecond: [] as number[],
  }))
  for (let round = 0; round < rounds; round++)
    for (const { rows, eventsPerSecond, batchedEventsPerSecond, sagasPerSecond } of round % 2 === 0 ? growth : growth.toReversed()) {
      const env = { HISTORY_ROWS: String(rows), SECONDS }
      const events = await withDatabase(postgresUrl, (url, exchange) =>
        runSkerry({ ...env, DATABASE_URL: url, RABBITMQ_URL: rabbitmqUrl, EXCHANGE: exchange }),
      )
      eventsPerSecond.push(events.rates.find(({ batch }) => batch === 1)!.eventsPerSecond)
      batchedEventsPerSecond.push(events.rates.find(({ batch }) => batch === MANY)!.eventsPerSecond)
      sagasPerSecond.push(
        await withDatabase(postgresUrl, async (url) => {
          await using child = await startChild<SagaFigures>(new URL('../sagas/skerry-sagas.ts', import.meta.url), {
            env: { ...env, DATABASE_URL: url },
          })
          return child.ready.writingPerSecond
        }),
      )
      const [event, batched, saga] = [eventsPerSecond, batchedEventsPerSecond, sagasPerSecond].map((values) => Math.round(values.at(-1)!))
      process.stderr.write(`  ${rows.toLocaleString('en')} rows: ${event} and ${batched} events/s, ${saga} sagas/s\n`)
    }
  return growth
}
