/**
 * A private temporary directory and the processes that live in it. Both are gone after `close`, and also when the
 * process that made the sandbox dies, however it dies: a small shell watches a pipe from this process, and when the pipe
 * ends it kills what is still registered and removes the directory. `close` uses the same way, so it is always tested.
 */
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, open, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The user a service runs as when we are root and it refuses to be; undefined means: as ourselves. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly directory?: string
}

export interface Sandbox {
  readonly directory: string
  /** Starts a program that runs on. Its output is appended to `<name>.log` in the directory. */
  run(name: string, command: string, parameters: readonly string[], options?: RunOptions): Promise<Running>
  /** Runs a program to its end and resolves with what it printed; rejects, with its output, when it fails. */
  execute(command: string, parameters: readonly string[], options?: RunOptions): Promise<string>
  close(): Promise<void>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Running {
  readonly pid: number
  readonly exited: boolean
  /** Resolves when the process is gone, with how it went. */
  readonly exit: Promise<Exit>
  /** Sends the signal and resolves when the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** The last lines of the log, for error messages. */
  logTail(): Promise<string>
}

const logTailLines = 30

// Reads "+pid" and "-pid" lines. The group is signalled, since services have children. Removal is tried again because
// a child of a killed service may write for a moment longer.
const watchdog = `
trap '' HUP INT TERM
pids=' '
while IFS= read -r line; do
  case $line in
    +*) pids="$pids\${line#+} " ;;
    -*) pids=\${pids%% \${line#-} *}\\ \${pids#* \${line#-} } ;;
  esac
done
for pid in $pids; do kill -s KILL -- "-$pid" 2>/dev/null; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf -- "$1" 2>/dev/null && exit 0
  sleep 0.2
done
exit 1
`

/** Opens a sandbox whose directory belongs to `owner`, as whom its programs run. */
export async function openSandbox(name: string, owner?: Owner): Promise<Sandbox> {
  const directory = await mkdtemp(join(tmpdir(), `skerry-test-${name}-`))
  const guard = spawn('/bin/sh', ['-c', watchdog, 'watchdog', directory], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  await once(guard, 'spawn')
  // Neither the guard nor its pipe keeps a finished test run alive.
  guard.unref()
  const pipe = guard.stdin as typeof guard.stdin & { unref?: () => void }
  pipe.unref?.()
  if (owner !== undefined) await chown(directory, owner.uid, owner.gid)

  const processOptions = (options: RunOptions) => ({
    cwd: options.directory ?? directory,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: directory, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...options.environment },
    ...owner,
  })
  let closing: Promise<void> | undefined

  return {
    directory,
    async run(program, command, parameters, options = {}) {
      const logFile = join(directory, `${program}.log`)
      const log = await open(logFile, 'a')
      try {
        const child = spawn(command, parameters, { ...processOptions(options), stdio: ['ignore', log.fd, log.fd], detached: true })
        await once(child, 'spawn')
        pipe.write(`+${child.pid}\n`)
        child.once('exit', () => pipe.write(`-${child.pid}\n`))
        child.unref()
        return running(child, logFile)
      } finally {
        await log.close()
      }
    },
    async execute(command, parameters, options = {}) {
      const { stdout } = await promisify(execFile)(command, [...parameters], processOptions(options))
      return stdout
    },
    close() {
      closing ??= (async () => {
        guard.ref()
        const gone = guard.exitCode === null ? once(guard, 'exit') : undefined
        pipe.end()
        await gone
        if (guard.exitCode !== 0) throw new Error(`Could not remove ${directory}: a process that was started in it may still be running`)
      })()
      return closing
    },
  }
}

/** Who runs a service that refuses to be root: `preferred` if there is such a user, else nobody; ourselves when we are not root. */
export async function unprivilegedOwner(preferred: string): Promise<Owner | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const user = users.find(([name]) => name === preferred) ?? users.find(([name]) => name === 'nobody')
  if (user === undefined)
    throw new Error(`${preferred} must not run as root, and there is neither a user ${preferred} nor a user nobody to run it as`)
  return { uid: Number(user[2]), gid: Number(user[3]) }
}

function running(child: ChildProcess, logFile: string): Running {
  const pid = child.pid
  if (pid === undefined) throw new Error(`${child.spawnfile} started without a process id`)
  const exited = () => child.exitCode !== null || child.signalCode !== null
  const exit = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  return {
    pid,
    exit,
    get exited() {
      return exited()
    },
    signal(signal) {
      if (!exited()) child.kill(signal)
    },
    async end(signal) {
      if (exited()) return
      const gone = once(child, 'exit')
      child.ref()
      child.kill(signal)
      await gone
    },
    async logTail() {
      const lines = (await readFile(logFile, 'utf8')).trimEnd().split('\n')
      return `The end of its log:\n${lines.slice(-logTailLines).join('\n')}`
    },
  }
}
