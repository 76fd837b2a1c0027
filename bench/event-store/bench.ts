/**
 * The event store against the same by hand on the same PostgreSQL: appends a second with an expected version, each in a transaction of
 * its own, and events a second when a read model is built anew.
 */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { startChild } from '../harness/child.ts'
import type { Candidate, Comparison } from '../harness/pairs.ts'
import { compare } from '../harness/pairs.ts'

const SECONDS = 8

export interface EventStoreFigures {
  readonly appends: Comparison
  readonly rebuild: Comparison
}

/** What a candidate's process prints when it is done. */
interface Measured {
  readonly appendsPerSecond: number
  readonly rebuiltPerSecond: number
}

/** One run of a candidate gives both figures, so each pair of runs is used for both comparisons. */
export async function benchEventStore(pairs: number, postgresUrl: string, seconds = SECONDS): Promise<EventStoreFigures> {
  const skerry = onDatabase('./skerry-store.ts', postgresUrl, seconds)
  const byHand = onDatabase('./hand-written.ts', postgresUrl, seconds)
  const rebuilt = { skerry: [] as number[], byHand: [] as number[] }
  const candidate = (name: string, run: () => Promise<Measured>, values: number[]): Candidate => ({
    name,
    async measure() {
      const { appendsPerSecond, rebuiltPerSecond } = await run()
      values.push(rebuiltPerSecond)
      return appendsPerSecond
    },
  })
  const appends = await compare(candidate('Skerry', skerry, rebuilt.skerry), candidate('pg by hand', byHand, rebuilt.byHand), pairs)
  const replay = (name: string, values: number[]): Candidate => ({ name, measure: async () => values.shift()! })
  return { appends, rebuild: await compare(replay('Skerry', rebuilt.skerry), replay('pg by hand', rebuilt.byHand), pairs) }
}

function onDatabase(file: string, postgresUrl: string, seconds: number): () => Promise<Measured> {
  return async () => {
    const database = `bench_${randomUUID().replaceAll('-', '')}`
    const admin = new pg.Client({ connectionString: postgresUrl })
    await admin.connect()
    try {
      await admin.query(`create database ${database}`)
      const url = new URL(postgresUrl)
      url.pathname = `/${database}`
      await using child = await startChild<Measured>(new URL(file, import.meta.url), {
        env: { DATABASE_URL: url.href, SECONDS: String(seconds) },
      })
      return child.ready
    } finally {
      await admin.query(`drop database if exists ${database} with (force)`)
      await admin.end()
    }
  }
}
