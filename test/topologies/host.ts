/**
 * A host as users run it: a process of its own, started through the `skerry` command, found through what it prints, told
 * what to do through environment variables and signals only. It is gone when disposed of, or when the test run dies.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Exit, Running, Sandbox } from '../services/sandbox.ts'
import { openSandbox } from '../services/sandbox.ts'
import { waitUntil } from '../services/wait-until.ts'

export interface HostOptions {
  /** The file that defines the system, from the repository's root: `examples/ecommerce/system.ts`. */
  readonly system: string
  /** What of it to run; `gateway` is one of the names. Default: everything. */
  readonly services?: readonly string[]
  /** The whole environment besides PATH and HOME. Ports are free ones and data is kept in memory, unless it says otherwise. */
  readonly env?: Readonly<Record<string, string>>
}

/** A host that may not be ready yet, and may never be. */
export interface LaunchedHost extends AsyncDisposable {
  readonly pid: number
  /** Resolves when the process is gone, however that comes about. */
  readonly exited: Promise<Exit>
  /** Everything it has printed so far. */
  output(): Promise<string>
  /** SIGTERM: finishes what it has begun. Resolves when it is gone. */
  stop(): Promise<Exit>
  /** SIGKILL: as the machine would. Resolves when it is gone. */
  kill(): Promise<Exit>
  /** SIGSTOP: it keeps its connections and answers nothing, until `resume`. */
  pause(): void
  resume(): void
}

export interface RunningHost extends LaunchedHost {
  /** Where the gateway listens. Throws when this host runs none. */
  readonly gatewayUrl: string
  /** Where services listen that have a port of their own, by name. */
  readonly serviceUrls: Readonly<Record<string, string>>
  /** Where the admin API listens. Throws when this host has none. */
  readonly adminUrl: string
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const startTimeoutMs = 90_000
/** Hosts that ended in order leave there what they have compiled: the next ones start in half the time. */
const compiledModules = `${root}node_modules/.cache/skerry-test-hosts`

/** Starts a host and waits until it is ready. Rejects with the end of its output when it is not. */
export async function startHost(options: HostOptions): Promise<RunningHost> {
  const { sandbox, running } = await launch(options)
  try {
    const { gateway, services, admin } = await started(sandbox, running, options)
    return {
      ...launchedHost(sandbox, running),
      get gatewayUrl() {
        if (gateway === null) throw new Error('This host runs no gateway: name "gateway" among its services')
        return gateway
      },
      serviceUrls: services,
      get adminUrl() {
        if (admin === null) throw new Error('This host has no admin API: set ADMIN_PORT')
        return admin
      },
    }
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

/** Starts a host and does not wait for it: one that is to die on the way, say. */
export async function launchHost(options: HostOptions): Promise<LaunchedHost> {
  const { sandbox, running } = await launch(options)
  return launchedHost(sandbox, running)
}

async function launch(options: HostOptions): Promise<{ readonly sandbox: Sandbox; readonly running: Running }> {
  const sandbox = await openSandbox('host')
  try {
    const environment = { PORT: '0', SKERRY_DATA: 'memory', NODE_COMPILE_CACHE: compiledModules, ...options.env }
    return { sandbox, running: await sandbox.run('host', process.execPath, parametersOf(options), { environment }) }
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

function parametersOf({ system, services = [] }: HostOptions): string[] {
  return [`${root}packages/cli/src/main.ts`, 'start', ...services, '--system', `${root}${system}`, '--json']
}

function launchedHost(sandbox: Sandbox, running: Running): LaunchedHost {
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    await running.end(signal)
    return running.exit
  }
  return {
    pid: running.pid,
    exited: running.exit,
    output: () => outputOf(sandbox),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    pause: () => running.signal('SIGSTOP'),
    resume: () => running.signal('SIGCONT'),
    [Symbol.asyncDispose]: () => sandbox.close(),
  }
}

/** The line that `skerry start --json` prints when it is ready. */
interface StartedLine {
  readonly event: 'started'
  readonly gateway: string | null
  readonly services: Readonly<Record<string, string>>
  readonly admin: string | null
}

function started(sandbox: Sandbox, running: Running, { system, services = [] }: HostOptions): Promise<StartedLine> {
  const name = services.length === 0 ? system : `${services.join(', ')} of ${system}`
  return waitUntil(
    `${name} has started`,
    startTimeoutMs,
    async () => {
      const line = (await outputOf(sandbox)).split('\n').find((text) => text.startsWith('{"event":"started"'))
      if (line !== undefined) return JSON.parse(line) as StartedLine
      if (running.exited) throw new Error(`${name} ended before it had started. ${await running.logTail()}`)
      return undefined
    },
    () => running.logTail(),
  )
}

function outputOf(sandbox: Sandbox): Promise<string> {
  return readFile(`${sandbox.directory}/host.log`, 'utf8')
}
