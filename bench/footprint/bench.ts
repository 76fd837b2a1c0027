/** What Skerry costs before it does anything: packages and megabytes installed, seconds to the first answer, memory at rest, and what one more service adds. */
import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, realpath, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startChild } from '../harness/child.ts'
import { medianOf } from '../harness/pairs.ts'

export interface Footprint {
  readonly installedPackages: number
  readonly installedMegabytes: number
  /** From `npm start`, with nothing kept of an earlier run, neither data nor compiled modules, to the first answered request of the shop. */
  readonly coldStartSeconds: number
  /** The same after that. */
  readonly warmStartSeconds: number
  /** Of `skerry start`: one process, and the sandbox of the payment provider beside it is not counted. */
  readonly shopMegabytesAtRest: number
  readonly megabytesPerFurtherService: number
}

const RUNS = 5
const NPM_START = ['npm', ['start']] as const
const SKERRY_START = [process.execPath, ['packages/cli/src/main.ts', 'start', '--system', 'shop/system.ts']] as const
const repository = fileURLToPath(new URL('../../', import.meta.url))

export async function benchFootprint(): Promise<Footprint> {
  const starts: { cold: number; warm: number; megabytes: number }[] = []
  for (let run = 0; run < RUNS; run++) {
    const folder = await mkdtemp(join(tmpdir(), 'skerry-start-'))
    const cold = await shop(NPM_START, folder, async (seconds) => seconds)
    const warm = await shop(NPM_START, folder, async (seconds) => seconds)
    const megabytes = await shop(SKERRY_START, folder, (_, pid) => restingMegabytesOf(pid))
    await rm(folder, { recursive: true, force: true })
    starts.push({ cold, warm, megabytes })
  }
  const few = await restingMegabytes(4)
  const many = await restingMegabytes(24)
  return {
    ...(await installed()),
    coldStartSeconds: medianOf(starts.map(({ cold }) => cold)),
    warmStartSeconds: medianOf(starts.map(({ warm }) => warm)),
    shopMegabytesAtRest: medianOf(starts.map(({ megabytes }) => megabytes)),
    megabytesPerFurtherService: (many - few) / 20,
  }
}

/** What a system with the embedded engines brings along: skerry, the command line and PGlite with their dependencies, followed through node_modules. */
async function installed(): Promise<{ installedPackages: number; installedMegabytes: number }> {
  const seen = new Set<string>()
  let bytes = 0
  const visit = async (directory: string): Promise<void> => {
    const real = await realpath(directory)
    if (seen.has(real)) return
    seen.add(real)
    bytes += await bytesOf(real)
    const manifest = JSON.parse(await readFile(join(real, 'package.json'), 'utf8')) as { dependencies?: Record<string, string> }
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      const inside = join(real, 'node_modules', name)
      const beside = join(real.slice(0, real.lastIndexOf('node_modules') + 'node_modules'.length), name)
      await visit((await exists(inside)) ? inside : beside)
    }
  }
  for (const name of ['skerry', 'cli']) await visit(join(repository, 'packages', name))
  await visit(join(repository, 'engines/pglite'))
  return { installedPackages: seen.size, installedMegabytes: bytes / 1e6 }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function bytesOf(directory: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || entry.parentPath.slice(directory.length).includes('node_modules')) continue
    bytes += (await stat(join(entry.parentPath, entry.name))).size
  }
  return bytes
}

/** Runs the shop until what is measured of it is known: told the seconds to its first answer and the process that was started. */
async function shop<T>(
  [command, parameters]: typeof NPM_START | typeof SKERRY_START,
  folder: string,
  measure: (seconds: number, pid: number) => Promise<T>,
): Promise<T> {
  const port = 20_000 + (process.pid % 10_000)
  const environment = {
    PORT: String(port),
    SKERRY_DATA: join(folder, 'data'),
    NODE_COMPILE_CACHE: join(folder, 'compiled'),
    LOG_LEVEL: 'error',
  }
  const start = performance.now()
  const child = spawn(command, parameters, {
    cwd: repository,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
    // A group of its own, so that one signal ends npm and all that it has started.
    detached: true,
  })
  try {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/products`).catch(() => undefined)
      if (answer?.ok === true) break
      if (child.exitCode !== null) throw new Error(`the shop ended with ${child.exitCode}`)
      await wait(10)
    }
    return await measure((performance.now() - start) / 1_000, child.pid!)
  } finally {
    process.kill(-child.pid!, 'SIGTERM')
    while (groupLives(child.pid!)) await wait(10)
  }
}

function groupLives(pid: number): boolean {
  try {
    return process.kill(-pid, 0)
  } catch {
    return false
  }
}

async function restingMegabytesOf(pid: number): Promise<number> {
  await wait(2_000)
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024
}

async function restingMegabytes(services: number): Promise<number> {
  const values: number[] = []
  for (let run = 0; run < 3; run++) {
    await using child = await startChild(new URL('./empty-service.ts', import.meta.url), { args: [String(services)] })
    values.push((await child.residentKilobytes()) / 1_024)
  }
  return medianOf(values)
}
