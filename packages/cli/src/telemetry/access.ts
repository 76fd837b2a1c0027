/**
 * The way of `skerry traces`, `skerry logs` and `skerry map` to recent telemetry: through the admin API of a host that runs, or straight to the file
 * that the hosts of this machine keep it in. Both are called through one contract.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { AdminOptions, Call, Opened } from '../admin/access.ts'
import { addressIn, explained, remote } from '../admin/access.ts'
import { CommandError, EXIT } from '../failure.ts'
import { keepAlive } from '../keep-alive.ts'
import { supervisorDirectory } from '../supervisor/control.ts'
import type { LoadedSystem, Platform } from '../system-file.ts'
import { loadSystem } from '../system-file.ts'

const OTHERWISE =
  'Start the host with ADMIN_PORT, such as ADMIN_PORT=9090, and give this command the same ADMIN_PORT, or ADMIN_URL=http://127.0.0.1:9090. Or give both the same SKERRY_TELEMETRY, a path.'

/** Gives `work` the way there is, and closes what was opened for it. */
export async function withTelemetry(
  options: AdminOptions,
  work: (call: Call, clock: Platform['systemClock']) => Promise<void>,
): Promise<void> {
  keepAlive()
  const loaded = await loadSystem(options.system)
  await using opened = await open(loaded)
  try {
    await work(opened.call, loaded.platform.systemClock)
  } catch (error) {
    throw explained(error, opened.place)
  }
}

async function open(loaded: LoadedSystem): Promise<Opened> {
  const { platform, system } = loaded
  const url = addressIn(process.env['ADMIN_URL'])
  if (url !== undefined) return remote(loaded, url)
  const { recent } = platform.readRecentConfiguration(platform.select(system, []), process.env)
  const port = process.env['ADMIN_PORT']
  if (port !== undefined && port !== '') {
    const host = await remote(loaded, `http://127.0.0.1:${port}`)
    const answer = await host.call.telemetryStatus.try({})
    if (answer.ok) return host
    await host[Symbol.asyncDispose]()
  }
  if (recent === undefined) throw new CommandError(EXIT.failed, 'SKERRY_TELEMETRY is "off": nothing is kept.', 'Remove it.')
  // A supervisor's processes share a file also where their data is elsewhere.
  const shared = join(supervisorDirectory(process.env), platform.RECENT_FILE)
  if (recent === 'memory' && (process.env['SKERRY_TELEMETRY'] ?? '') === '' && existsSync(shared)) return local(loaded, shared)
  if (recent === 'memory')
    throw new CommandError(EXIT.failed, 'What is recent is kept in the memory of the running host, and nowhere else.', OTHERWISE)
  return local(loaded, recent.file)
}

function local({ platform, system }: LoadedSystem, file: string): Opened {
  const recent = platform.openRecentOfOthers(file, platform.systemClock)
  if (recent === undefined)
    throw new CommandError(
      EXIT.failed,
      `There is no recent telemetry at ${file}, or none that this version can read.`,
      `Run the command where the host runs, with the same SKERRY_DATA. ${OTHERWISE}`,
    )
  const log = platform.createLog({ level: 'error', destination: process.stderr })
  const client = platform.localAdmin([], [], log, { read: recent.read, declared: platform.declaredSystem(system) })
  return {
    call: client.call,
    place: file,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]()
      recent[Symbol.dispose]()
    },
  }
}
