/**
 * The database engine for PGlite: one instance per host, on disk or in memory, with a schema and a role per service. It
 * has a single session, so transactions run one after the other, and each becomes its service with its first statement.
 *
 * What is on disk survives the death of the process. It does not survive a power failure: PGlite does not flush to disk.
 */
import { resolve } from 'node:path'
import type { Clock, Database, DatabaseEngine, DatabaseOptions, FoundSchema } from 'skerry/engine'
import {
  DatabaseError,
  FIND_SERVICE_SCHEMA,
  provisioningScript,
  ServiceDatabase,
  serviceIdentifier,
  SESSION_SETTINGS,
  StatementNames,
  systemClock,
  UserTypes,
} from 'skerry/engine'
import { DataDirectory } from './data-directory.ts'
import { emptyTables } from './empty.ts'
import { openInstance } from './instance.ts'
import { Lease } from './lease.ts'
import { Session } from './session.ts'
import { Turns } from './turns.ts'
import { vacuumOverdue } from './vacuum.ts'
import { Watch } from './watch.ts'
import { openInWorker } from './worker-instance.ts'

export interface PgliteOptions {
  /** The directory that holds the data, such as `.skerry/data`; made if missing. Default: in memory, gone with the process. */
  readonly dataDir?: string
  /**
   * `worker` keeps long statements from blocking the process, and ends those without end. `main` runs PGlite where it is
   * called: in memory without timers and without input or output, so that a simulation replays. Default: `worker` with a
   * `dataDir`, else `main`.
   */
  readonly thread?: 'worker' | 'main'
  /** What PostgreSQL's session is set to besides, such as `{ plan_cache_mode: 'force_generic_plan' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Default: the machine's. For tests. */
  readonly clock?: Clock
}

/** The engine's own turns. No service has this name. */
const ENGINE = ''

/** A `DatabaseEngine` that can begin anew. */
export interface PgliteDatabaseEngine extends DatabaseEngine {
  /** Empties these tables, each by its service and name, whatever refers to them, and leaves them as if nothing had ever been in them. */
  empty(tables: readonly { readonly service: string; readonly table: string }[]): Promise<void>
}

/** Opens nothing yet: the first `open` does. */
export function pglite(options: PgliteOptions = {}): PgliteDatabaseEngine {
  return new PgliteEngine(options)
}

class PgliteEngine implements PgliteDatabaseEngine {
  readonly description: string
  readonly exclusive = true
  readonly #dataDir: string | undefined
  readonly #thread: 'worker' | 'main'
  readonly #clock: Clock
  readonly #settings: string
  readonly #resetSession: string
  readonly #turns = new Turns()
  readonly #userTypes = new UserTypes()
  readonly #names = new StatementNames('skerry:')
  #directory: DataDirectory | undefined
  #session: Session | undefined
  #lease: Lease | undefined
  #watch: Watch | undefined
  #closed: Promise<void> | undefined

  constructor({ dataDir, thread, settings = {}, clock = systemClock }: PgliteOptions) {
    this.#settings = Object.entries({ ...settings, ...SESSION_SETTINGS })
      .map(([name, value]) => `set ${name} = '${value}'`)
      .join('; ')
    this.#resetSession = `reset role; reset all; ${this.#settings}`
    this.#dataDir = dataDir === undefined ? undefined : resolve(dataDir)
    this.#thread = thread ?? (dataDir === undefined ? 'main' : 'worker')
    this.#clock = clock
    this.description = dataDir === undefined ? 'PGlite in memory' : `PGlite in ${dataDir}`
  }

  /** `shared` makes no difference: the services of a host share the instance. */
  async open({ service }: DatabaseOptions): Promise<Database> {
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
      close: async () => {
        if (this.#closed !== undefined) return
        await this.#turns.take(service)
        this.#turns.next()
      },
    })
  }

  async empty(tables: readonly { readonly service: string; readonly table: string }[]): Promise<void> {
    const lease = await this.#acquireForEngine()
    try {
      await emptyTables(
        lease,
        tables.map(({ service, table }) => `${serviceIdentifier(service)}."${table.replaceAll('"', '""')}"`),
      )
    } finally {
      lease.release()
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** The engine's turn comes after one of each service that waits, and is the last: those who then still wait are refused. */
  async #close(): Promise<void> {
    await this.#turns.take(ENGINE)
    this.#watch?.stop()
    if (this.#session?.failure === undefined) await this.#session?.close()
    await this.#directory?.release()
    this.#turns.next()
  }

  async #provision(service: string): Promise<void> {
    const lease = await this.#acquireForEngine()
    try {
      const { rows } = await lease.query<FoundSchema>(FIND_SERVICE_SCHEMA, [service])
      const script = provisioningScript({ service, shared: true }, rows[0]!)
      // Sent as one message, it is one transaction.
      if (script !== '') await lease.script(script)
    } finally {
      lease.release()
    }
  }

  #acquireForEngine(): Promise<Lease> {
    return this.#acquire(ENGINE, this.#names)
  }

  async #acquire(service: string, names: StatementNames): Promise<Lease> {
    this.#refuseWhenClosed()
    await this.#turns.take(service)
    try {
      this.#refuseWhenClosed()
      const session = await this.#alive()
      const giveBack = (): void => {
        this.#lease = undefined
        this.#turns.next()
      }
      this.#lease = new Lease({
        session,
        userTypes: this.#userTypes,
        names,
        resetSession: this.#resetSession,
        giveBack,
      })
      return this.#lease
    } catch (error) {
      this.#turns.next()
      throw error
    }
  }

  #refuseWhenClosed(): void {
    if (this.#closed !== undefined) throw new DatabaseError('unavailable', `${this.description} is closed`)
  }

  /** Opens the instance at the first turn, and again when it has died: what was committed is on disk. */
  async #alive(): Promise<Session> {
    if (this.#session !== undefined && this.#session.failure === undefined) return this.#session
    if (this.#session !== undefined && this.#dataDir === undefined)
      throw new DatabaseError(
        'unavailable',
        `${this.#session.failure?.message}. Its data was in memory and is lost: start the process again, with a dataDir to keep it`,
      )
    if (this.#dataDir !== undefined) this.#directory ??= await DataDirectory.open(this.#dataDir, this.#clock)
    this.#session = await this.#openSession()
    if (this.#thread === 'worker' || this.#dataDir !== undefined)
      this.#watch ??= new Watch({
        clock: this.#clock,
        session: () => this.#session,
        lease: () => this.#lease,
        refresh: () => void this.#directory?.refresh(this.#clock),
        // What fails now, as when the engine is being closed, is overdue the next time.
        vacuum: () => vacuumOverdue(() => this.#acquireForEngine()).catch(() => undefined),
      })
    return this.#session
  }

  async #openSession(): Promise<Session> {
    try {
      const open = this.#thread === 'worker' ? openInWorker : openInstance
      const session = new Session(await open(this.#directory?.databasePath), this.description, this.#userTypes)
      await session.control(this.#settings)
      await this.#directory?.finished()
      return session
    } catch (error) {
      const version = await this.#directory?.version()
      await this.#directory?.release()
      this.#directory = undefined
      const reason = error instanceof Error ? error.message : String(error)
      const advice =
        version === undefined
          ? ''
          : `. Its data is of PostgreSQL ${version}, which a PGlite of another major version cannot read; if that is not it, the data is damaged`
      throw new DatabaseError('unavailable', `${this.description} could not be opened: ${reason}${advice}`, { cause: error })
    }
  }
}
