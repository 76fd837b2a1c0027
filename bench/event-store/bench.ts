/**
 * The event store against the same by hand on the same PostgreSQL: appends a second with an expected version, each in a transaction of
 * its own, and events a second when a read model is built anew. By hand nothing runs beside the appends, so Skerry is measured twice:
 * with its sequencer and its projection at work meanwhile, which is what users have, and without.
 */
import { startChild } from '../harness/child.ts'
import { withDatabase } from '../harness/database.ts'
import type { Comparison } from '../harness/pairs.ts'
import { comparisonOf, measureInTurn } from '../harness/pairs.ts'

const SECONDS = 5

export interface EventStoreFigures {
  readonly appendsAlone: Comparison
  readonly appends: Comparison
  readonly rebuild: Comparison
}

/** What a candidate's process prints when it is done. */
interface Measured {
  readonly appendsPerSecond: number
  readonly rebuiltPerSecond: number
}

export async function benchEventStore(pairs: number, postgresUrl: string, seconds = SECONDS): Promise<EventStoreFigures> {
  const run = (file: string, env: Readonly<Record<string, string>> = {}): Promise<Measured> =>
    withDatabase(postgresUrl, async (url) => {
      await using child = await startChild<Measured>(new URL(file, import.meta.url), {
        env: { DATABASE_URL: url, SECONDS: String(seconds), ...env },
      })
      return child.ready
    })
  const measured = await measureInTurn(
    {
      name: 'Skerry',
      measure: async () => ({
        ...(await run('./skerry-store.ts')),
        alonePerSecond: (await run('./skerry-store.ts', { APPENDS_ALONE: 'true' })).appendsPerSecond,
      }),
    },
    { name: 'pg by hand', measure: () => run('./hand-written.ts') },
    pairs,
    ({ appendsPerSecond }) => appendsPerSecond,
    ({ appendsPerSecond }) => appendsPerSecond,
  )
  const byHand = ({ appendsPerSecond }: Measured): number => appendsPerSecond
  const rebuilt = ({ rebuiltPerSecond }: Measured): number => rebuiltPerSecond
  return {
    appendsAlone: comparisonOf(measured, ({ alonePerSecond }) => alonePerSecond, byHand),
    appends: comparisonOf(measured, byHand, byHand),
    rebuild: comparisonOf(measured, rebuilt, rebuilt),
  }
}
