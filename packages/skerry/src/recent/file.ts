/**
 * The boundary to SQLite: one file that several processes of a machine write to and read, or memory of this process alone. Nothing waits for a
 * lock or for the disk: who finds the file locked comes back later, and a loss of power may cost what was written last. What cannot be read is
 * moved aside, for nothing in it is needed.
 */
import { closeSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { APPLICATION_ID, SCHEMA, SCHEMA_VERSION } from './tables.ts'

/** A path, or memory of this process. */
export type RecentPlace = { readonly file: string } | 'memory'

const BUSY = 5
const LOCKED = 6
const CORRUPT = 11
const NO_DATABASE = 26
/** Of the log of changes that SQLite keeps beside the file, once it has been emptied. */
const MAX_JOURNAL_BYTES = 4_194_304

export class RecentFile {
  readonly database: DatabaseSync
  readonly #file: string | undefined
  readonly #inode: number | undefined

  private constructor(database: DatabaseSync, file: string | undefined) {
    this.database = database
    this.#file = file
    this.#inode = file === undefined ? undefined : inodeOf(file)
  }

  /** Opens it to write and to read; makes it when there is none, or none that this version can read. */
  static open(place: RecentPlace): RecentFile {
    if (place === 'memory') return prepared(':memory:', (database) => new RecentFile(database, undefined))
    const { file } = place
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    makePrivate(file)
    try {
      return prepared(file, (database) => new RecentFile(database, file))
    } catch (error) {
      const code = sqliteCode(error)
      if (code !== CORRUPT && code !== NO_DATABASE) throw error
      // It may be something else that the path was given for by mistake.
      renameSync(file, `${file}.unreadable`)
      for (const part of [`${file}-wal`, `${file}-shm`]) rmSync(part, { force: true })
      makePrivate(file)
      return prepared(file, (database) => new RecentFile(database, file))
    }
  }

  /** Opens a file that others write, to read it; undefined when there is none, or none that this version can read. */
  static openToRead(file: string): RecentFile | undefined {
    if (inodeOf(file) === undefined) return undefined
    const database = connect(file, true)
    try {
      if (isOurs(database) && numberOf(database, 'user_version') === SCHEMA_VERSION) return new RecentFile(database, file)
    } catch (error) {
      const code = sqliteCode(error)
      if (code !== CORRUPT && code !== NO_DATABASE) throw error
    }
    database.close()
    return undefined
  }

  /** Whether the file has been deleted or replaced since it was opened. */
  get isGone(): boolean {
    return this.#file !== undefined && inodeOf(this.#file) !== this.#inode
  }

  /** Writes all or nothing. */
  write(work: () => void): void {
    this.database.exec('begin immediate')
    try {
      work()
      this.database.exec('commit')
    } catch (error) {
      // SQLite has rolled back by itself after some failures, such as a full disk.
      if (this.database.isTransaction) this.database.exec('rollback')
      throw error
    }
  }

  close(): void {
    if (this.database.isOpen) this.database.close()
  }
}

/** Whether another process has the file just now. */
export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === BUSY || code === LOCKED
}

/** The primary result code; undefined for an error that is not SQLite's. */
function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

/** How long whoever opens a file may wait for another that makes it. */
const OPENING_MS = 2_000

function prepared<T>(path: string, use: (database: DatabaseSync) => T): T {
  const database = connect(path, false)
  try {
    database.exec(`pragma busy_timeout = ${OPENING_MS}`)
    if (!isOurs(database) || numberOf(database, 'user_version') !== SCHEMA_VERSION) makeTables(database)
    database.exec(
      `pragma journal_mode = wal; pragma synchronous = off; pragma journal_size_limit = ${MAX_JOURNAL_BYTES}; pragma busy_timeout = 0`,
    )
    return use(database)
  } catch (error) {
    database.close()
    throw error
  }
}

/** SQLite is loaded when it is needed, and a Node that was built without it runs everything else. */
function connect(path: string, readOnly: boolean): DatabaseSync {
  const sqlite = process.getBuiltinModule('node:sqlite')
  if (sqlite === undefined) throw new Error('This Node was built without SQLite')
  return new sqlite.DatabaseSync(path, { readOnly })
}

/** What is logged is not for everybody. SQLite gives the files beside it the same permissions; an empty file is an empty database. */
function makePrivate(file: string): void {
  closeSync(openSync(file, 'a', 0o600))
}

/** Another process may be about the same: whoever comes second finds it done. */
function makeTables(database: DatabaseSync): void {
  database.exec('begin exclusive')
  const tables = database.prepare(`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'`).all()
  if (tables.length > 0 && !isOurs(database)) throw new Error('The file is a database of another program')
  if (tables.length === 0 || numberOf(database, 'user_version') !== SCHEMA_VERSION) {
    for (const { name } of tables) database.exec(`drop table "${String(name).replaceAll('"', '""')}"`)
    database.exec(`${SCHEMA}; pragma application_id = ${APPLICATION_ID}; pragma user_version = ${SCHEMA_VERSION}`)
  }
  database.exec('commit')
}

function isOurs(database: DatabaseSync): boolean {
  return numberOf(database, 'application_id') === APPLICATION_ID
}

function numberOf(database: DatabaseSync, pragma: 'application_id' | 'user_version'): number {
  return Number(database.prepare(`pragma ${pragma}`).get()?.[pragma])
}

function inodeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.ino
}
