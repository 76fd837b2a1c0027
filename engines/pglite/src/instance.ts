/**
 * PGlite itself, asked through its raw protocol: one call takes any number of requests and returns their answers, without
 * the locks, parsing and bookkeeping of its own that a single caller does not need.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { readyCluster } from './ready-cluster.ts'

export interface Instance {
  /**
   * Resolves with the answers to the requests, in order. Rejects when PostgreSQL has died; the instance is then of no use.
   * `endsTurn`: the next requests may be somebody else's, and come before the answers.
   */
  exchange(requests: Uint8Array, endsTurn?: boolean): Promise<Uint8Array>
  close(): Promise<void>
  /** Lets go of an instance that has died. */
  abandon(): void
}

/** Opens the database in a directory, or a new one in memory, on this thread. Takes half a second to a second. */
export async function openInstance(directory: string | undefined): Promise<Instance> {
  const isNew = directory === undefined || !existsSync(join(directory, 'PG_VERSION'))
  const cluster = isNew ? await readyCluster() : undefined
  const database = await PGlite.create({
    ...(directory === undefined ? {} : { dataDir: directory }),
    ...(cluster === undefined ? {} : { loadDataDir: cluster }),
  })
  return {
    async exchange(requests) {
      const chunks: Uint8Array[] = []
      // The bytes handed out are a view of PGlite's memory, good until it goes on.
      await database.execProtocolRawStream(requests, { syncToFs: false, onRawData: (bytes) => chunks.push(bytes.slice()) })
      return chunks.length === 1 ? chunks[0]! : joined(chunks)
    },
    close: () => database.close(),
    abandon: () => undefined,
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
