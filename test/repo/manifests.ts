/** The manifests of the workspace, and the packages installed for them. */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { files, read, root } from './files.ts'

export interface Manifest {
  readonly name: string
  readonly version?: string
  readonly private?: boolean
  readonly license?: unknown
  readonly licenses?: unknown
  readonly files?: readonly string[]
  readonly exports?: Readonly<Record<string, unknown>>
  readonly bin?: Readonly<Record<string, string>>
  readonly publishConfig?: {
    readonly exports?: Readonly<Record<string, unknown>>
    readonly bin?: Readonly<Record<string, string>>
  }
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export interface WorkspacePackage {
  /** From the root, empty for the root itself. */
  readonly directory: string
  readonly manifest: Manifest
}

export const workspace: readonly WorkspacePackage[] = files
  .filter((file) => file === 'package.json' || file.endsWith('/package.json'))
  .map((file) => ({ directory: file.replace(/\/?package\.json$/, ''), manifest: JSON.parse(read(file)) as Manifest }))

/** What is released: everything that is not private. */
export const published: readonly WorkspacePackage[] = workspace.filter(({ manifest }) => manifest.private !== true)

export interface InstalledPackage {
  readonly id: string
  readonly manifest: Manifest
  /** The chain of names from a package of ours to this one. */
  readonly path: readonly string[]
}

/** Every third-party package that running `from` needs, each once, found as Node finds them. */
export function productionDependencies(from: readonly WorkspacePackage[]): readonly InstalledPackage[] {
  const found = new Map<string, InstalledPackage>()
  const visit = (directory: string, manifest: Manifest, path: readonly string[]): void => {
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
      const installed = locate(directory, name)
      if (installed === undefined) {
        // Optional ones are for other machines; a missing required one would have failed the installation.
        if (manifest.dependencies?.[name] === undefined) continue
        throw new Error(`${[...path, name].join(' → ')} is not installed`)
      }
      if (found.has(installed) || !installed.includes('/node_modules/')) continue
      const next = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Manifest
      found.set(installed, { id: `${next.name}@${next.version}`, manifest: next, path: [...path, name] })
      visit(installed, next, [...path, name])
    }
  }
  for (const { directory, manifest } of from) visit(join(root, directory), manifest, [manifest.name])
  return [...found.values()]
}

function locate(directory: string, name: string): string | undefined {
  for (let at = directory; ; at = dirname(at)) {
    const candidate = join(at, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate)
    if (at === dirname(at)) return undefined
  }
}
