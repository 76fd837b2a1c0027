/** One process that runs the services, as its parent sees it: loaded, then started, then stopped, and at any time gone. */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from 'skerry/engine'
import type { FromHost, ToHost } from './messages.ts'

const PROGRAM = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './host-process.ts' : './host-process.js', import.meta.url))
/** Where Node itself would keep compiled modules, had it been asked to by `enableCompileCache`: unchanged ones are then loaded in half the time. */
const COMPILED = join(tmpdir(), 'node-compile-cache')
/** Until it has been loaded and says how long its stop may take. */
const DEFAULT_STOP_LIMIT_MS = 5_000

type Message<Kind extends FromHost['kind']> = Extract<FromHost, { kind: Kind }>

export interface HostHandleOptions {
  /** The absolute path of the system file. */
  readonly file: string
  readonly verbose: boolean
  readonly environment: NodeJS.ProcessEnv
  readonly clock: Clock
  readonly onProgress: (step: string) => void
}

export class HostHandle {
  /** Resolves when it is gone, with how. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #clock: Clock
  readonly #loaded = Promise.withResolvers<Message<'loaded' | 'failed'>>()
  readonly #started = Promise.withResolvers<Message<'started' | 'failed'>>()
  #stopLimitMs = DEFAULT_STOP_LIMIT_MS
  #mayHaveOpened = false

  constructor({ file, verbose, environment, clock, onProgress }: HostHandleOptions) {
    this.#clock = clock
    this.#child = fork(PROGRAM, [file, verbose ? 'verbose' : ''], {
      env: { NODE_COMPILE_CACHE: COMPILED, ...environment },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child.on('message', (message: FromHost) => {
      if (message.kind === 'progress') onProgress(message.step)
      else this.#receive(message)
    })
    this.ended = this.#end()
  }

  /** Resolves when it has read its code, or could not. */
  get loaded(): Promise<Message<'loaded' | 'failed'>> {
    return this.#loaded.promise
  }

  /** Lets it open its data and listen; resolves when it does, or cannot. */
  start(): Promise<Message<'started' | 'failed'>> {
    this.#mayHaveOpened = true
    this.#send({ kind: 'start' })
    return this.#started.promise
  }

  /** Ends it in order, and by force when that takes too long. */
  async stop(): Promise<void> {
    if (this.#mayHaveOpened) this.#send({ kind: 'stop' })
    else this.kill()
    const timer = this.#clock.setTimer(this.#stopLimitMs, () => this.kill())
    await this.ended
    timer.cancel()
  }

  /** At once. What it had in hand is done again after the next start. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }

  async #end(): Promise<string> {
    // A message may still be on its way when the process has ended; it is not when the channel has.
    const [[code, signal]] = await Promise.all([
      once(this.#child, 'exit') as Promise<[number | null, string | null]>,
      once(this.#child, 'disconnect'),
    ])
    const how = signal ?? `exit code ${code}`
    this.#receive({
      kind: 'failed',
      failed: { text: `error: The process that runs the services has ended (${how}).\n`, exitCode: 1, inCode: true },
      sources: [],
    })
    return how
  }

  #receive(message: Message<'loaded' | 'started' | 'failed'>): void {
    if (message.kind === 'loaded') this.#stopLimitMs = message.stopLimitMs
    if (message.kind !== 'started') this.#loaded.resolve(message)
    if (message.kind !== 'loaded') this.#started.resolve(message)
  }

  #send(message: ToHost): void {
    // That it has ended meanwhile is reported by `ended`.
    if (this.#child.connected) this.#child.send(message, () => {})
  }
}
