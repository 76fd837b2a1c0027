/**
 * The embedded registry: a folder that the hosts of one machine share, with a file for each instance. A file lives as long as its host renews it,
 * by setting its time of change; there is no server that could be down, and who is killed is gone when its lease has run out.
 */
import { watch } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import type { RegistryConnectionOptions } from '../engine/registry-sessions.ts'
import { openRegistry, registryDefaults } from '../engine/registry-sessions.ts'
import type { RegistryEngine, ServiceAddress } from '../engine/registry.ts'
import { readAddress, writeAddress } from '../engine/registry.ts'

/** Long enough for a process that is busy, short enough that a dead one is soon forgotten. */
const LEASE_MS = 6_000
const RENEWALS_PER_LEASE = 3
/** How often the folder is looked at when nothing is heard of it. */
const LOOK_MS = 1_000
/** What has been dead for so many leases is removed by whoever sees it. */
const LEASES_UNTIL_REMOVAL = 10

/** The registry in this folder, which is made when it is missing. */
export function fileRegistry(directory: string, options: RegistryConnectionOptions = {}): RegistryEngine {
  const settings = { ...registryDefaults(), leaseMs: LEASE_MS, ...options }
  const { clock, leaseMs } = settings
  const description = `the folder ${directory}`
  const fileOf = (service: string, { id }: ServiceAddress): string => join(directory, service, `${encodeURIComponent(id)}.json`)
  return {
    description,
    open: async (registryOptions) =>
      openRegistry(
        {
          description,
          follow: (service, tell, signal) => follow({ directory: join(directory, service), clock, leaseMs, tell, signal }),
          registrations: {
            async hold(service, instance, held, signal) {
              const file = fileOf(service, instance)
              await mkdir(join(directory, service), { recursive: true, mode: 0o700 })
              const unfinished = `${file}.unfinished`
              await writeFile(unfinished, writeAddress(instance))
              await setTime(unfinished, clock)
              // Others see all of it or nothing.
              await rename(unfinished, file)
              for (held(); !signal.aborted; held()) {
                await sleep(clock, leaseMs / RENEWALS_PER_LEASE, signal)
                if (!signal.aborted) await setTime(file, clock)
              }
            },
            withdraw: (service, instance) => rm(fileOf(service, instance), { force: true }),
          },
        },
        settings,
        registryOptions,
      ),
  }
}

interface FollowOptions {
  readonly directory: string
  readonly clock: Clock
  readonly leaseMs: number
  readonly tell: (instances: readonly ServiceAddress[]) => void
  readonly signal: AbortSignal
}

async function follow({ directory, clock, leaseMs, tell, signal }: FollowOptions): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const known = new Map<string, ServiceAddress | undefined>()
  let changed = new AbortController()
  let failure: Error | undefined
  // Renewals are changes too, and of no interest: what matters comes and goes, and what runs out is seen by looking.
  const watcher = watch(directory, (kind) => kind === 'rename' && changed.abort())
  watcher.on('error', (error) => {
    failure = error
    changed.abort()
  })
  let told: string | undefined
  try {
    while (!signal.aborted) {
      changed = new AbortController()
      const instances = await look(directory, clock.nowMs(), leaseMs, known)
      const text = JSON.stringify(instances)
      if (text !== told) tell(instances)
      told = text
      await sleep(clock, LOOK_MS, AbortSignal.any([signal, changed.signal]))
      if (failure !== undefined) throw failure
    }
  } finally {
    watcher.close()
  }
}

/** Whoever is alive. `known`: what was read before, since a file never changes but for its time. */
async function look(
  directory: string,
  nowMs: number,
  leaseMs: number,
  known: Map<string, ServiceAddress | undefined>,
): Promise<readonly ServiceAddress[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.json')).toSorted()
  for (const name of known.keys()) if (!names.includes(name)) known.delete(name)
  const alive: ServiceAddress[] = []
  for (const name of names) {
    const file = join(directory, name)
    try {
      const silentMs = nowMs - (await stat(file)).mtimeMs
      if (silentMs > leaseMs * LEASES_UNTIL_REMOVAL) await rm(file, { force: true })
      if (silentMs > leaseMs) continue
      if (!known.has(name)) known.set(name, readAddress(await readFile(file, 'utf8')))
      const address = known.get(name)
      if (address !== undefined) alive.push(address)
    } catch (error) {
      // It went while we looked.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return alive
}

async function setTime(file: string, clock: Clock): Promise<void> {
  const now = clock.now()
  await utimes(file, now, now)
}
