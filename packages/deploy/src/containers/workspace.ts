/**
 * What an image needs of a pnpm workspace: the folders of one package and of all workspace packages that it depends on at
 * run time, and which package manager installs the rest. This alone reads files; what is made of it is pure.
 */
import { access, glob, readFile } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { SkerryError } from 'skerry/runtime'
import { parse } from 'yaml'

export interface Workspace {
  /** The package whose dependencies are installed: the one that defines the system. */
  readonly packageName: string
  /** Its folder and those of the workspace packages that it needs, relative to the root, sorted; `.` is the root. */
  readonly folders: readonly string[]
  /** The files at the root that an installation reads. */
  readonly rootFiles: readonly string[]
  /** Name and exact version: `pnpm@12.21.0`. */
  readonly packageManager: string
}

interface Manifest {
  readonly name?: string
  readonly packageManager?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const LOCKFILE = 'pnpm-lock.yaml'
const WORKSPACE_FILE = 'pnpm-workspace.yaml'

/** Reads the workspace at `root` for the package in `folder` (relative to it). Throws `configurationInvalid` when no image could be built from it. */
export async function readWorkspace(root: string, folder: string): Promise<Workspace> {
  const manifests = await manifestsOf(root)
  const own = manifests.get(normal(folder))
  if (own?.name === undefined) refuse(root, `there is no package with a name in "${folder}"; there is ${[...manifests.keys()].join(', ')}`)
  const rootManifest = manifests.get('.')
  const packageManager = rootManifest?.packageManager ?? ''
  if (!/^pnpm@\d+\.\d+\.\d+$/.test(packageManager))
    refuse(root, `its package.json must pin "packageManager" to an exact pnpm, such as pnpm@12.21.0, not ${JSON.stringify(packageManager)}`)
  if (!(await exists(join(root, LOCKFILE)))) refuse(root, `there is no ${LOCKFILE}: without it, two builds could contain different things`)
  return {
    packageName: own.name,
    folders: [...closure(normal(folder), manifests)].toSorted(),
    rootFiles: ['package.json', LOCKFILE, ...((await exists(join(root, WORKSPACE_FILE))) ? [WORKSPACE_FILE] : [])],
    packageManager,
  }
}

/** By folder. */
async function manifestsOf(root: string): Promise<ReadonlyMap<string, Manifest>> {
  const text = await readFile(join(root, WORKSPACE_FILE), 'utf8').catch(() => '')
  const patterns = (parse(text) as { packages?: string[] } | null)?.packages ?? []
  const folders = new Set(['.'])
  for await (const file of glob(
    patterns.map((pattern) => `${pattern}/package.json`),
    { cwd: root, exclude: (name) => name === 'node_modules' },
  ))
    folders.add(normal(file.slice(0, -'/package.json'.length)))
  const manifests = new Map<string, Manifest>()
  for (const folder of [...folders].toSorted()) {
    const manifest = await readFile(join(root, folder, 'package.json'), 'utf8').catch(() => undefined)
    if (manifest !== undefined) manifests.set(folder, JSON.parse(manifest) as Manifest)
  }
  return manifests
}

/** Development dependencies stay out, and so do those of the packages it needs. */
function closure(start: string, manifests: ReadonlyMap<string, Manifest>): ReadonlySet<string> {
  const folderOf = new Map([...manifests].map(([folder, { name }]) => [name, folder]))
  const found = new Set<string>()
  const visit = (folder: string): void => {
    if (found.has(folder)) return
    found.add(folder)
    const { dependencies = {}, optionalDependencies = {} } = manifests.get(folder)!
    for (const [name, range] of Object.entries({ ...dependencies, ...optionalDependencies })) {
      const needed = range.startsWith('workspace:') ? folderOf.get(name) : undefined
      if (needed !== undefined) visit(needed)
    }
  }
  visit(start)
  return found
}

function normal(folder: string): string {
  const parts = folder
    .split(sep)
    .join('/')
    .split('/')
    .filter((part) => part !== '' && part !== '.')
  return parts.length === 0 ? '.' : parts.join('/')
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}

function refuse(root: string, reason: string): never {
  throw new SkerryError('configurationInvalid', `No image can be built from ${root}: ${reason}`)
}
