/** Where releases are kept: `contracts/orders/1.1.0.json` beside the system file, one file per service and version, in version control. */
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { compare, valid } from 'semver'
import type { ServiceRelease } from 'skerry/runtime'
import { CommandError, EXIT } from '../failure.ts'

/** What the check cannot show and somebody has made sure of. */
export interface Acceptance {
  readonly service: string
  /** The release that it is a change of. */
  readonly since: string
  readonly where: string
  readonly path: string
  readonly rule: string
  readonly why: string
}

export interface Draft {
  readonly service: string
  readonly version: string
  readonly text: string
}

export class ReleaseFiles {
  readonly folder: string

  /** Beside the system file, unless a folder is given. */
  constructor(systemFile: string, folder: string | undefined) {
    this.folder = folder === undefined ? join(dirname(systemFile), 'contracts') : resolve(folder)
  }

  /** The versions of a service that were released, the latest last. */
  async versions(service: string): Promise<readonly string[]> {
    const files = await readdir(join(this.folder, service)).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
      throw error
    })
    return files
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length))
      .filter((version) => valid(version) !== null)
      .toSorted(compare)
  }

  async read(service: string, version: string): Promise<ServiceRelease> {
    const path = this.path(service, version)
    const text = await readFile(path, 'utf8')
    const found = parsed(path, text)
    const missing = PARTS.filter((part) => typeof found[part] !== 'object' || found[part] === null)
    if (found['contract'] !== service || found['version'] !== version || missing.length > 0)
      throw new CommandError(
        EXIT.failed,
        `${path} is not the release of ${service} ${version}${missing.length === 0 ? '' : `: it has no ${missing.join(', ')}`}.`,
        'Restore it from version control.',
      )
    return found as unknown as ServiceRelease
  }

  /** From `accepted.json`; none when there is no such file. */
  async acceptances(): Promise<readonly Acceptance[]> {
    const path = join(this.folder, 'accepted.json')
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return []
    const found = parsed(path, text)
    if (Array.isArray(found) && found.every(isAcceptance)) return found
    throw new CommandError(
      EXIT.failed,
      `${path} is not a list of objects with ${ACCEPTANCE.join(', ')}, each some text; and each needs a reason.`,
      'Take what skerry check prints for it, and say why.',
    )
  }

  /** Writes all or none. Resolves with the paths. */
  async write(releases: readonly Draft[]): Promise<readonly string[]> {
    const drafts = releases.map(({ service, version, text }) => ({ path: this.path(service, version), text }))
    const written: string[] = []
    try {
      for (const { path, text } of drafts) {
        await mkdir(dirname(path), { recursive: true })
        await writeFile(`${path}.draft`, text)
      }
      for (const { path } of drafts) {
        // Unlike a rename, this replaces nothing.
        await link(`${path}.draft`, path)
        written.push(path)
      }
    } catch (error) {
      await Promise.all(written.map((path) => rm(path, { force: true })))
      const reason = error instanceof Error ? error.message : String(error)
      throw new CommandError(EXIT.failed, `Nothing was released: ${reason}.`, 'Remove what is in the way, and release again.')
    } finally {
      await Promise.all(drafts.map(({ path }) => rm(`${path}.draft`, { force: true }).catch(() => undefined)))
    }
    return written
  }

  path(service: string, version: string): string {
    return join(this.folder, service, `${version}.json`)
  }
}

const ACCEPTANCE = ['service', 'since', 'where', 'path', 'rule', 'why'] as const

function isAcceptance(value: unknown): value is Acceptance {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Readonly<Record<string, unknown>>
  return ACCEPTANCE.every((name) => typeof fields[name] === 'string') && (fields['why'] as string).trim() !== ''
}

const PARTS = ['operations', 'events', 'uses', 'listens', 'consumes', 'sagas', 'migrations']

function parsed(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  } catch {
    // Said below.
  }
  throw new CommandError(EXIT.failed, `${path} does not contain a JSON object.`, 'Restore it from version control.')
}
