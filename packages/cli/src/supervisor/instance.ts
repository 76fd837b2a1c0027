/** One process of one service, as its supervisor sees it: started, then stopped, and at any time gone, also before it was there. */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Clock } from 'skerry/engine'
import type { FromInstance, ToInstance } from './messages.ts'

const PROGRAM = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './instance-process.ts' : './instance-process.js', import.meta.url))
/** Unchanged modules are loaded in half the time. */
const COMPILED = join(tmpdir(), 'node-compile-cache')
/** Until it has started and says how long its stop may take. */
const DEFAULT_STOP_LIMIT_MS = 5_000

export interface LaunchOptions {
  /** The absolute path of the system file. */
  readonly file: string
  readonly service: string
  readonly verbose: boolean
  readonly environment: NodeJS.ProcessEnv
  readonly clock: Clock
  /** A line that it has printed, without its end. */
  readonly onLine: (line: string) => void
  readonly onMemory: (rssBytes: number) => void
}

export class Instance {
  /** Undefined when it has started, else why it has not. */
  readonly started: Promise<string | undefined>
  /** Resolves when it is gone, with how. */
  readonly ended: Promise<string>
  readonly startedAtMs: number
  /** Its admin API, once it has started with one. */
  admin: string | null = null
  readonly #child: ChildProcess
  readonly #clock: Clock
  #stopLimitMs = DEFAULT_STOP_LIMIT_MS

  constructor({ file, service, verbose, environment, clock, onLine, onMemory }: LaunchOptions) {
    this.#clock = clock
    this.startedAtMs = clock.nowMs()
    this.#child = fork(PROGRAM, [file, service, verbose ? 'verbose' : ''], {
      env: { NODE_COMPILE_CACHE: COMPILED, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    // There are none when it could not be forked for want of file descriptors.
    const outputs = [this.#child.stdout, this.#child.stderr].flatMap((output) => (output ? [linesOf(output, onLine)] : []))
    const start = Promise.withResolvers<string | undefined>()
    this.started = start.promise
    this.#child.on('message', (message: FromInstance) => {
      if (message.kind === 'memory') onMemory(message.rssBytes)
      else if (message.kind === 'failed') start.resolve(message.text.trimEnd())
      else {
        this.#stopLimitMs = message.stopLimitMs
        this.admin = message.admin
        start.resolve(undefined)
      }
    })
    this.ended = this.#end(outputs).then((how) => {
      start.resolve(how)
      return how
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Hands over a connection. Calls `refused` when it could not be handed over. */
  serve(socket: Socket, refused: () => void): void {
    this.#child.send({ kind: 'connection' } satisfies ToInstance, socket, { keepOpen: false }, (error) => {
      if (error !== null) refused()
    })
  }

  /** Ends it in order, and by force when that takes too long. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.send({ kind: 'stop' } satisfies ToInstance, () => {})
    const timer = this.#clock.setTimer(this.#stopLimitMs, () => this.kill())
    await this.ended
    timer.cancel()
  }

  /** At once. What it had in hand is done again after the next start. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #end(outputs: readonly Promise<unknown>[]): Promise<string> {
    const end = Promise.withResolvers<string>()
    this.#child.once('exit', (code, signal) => end.resolve(signal ?? `exit code ${code}`))
    this.#child.on('error', (error) => {
      // Else a message could not be delivered, or a signal: it has ended, or will.
      if (this.#child.pid === undefined) end.resolve(`its process could not be made: ${error.message}`)
    })
    const how = await end.promise
    if (this.#child.pid !== undefined) await Promise.all(outputs)
    return how
  }
}

async function linesOf(output: Readable, onLine: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: output, crlfDelay: Infinity })) if (line !== '') onLine(line)
}
