/**
 * The database engine for PGlite: one instance per host, on disk or in memory, with a schema and a role per service. It
 * has a single session, so transactions run one after the other, and each becomes its service with its first statement.
 *
 * What is on disk survives the death of the process. It does not survive a power failure: PGlite does not flush to disk.
 */
import { resolve } from 'node:path'
import type { Database, DatabaseEngine, DatabaseOptions, FoundSchema } from 'skerry/engine'
import { DatabaseError, FIND_SERVICE_SCHEMA, provisioningScript, ServiceDatabase, serviceIdentifier, SESSION_SETTINGS, StatementNames, UserTypes } from 'skerry/engine'
import type { DataDirectory } from './data-directory.ts'
import { openDataDirectory } from './data-directory.ts'
import { openInstance } from './instance.ts'
import { Lease } from './lease.ts'
import { Session } from './session.ts'
import { Turns } from './turns.ts'
import { openInWorker } from './worker-instance.ts'

export interface PgliteOptions {
  /** The directory that holds the data, such as `.skerry/data`; made if missing. Default: in memory, gone with the process. */
  readonly dataDir?: string
  /**
   * `worker` keeps long statements from blocking the process. `main` runs PGlite where it is called: no timers, no
   * input or output, so that a simulation replays. Default: `worker` with a `dataDir`, else `main`.
   */
  readonly thread?: 'worker' | 'main'
}

const SETTINGS = Object.entries(SESSION_SETTINGS)
  .map(([name, value]) => `set ${name} = '${value}'`)
  .join('; ')
const RESET_SESSION = `reset role; reset all; ${SETTINGS}`
/** The engine's own turns, for provisioning. No service has this name. */
const ENGINE = ''

export function pglite(options: PgliteOptions = {}): DatabaseEngine {
  return new PgliteEngine(options.dataDir === undefined ? undefined : resolve(options.dataDir), options)
}

class PgliteEngine implements DatabaseEngine {
  readonly description: string
  readonly exclusive = true
  readonly #dataDir: string | undefined
  readonly #thread: 'worker' | 'main'
  readonly #turns = new Turns()
  readonly #userTypes = new UserTypes()
  #directory: DataDirectory | undefined
  #session: Promise<Session> | undefined
  #closed: Promise<void> | undefined

  constructor(dataDir: string | undefined, options: PgliteOptions) {
    this.#dataDir = dataDir
    this.#thread = options.thread ?? (dataDir === undefined ? 'main' : 'worker')
    this.description = options.dataDir === undefined ? 'PGlite in memory' : `PGlite in ${options.dataDir}`
  }

  async open(options: DatabaseOptions): Promise<Database> {
    const { service } = options
    const identifier = serviceIdentifier(service)
    await this.#provision(service)
    const names = new StatementNames(`${service}:`)
    return new ServiceDatabase({
      service,
      description: this.description,
      preamble: [`set local role ${identifier}`, `set local search_path = ${identifier}`],
      userTypes: this.#userTypes,
      acquire: () => this.#acquire(service, names),
      // Its turns end by themselves; one more, after all it has asked for, is the proof.
      close: async () => (await this.#acquire(service, names)).release(),
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    await this.#turns.take(ENGINE)
    const session = await this.#session?.catch(() => undefined)
    await session?.close()
    await this.#directory?.release()
  }

  async #provision(service: string): Promise<void> {
    const options = { service, shared: true }
    const lease = await this.#acquire(ENGINE, new StatementNames('skerry:'))
    try {
      const { rows } = await lease.query<FoundSchema>(FIND_SERVICE_SCHEMA, [service])
      const script = provisioningScript(options, rows[0]!)
      if (script !== '') await lease.script(`begin; ${script}; commit`)
    } finally {
      lease.release()
    }
  }

  async #acquire(service: string, names: StatementNames): Promise<Lease> {
    if (this.#closed !== undefined) throw new DatabaseError('unavailable', `${this.description} is closed`)
    await this.#turns.take(service)
    try {
      const session = await this.#alive()
      return new Lease({ session, userTypes: this.#userTypes, names, resetSession: RESET_SESSION, giveBack: () => this.#turns.next() })
    } catch (error) {
      this.#turns.next()
      throw error
    }
  }

  async #alive(): Promise<Session> {
    this.#session ??= this.#start()
    return this.#session
  }

  async #start(): Promise<Session> {
    this.#directory ??= this.#dataDir === undefined ? undefined : await openDataDirectory(this.#dataDir)
    const open = this.#thread === 'worker' ? openInWorker : openInstance
    const instance = await open(this.#directory?.databasePath)
    const session = new Session(instance, this.description, this.#userTypes)
    await session.script(SETTINGS)
    return session
  }
}
