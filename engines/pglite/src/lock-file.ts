/**
 * A file that at most one living process holds. It says who that is, so that a lock whose holder has died (killed, or
 * the machine restarted) is taken over, and one whose holder lives is refused with a name.
 *
 * A holder in another container cannot be seen; its lock counts as held as long as it is refreshed: see `refresh`.
 * Not for network file systems: two machines cannot see each other's processes at all.
 */
import { constants, copyFile, link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import type { Clock } from 'skerry/engine'
import { DatabaseError } from 'skerry/engine'
import type { ProcessIdentity } from './process-identity.ts'
import { liveness, thisProcess } from './process-identity.ts'

interface Holder extends ProcessIdentity {
  /** Tells this lock from any other that ever had this file's name. */
  readonly id: string
  readonly program: string
  readonly since: string
}

const UNREADABLE = 'unreadable'
const UNREFRESHED_MS = 30_000
const NO_HARD_LINKS: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])
const ATTEMPTS = 40
const PAUSE_MS = 25

export class LockFile {
  readonly #path: string
  readonly #holder: Holder

  private constructor(path: string, holder: Holder) {
    this.#path = path
    this.#holder = holder
  }

  /** Rejects with a `DatabaseError` of kind `unavailable` that names the holder, when there is a living one. */
  static async take(path: string, clock: Clock): Promise<LockFile> {
    const here = await thisProcess()
    const holder: Holder = { id: lockId(here, clock), ...here, program: process.argv[1] ?? process.title, since: clock.now().toISOString() }
    const lock = new LockFile(path, holder)
    // Written aside and linked into place: whoever finds the lock finds it whole.
    const draft = `${path}.${holder.id}`
    await writeFile(draft, `${JSON.stringify(holder, undefined, 2)}\n`, { flag: 'wx' })
    try {
      await lock.#place(draft, clock)
    } finally {
      await rm(draft, { force: true })
    }
    return lock
  }

  /** To be called every few seconds: shows processes that cannot see this one that it is alive. */
  async refresh(clock: Clock): Promise<void> {
    await utimes(this.#path, clock.now(), clock.now()).catch(() => undefined)
  }

  async release(): Promise<void> {
    if ((await readHolder(this.#path))?.id === this.#holder.id) await rm(this.#path, { force: true })
  }

  async #place(draft: string, clock: Clock): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await linked(draft, this.#path)) return
      const other = await readHolder(this.#path)
      if (other === undefined) continue
      if (await isHeld(this.#path, other, this.#holder, clock)) throw refusal(this.#path, other, this.#holder)
      if (await this.#takeOver(draft, other)) return
      await new Promise<void>((resolve) => clock.setTimer(PAUSE_MS, resolve))
    }
    throw new DatabaseError(
      'unavailable',
      `The lock ${this.#path} is stale, but could not be taken over: make sure that no process uses it, then delete ${this.#path}*`,
    )
  }

  /** Of several processes that find the same stale lock, the one that links the right to it replaces it. */
  async #takeOver(draft: string, stale: Holder): Promise<boolean> {
    const right = `${this.#path}.takes-${stale.id}`
    if (!(await linked(draft, right))) return false
    try {
      // Someone may have taken it over, and given up this right again, since it was read.
      if ((await readHolder(this.#path))?.id !== stale.id) return false
      await rename(draft, this.#path)
      return true
    } finally {
      await rm(right, { force: true })
    }
  }
}

let locksTaken = 0

/** Unique without a source of randomness: which process, since when, in which container, and its how manieth lock. */
function lockId({ pid, startTicks = '', pidNamespace = '' }: ProcessIdentity, clock: Clock): string {
  return [pid, startTicks, pidNamespace.replaceAll(/\D/g, ''), clock.nowMs(), ++locksTaken].join('-')
}

async function isHeld(path: string, holder: Holder, here: ProcessIdentity, clock: Clock): Promise<boolean> {
  if (holder.id === UNREADABLE) return false
  const state = await liveness(holder, here)
  if (state !== 'unknown') return state === 'alive'
  const refreshedMs = await stat(path).then(
    (file) => file.mtimeMs,
    () => 0,
  )
  return clock.nowMs() - refreshedMs < UNREFRESHED_MS
}

/** Undefined when there is no lock. What cannot be read was cut off by a power failure, and its holder with it. */
async function readHolder(path: string): Promise<Holder | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as Holder
  } catch {
    return { id: UNREADABLE, pid: 0, startTicks: undefined, bootId: undefined, pidNamespace: undefined, program: '', since: '' }
  }
}

/** False when the name is taken. A hard link is made or refused in one step, like a file opened with O_EXCL, but arrives with its content. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to).catch((error: unknown) => {
      if (!NO_HARD_LINKS.has(codeOf(error))) throw error
      return copyFile(from, to, constants.COPYFILE_EXCL)
    })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function refusal(path: string, holder: Holder, here: ProcessIdentity): DatabaseError {
  const own = holder.pid === here.pid && holder.pidNamespace === here.pidNamespace
  const who = own
    ? 'This process itself'
    : `Process ${holder.pid} (${holder.program})${holder.pidNamespace === here.pidNamespace ? '' : ', in another container,'}`
  return new DatabaseError(
    'unavailable',
    `${who} has had this directory open since ${holder.since}, and two would destroy the data (lock: ${path}). ` +
      `${own ? 'Use one engine for all services' : 'Stop it'}, or choose another dataDir`,
  )
}
