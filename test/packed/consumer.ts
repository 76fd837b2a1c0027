/**
 * An empty folder outside the workspace with the published packages in it, as someone has it who installed them. Ours come
 * from tarballs; what they declare of others is linked from where the lockfile put it, so no network is needed. What they do
 * not declare is not there.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { build, pack, tarballs } from '../../scripts/run/packages.mjs'
import { root } from '../repo/files.ts'
import type { Manifest } from '../repo/manifests.ts'
import { workspace } from '../repo/manifests.ts'

export interface Consumer extends AsyncDisposable {
  readonly directory: string
  /** The packages in it that are ours, with what their tarballs held. */
  readonly packages: readonly PackedPackage[]
  /** Writes a file of the consumer's own. */
  write(path: string, text: string): Promise<void>
}

export interface PackedPackage {
  readonly manifest: Manifest
  /** Paths in the tarball, without `package/`. */
  readonly files: readonly string[]
}

const run = promisify(execFile)

/** Builds and packs every published package and lays them out for a consumer that also depends on `dependencies`. */
export async function openConsumer(dependencies: readonly string[]): Promise<Consumer> {
  const directory = await mkdtemp(join(tmpdir(), 'skerry-consumer-'))
  try {
    succeed(await build(process.execPath))
    succeed(await pack(join(directory, 'tarballs')))
    const packages = await Promise.all(tarballs(join(directory, 'tarballs')).map((tarball) => unpack(tarball, directory)))
    const ours = new Set(packages.map(({ manifest }) => manifest.name))
    for (const { manifest } of packages)
      for (const name of Object.keys(manifest.dependencies ?? {})) if (!ours.has(name)) await link(name, manifest.name, directory)
    for (const name of dependencies) await link(name, '@skerry/test', directory)
    await writeFile(join(directory, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
    return {
      directory,
      packages,
      async write(path, text) {
        await mkdir(dirname(join(directory, path)), { recursive: true })
        await writeFile(join(directory, path), text)
      },
      [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
    }
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

async function unpack(tarball: string, directory: string): Promise<PackedPackage> {
  const manifest = JSON.parse((await run('tar', ['-xzOf', tarball, 'package/package.json'])).stdout) as Manifest
  const target = join(directory, 'node_modules', manifest.name)
  await mkdir(target, { recursive: true })
  await run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'])
  const { stdout } = await run('tar', ['-tzf', tarball])
  return {
    manifest,
    files: stdout
      .trim()
      .split('\n')
      .map((path) => path.replace('package/', '')),
  }
}

/** Links a third-party package in the version that the package `dependent` of the workspace has. */
async function link(name: string, dependent: string, directory: string): Promise<void> {
  const from = workspace.find(({ manifest }) => manifest.name === dependent)
  if (from === undefined) throw new Error(`There is no package ${dependent} in the workspace`)
  const target = await realpath(join(root, from.directory, 'node_modules', name))
  const path = join(directory, 'node_modules', name)
  await mkdir(dirname(path), { recursive: true })
  await symlink(target, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
    const other = await realpath(path)
    if (other !== target)
      throw new Error(`${name} is needed in two versions: ${await versionOf(other)} and ${await versionOf(target)} (by ${dependent})`)
  })
}

async function versionOf(directory: string): Promise<string | undefined> {
  return (JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as Manifest).version
}

function succeed({ code, output }: { code: number; output: string }): void {
  if (code !== 0) throw new Error(`The packages cannot be made:\n${output}`)
}
