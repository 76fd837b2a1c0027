/** The databases of a host: one engine for each server that the configuration names, one database for each service. */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import { SkerryError } from '../base/errors.ts'
import type { Database, DatabaseEngine } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import type { DatabaseConfiguration } from './configuration.ts'

/** Makes the engine for a URL; for undefined, the embedded one with its files in `dataDirectory` (undefined: in memory). */
export type DatabaseEngineFactory = (url: string | undefined, dataDirectory: string | undefined) => Promise<DatabaseEngine>

export interface OpenDatabase {
  readonly database: Database
  readonly exclusive: boolean
}

export interface Databases {
  of(service: string): OpenDatabase | undefined
  close(): Promise<void>
}

export interface OpenDatabasesOptions {
  readonly configuration: DatabaseConfiguration
  readonly factory: DatabaseEngineFactory
  readonly clock: Clock
  readonly onProgress: ((step: string) => void) | undefined
  /** Ends the waiting, with `stopping`. */
  readonly signal: AbortSignal | undefined
}

/** How long a database may take to come up when everything is started together. */
const PATIENCE_MS = 30_000
const RETRY_MS = 500
// Wrong password, no such role, no such database, no permission: waiting cures none of them.
const HOPELESS = /^(28|3D|42)/

/** Opens them all, waiting a while for servers that are still starting. */
export async function openDatabases(options: OpenDatabasesOptions): Promise<Databases> {
  const engines = new Map<string | undefined, DatabaseEngine>()
  const databases = new Map<string, OpenDatabase>()
  const close = async (): Promise<void> => {
    for (const engine of engines.values()) await engine.close()
  }
  try {
    for (const [service, { url, shared }] of options.configuration.databases) {
      let engine = engines.get(url)
      if (engine === undefined) {
        engine = await options.factory(url, options.configuration.dataDirectory)
        engines.set(url, engine)
        options.onProgress?.(`opening ${engine.description}`)
      }
      databases.set(service, { database: await openPatiently(options, engine, service, shared), exclusive: engine.exclusive ?? false })
    }
  } catch (error) {
    await close()
    throw error
  }
  return { of: (service) => databases.get(service), close }
}

async function openPatiently(
  { clock, onProgress, signal }: OpenDatabasesOptions,
  engine: DatabaseEngine,
  service: string,
  shared: boolean,
): Promise<Database> {
  const giveUpAtMs = clock.nowMs() + PATIENCE_MS
  for (let announced = false; ; announced = true) {
    try {
      return await engine.open({ service, shared })
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error
      // An engine of this process alone is no server that may still be starting.
      const hopeless =
        error.kind !== 'unavailable' || engine.exclusive === true || (error.sqlState !== undefined && HOPELESS.test(error.sqlState))
      if (hopeless || clock.nowMs() >= giveUpAtMs)
        throw new SkerryError(
          'databaseUnavailable',
          `The database of "${service}" cannot be opened (${engine.description}): ${error.message}`,
          { cause: error },
        )
      if (!announced) onProgress?.(`waiting for ${engine.description}: ${error.message}`)
      await sleep(clock, RETRY_MS, signal)
      if (signal?.aborted === true) throw new SkerryError('stopping', `The start was given up while it waited for ${engine.description}`)
    }
  }
}
