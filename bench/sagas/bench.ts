/** Sagas of three steps in a second, beside DBOS's workflows of three steps on the same PostgreSQL. */
import { startChild } from '../harness/child.ts'
import { withDatabase } from '../harness/database.ts'
import type { Comparison } from '../harness/pairs.ts'
import { comparisonOf, measureInTurn } from '../harness/pairs.ts'
import type { SagaFigures } from './workload.ts'

const SECONDS = '4'

export interface Sagas {
  readonly idle: Comparison
  readonly writing: Comparison
  readonly p50: Comparison
  readonly p99: Comparison
}

export async function benchSagas(pairs: number, postgresUrl: string): Promise<Sagas> {
  const candidate = (name: string, file: string) => ({
    name,
    measure: (): Promise<SagaFigures> =>
      withDatabase(postgresUrl, async (url) => {
        await using child = await startChild<SagaFigures>(new URL(file, import.meta.url), { env: { DATABASE_URL: url, SECONDS } })
        return child.ready
      }),
  })
  const idle = (figures: SagaFigures): number => figures.idlePerSecond
  const writing = (figures: SagaFigures): number => figures.writingPerSecond
  const p50 = ({ latency }: SagaFigures): number => latency.p50Ms
  const p99 = ({ latency }: SagaFigures): number => latency.p99Ms
  const measured = await measureInTurn(candidate('Skerry', './skerry-sagas.ts'), candidate('DBOS 5', './dbos.ts'), pairs, writing, writing)
  return {
    idle: comparisonOf(measured, idle, idle),
    writing: comparisonOf(measured, writing, writing),
    p50: comparisonOf(measured, p50, p50),
    p99: comparisonOf(measured, p99, p99),
  }
}
