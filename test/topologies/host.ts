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

export interface RunningHost extends AsyncDisposable {
  readonly pid: number
  /** Where the gateway listens. Throws when this host runs none. */
  readonly gatewayUrl: string
  /** Where services listen that have a port of their own, by name. */
  readonly serviceUrls: Readonly<Record<string, string>>
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

const root = fileURLToPath(new URL('../../', import.meta.url))
const startTimeoutMs = 90_000

/** Starts a host and waits until it is ready. Rejects with the end of its output when it is not. */
export async function startHost(options: HostOptions): Promise<RunningHost> {
  const sandbox = await openSandbox('host')
  try {
    const running = await sandbox.run('host', process.execPath, parametersOf(options), {
      environment: { PORT: '0', SKERRY_DATA: 'memory', ...options.env },
    })
    return runningHost(sandbox, running, await started(sandbox, running, options))
  } catch (error) {
    await sandbox.close()
    throw error
  }
}

function parametersOf({ system, services = [] }: HostOptions): string[] {
  return [`${root}packages/cli/src/main.ts`, 'start', ...services, '--system', `${root}${system}`, '--json']
}

function runningHost(sandbox: Sandbox, running: Running, { gateway, services }: StartedLine): RunningHost {
  const end = async (signal: NodeJS.Signals): Promise<Exit> => {
    await running.end(signal)
    return running.exit
  }
  return {
    pid: running.pid,
    get gatewayUrl() {
      if (gateway === null) throw new Error('This host runs no gateway: name "gateway" among its services')
      return gateway
    },
    serviceUrls: services,
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
