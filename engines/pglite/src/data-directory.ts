/**
 * The directory that an engine keeps its data in, for one process at a time. A database that was never completely made,
 * because the process died over it, is made anew: nothing can have been stored in it yet.
 */
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from 'skerry/engine'
import { LockFile } from './lock-file.ts'

export class DataDirectory {
  /** Where PostgreSQL's own files are. */
  readonly databasePath: string
  readonly #lock: LockFile
  readonly #unfinished: string

  private constructor(path: string, lock: LockFile) {
    this.databasePath = join(path, 'pgdata')
    this.#unfinished = join(path, 'pgdata.unfinished')
    this.#lock = lock
  }

  static async open(path: string, clock: Clock): Promise<DataDirectory> {
    await mkdir(path, { recursive: true, mode: 0o700 })
    const lock = await LockFile.take(join(path, 'lock'), clock)
    const directory = new DataDirectory(path, lock)
    try {
      await directory.#prepare()
      return directory
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  async #prepare(): Promise<void> {
    if (await exists(this.#unfinished)) await rm(this.databasePath, { recursive: true, force: true })
    if (!(await exists(join(this.databasePath, 'PG_VERSION')))) await writeFile(this.#unfinished, '')
  }

  /** The database in it is complete and can be opened. */
  async finished(): Promise<void> {
    await rm(this.#unfinished, { force: true })
  }

  /** PostgreSQL's major version that wrote the data; undefined before there is any. */
  async version(): Promise<string | undefined> {
    const text = await readFile(join(this.databasePath, 'PG_VERSION'), 'utf8').catch(() => undefined)
    return text?.trim()
  }

  refresh(clock: Clock): Promise<void> {
    return this.#lock.refresh(clock)
  }

  release(): Promise<void> {
    return this.#lock.release()
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
