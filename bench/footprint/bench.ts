/** What Skerry costs before it does anything: packages and megabytes installed, seconds to the first answer, memory at rest, and what one more service adds. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
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
  /** From `skerry dev` on the shop, with an empty data directory, to the first answered request. */
  readonly coldStartSeconds: number
  /** The same on the data of an earlier run. */
  readonly warmStartSeconds: number
  readonly shopMegabytesAtRest: number
  readonly megabytesPerFurtherService: number
}

const RUNS = 5
const repository = fileURLToPath(new URL('../../', import.meta.url))

export async function benchFootprint(): Promise<Footprint> {
  const starts: { cold: number; warm: number; megabytes: number }[] = []
  for (let run = 0; run < RUNS; run++) {
    const data = await mkdtemp(join(tmpdir(), 'skerry-start-'))
    const cold = await startShop(data)
    const warm = await startShop(data)
    await rm(data, { recursive: true, force: true })
    starts.push({ cold: cold.seconds, warm: warm.seconds, megabytes: warm.megabytes })
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

async function startShop(data: string): Promise<{ seconds: number; megabytes: number }> {
  const port = 20_000 + (process.pid % 10_000)
  const start = performance.now()
  const child = spawn(process.execPath, ['packages/cli/src/main.ts', 'start', '--system', 'shop/system.ts'], {
    cwd: repository,
    env: { ...process.env, PORT: String(port), SKERRY_DATA: data, LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  try {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/products`).catch(() => undefined)
      if (answer?.ok === true) break
      if (child.exitCode !== null) throw new Error(`the shop ended with ${child.exitCode}`)
      await wait(10)
    }
    const seconds = (performance.now() - start) / 1_000
    await wait(2_000)
    const status = await readFile(`/proc/${String(child.pid)}/status`, 'utf8')
    return { seconds, megabytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1_024 }
  } finally {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }
}

async function restingMegabytes(services: number): Promise<number> {
  const values: number[] = []
  for (let run = 0; run < 3; run++) {
    await using child = await startChild(new URL('./empty-service.ts', import.meta.url), { args: [String(services)] })
    values.push((await child.residentKilobytes()) / 1_024)
  }
  return medianOf(values)
}
