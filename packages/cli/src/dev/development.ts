/**
 * The life of `skerry dev`: a process that runs the services, and its successor whenever a file changes.
 *
 * The successor loads its code while the old one still serves, and only then is the old one stopped: what does not load never
 * takes the place of what works. When it loads but does not start, the gateway's port says why, until the next change.
 */
import { realpathSync } from 'node:fs'
import { dirname, relative, resolve, sep } from 'node:path'
import { styleText } from 'node:util'
import type { Clock } from 'skerry/engine'
import { startedTable } from '../started.ts'
import { Changes } from './changes.ts'
import { Front } from './front.ts'
import { HostHandle } from './host-handle.ts'
import type { Failed, FromHost } from './messages.ts'
import { Watcher } from './watcher.ts'

export interface DevelopmentOptions {
  /** The absolute path of the system file. */
  readonly file: string
  readonly verbose: boolean
  readonly environment: NodeJS.ProcessEnv
  readonly clock: Clock
}

/** Connections that are just being made arrive; and nobody wants to wait for requests as long as in production. */
const STOPPING = { SKERRY_DRAIN_MS: '50', SKERRY_GRACE_MS: '3000' }

export class Development {
  readonly #options: DevelopmentOptions
  readonly #folder: string
  readonly #front = new Front()
  readonly #changes = new Changes()
  readonly #watcher: Watcher
  readonly #hosts = new Set<HostHandle>()
  #serving: HostHandle | undefined
  #hasStarted = false
  #stopping = false

  constructor(options: DevelopmentOptions) {
    this.#options = options
    this.#folder = realpathSync(dirname(options.file))
    const data = options.environment['SKERRY_DATA']
    this.#watcher = new Watcher({
      folder: this.#folder,
      ignored: data === undefined ? undefined : resolve(data),
      clock: options.clock,
      onChange: (paths) => this.#changes.add(paths),
      onLimit: (reason) =>
        warn(`Some folders cannot be watched (${reason}). Raise the limit, as in: sysctl fs.inotify.max_user_watches=524288`),
    })
  }

  /** Resolves with an exit code when the first start failed for a reason that no edit cures; else when it has been stopped. */
  async run(): Promise<number> {
    for (;;) {
      const failed = await this.#cycle()
      if (this.#stopping) return 0
      if (failed !== undefined && !failed.inCode && !this.#hasStarted) {
        await this.stop()
        return failed.exitCode
      }
      if (failed !== undefined)
        say(
          styleText(
            'yellow',
            this.#serving === undefined ? 'Waiting for a change.' : 'The version from before keeps running. Waiting for a change.',
          ),
        )
      await this.#changes.happened
    }
  }

  /** Stops the processes in order and gives up the port. */
  async stop(): Promise<void> {
    this.#stopping = true
    this.#watcher.close()
    this.#front.leave()
    await Promise.all([...this.#hosts].map((host) => host.stop()))
    this.#front.close()
  }

  /** Stops the processes at once. */
  kill(): void {
    for (const host of this.#hosts) host.kill()
  }

  /** One version of the code, from loading it to serving it. Ends early when it fails, or when another change comes first. */
  async #cycle(): Promise<Failed | undefined> {
    const changed = this.#changes.take()
    const beganMs = this.#options.clock.nowMs()
    if (changed.length > 0) say(styleText('dim', `${this.#naming(changed)} changed`))
    const next = this.#newHost()

    const loaded = await Promise.race([next.loaded, this.#changes.happened])
    if (this.#stopping || loaded === 'changed') return this.#abandon(next)
    this.#watcher.imported(loaded.sources, loaded.kind === 'loaded' ? loaded.folders : [], loaded.kind === 'loaded')
    if (loaded.kind === 'failed') return this.#show(loaded.failed)
    if (loaded.gateway !== null) await this.#front.listen(loaded.gateway.host, loaded.gateway.port)

    this.#front.hold()
    const previous = this.#serving
    this.#serving = undefined
    await previous?.stop()
    const started = await Promise.race([next.start(), this.#changes.happened])
    if (this.#stopping || started === 'changed') return this.#abandon(next)
    if (started.kind === 'failed') {
      this.#front.fail(`The services could not be started: ${firstLine(started.failed.text)}`)
      return this.#show(started.failed)
    }
    this.#serve(next, started, beganMs)
    return undefined
  }

  #serve(host: HostHandle, { facts }: Extract<FromHost, { kind: 'started' }>, beganMs: number): void {
    this.#serving = host
    if (facts.gateway === null) this.#front.fail('This system has no gateway')
    else this.#front.serve(facts.gateway)
    const tookSeconds = ((this.#options.clock.nowMs() - beganMs) / 1_000).toFixed(1)
    if (this.#hasStarted) say(styleText('green', `reloaded in ${tookSeconds} s`))
    else
      say(
        `${startedTable({ ...facts, gateway: facts.gateway === null ? null : this.#front.url! })}Changes are picked up as you save; Ctrl-C stops.`,
      )
    this.#hasStarted = true
    void host.ended.then((how) => {
      if (this.#serving !== host || this.#stopping) return
      this.#serving = undefined
      this.#front.fail(`The process that runs the services has ended (${how})`)
      warn(`The process that runs the services has ended (${how}). Waiting for a change.`)
    })
  }

  #newHost(): HostHandle {
    const { file, verbose, environment, clock } = this.#options
    const onProgress = (step: string): void => say(styleText('dim', step))
    const host = new HostHandle({ file, verbose, environment: { ...STOPPING, ...environment }, clock, onProgress })
    this.#hosts.add(host)
    void host.ended.then(() => this.#hosts.delete(host))
    return host
  }

  /** Its data must be free before the one after it starts. */
  async #abandon(host: HostHandle): Promise<undefined> {
    await host.stop()
  }

  #show(failed: Failed): Failed {
    process.stderr.write(`\n${failed.text}\n`)
    return failed
  }

  #naming(paths: readonly string[]): string {
    const names = paths.map((path) => (path.startsWith(this.#folder + sep) ? relative(this.#folder, path) : path))
    return names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function warn(text: string): void {
  process.stderr.write(`${styleText('yellow', text, { stream: process.stderr })}\n`)
}

function firstLine(text: string): string {
  return text.replace(/^error: /, '').split('\n', 1)[0]!
}
