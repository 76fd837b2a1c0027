/**
 * Notices when a system's files change: everything it imports, wherever that is, and what lies in its folders to be read,
 * such as migrations. Code that nothing imports does not count, until an import has failed that it may be meant for.
 */
import type { FSWatcher } from 'node:fs'
import { readdirSync, statSync, watch } from 'node:fs'
import { dirname, extname, join, sep } from 'node:path'
import type { Clock, Timer } from 'skerry/engine'
import type { Source } from './messages.ts'
import { versionOf } from './sources.ts'

export interface WatcherOptions {
  /** The folder of the system file, watched with the folders in it. */
  readonly folder: string
  /** A folder whose files are written by the system itself. */
  readonly ignored: string | undefined
  readonly clock: Clock
  /** Called with the paths that have changed, when they have kept still for a moment. */
  readonly onChange: (paths: readonly string[]) => void
  /** Called once when the system will not watch more; what is watched already still counts. */
  readonly onLimit: (reason: string) => void
}

const SETTLE_MS = 100
const CODE = new Set(['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'])
const READ = new Set(['.sql', '.json', '.yaml', '.yml', '.html'])
const OUTPUT_FOLDERS = new Set(['node_modules', 'dist', 'coverage'])

export class Watcher {
  readonly #options: WatcherOptions
  readonly #roots = new Set<string>()
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #versions = new Map<string, string>()
  readonly #imported = new Set<string>()
  readonly #changed = new Set<string>()
  #anyCode = false
  #limited = false
  #timer: Timer | undefined

  constructor(options: WatcherOptions) {
    this.#options = options
    this.#watchRoot(options.folder)
  }

  /** Says what the system imported, as it was when it was read; with `complete` false, that an import may have failed. */
  imported(sources: readonly Source[], folders: readonly string[], complete: boolean): void {
    this.#anyCode = !complete
    if (complete) this.#imported.clear()
    for (const folder of folders) this.#watchRoot(folder)
    for (const { path, version } of sources) {
      this.#imported.add(path)
      this.#watchFolder(dirname(path))
      this.#versions.set(path, version)
      this.#look(path)
    }
  }

  close(): void {
    this.#timer?.cancel()
    for (const watcher of this.#watchers.values()) watcher.close()
  }

  #watchRoot(folder: string): void {
    if (this.#isInTree(folder + sep)) return
    this.#roots.add(folder)
    this.#watchTree(folder)
  }

  #watchTree(folder: string): void {
    this.#watchFolder(folder)
    for (const entry of entriesOf(folder)) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) {
        if (!this.#isOutput(path, entry.name)) this.#watchTree(path)
      } else if (!this.#versions.has(path)) this.#versions.set(path, versionOf(path))
    }
  }

  /** Folders are watched, not files: editors replace files, and a watch would stay with the old one. */
  #watchFolder(folder: string): void {
    if (this.#watchers.has(folder)) return
    try {
      const watcher = watch(folder, { persistent: true }, (_event, name) => {
        if (name !== null) this.#look(join(folder, name))
      })
      this.#watchers.set(folder, watcher)
      watcher.on('error', () => this.#unwatch(folder))
    } catch (error) {
      if (this.#limited || !(error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EMFILE'))) return
      this.#limited = true
      this.#options.onLimit(error.message)
    }
  }

  #unwatch(folder: string): void {
    this.#watchers.get(folder)?.close()
    this.#watchers.delete(folder)
  }

  /** Something happened to the path; whether its content is another one is for its version to say. */
  #look(path: string): void {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      if (this.#isInTree(path) && !this.#isOutput(path, path.slice(path.lastIndexOf(sep) + 1))) this.#lookInto(path)
      return
    }
    const version = versionOf(path)
    if ((this.#versions.get(path) ?? 'absent') === version) return
    this.#versions.set(path, version)
    if (!this.#counts(path)) return
    this.#changed.add(path)
    this.#timer?.cancel()
    this.#timer = this.#options.clock.setTimer(SETTLE_MS, () => {
      const paths = [...this.#changed]
      this.#changed.clear()
      this.#options.onChange(paths)
    })
  }

  /** A folder that has come into being: its files may have been there before it was watched. */
  #lookInto(folder: string): void {
    this.#unwatch(folder)
    this.#watchFolder(folder)
    for (const entry of entriesOf(folder)) this.#look(join(folder, entry.name))
  }

  #counts(path: string): boolean {
    if (this.#imported.has(path)) return true
    const extension = extname(path)
    return READ.has(extension) ? this.#isInTree(path) : this.#anyCode && CODE.has(extension)
  }

  #isInTree(path: string): boolean {
    return [...this.#roots].some((root) => path.startsWith(root + sep))
  }

  #isOutput(path: string, name: string): boolean {
    return name.startsWith('.') || OUTPUT_FOLDERS.has(name) || path === this.#options.ignored
  }
}

function entriesOf(folder: string): { name: string; isDirectory(): boolean }[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return [] // gone again
  }
}
