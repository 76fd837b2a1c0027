/**
 * The projections of a service at work in one host: holds its share of them, or all where nobody else can have the
 * database, and keeps a builder going for each.
 */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Worker } from '../base/worker.ts'
import type { Database } from '../engine/database.ts'
import { LEASE_DEFAULTS } from '../events/lease.ts'
import type { Log } from '../telemetry/log.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import type { Apply } from './builder.ts'
import { Builder } from './builder.ts'
import type { HeldGeneration } from './projection-store.ts'
import { heldAlone, readState, release, releaseAll, shareProjections } from './projection-store.ts'
import type { Projection } from './projection.ts'
import { Pump } from './pump.ts'
import { headOf } from './sequence.ts'

export interface ProjectionWorkerOptions {
  readonly service: string
  readonly projections: readonly { readonly projection: Projection; readonly apply: Apply }[]
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  /** Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  readonly log: Log
  /** This instance, in this life. */
  readonly owner: string
  /** No other process can have the database open: no leases, no looking. */
  readonly exclusive: boolean
  readonly onAdvanced: () => void
}

/** How often the holder of a projection looks for what a sequencer elsewhere has numbered. */
const POLL_MS = 200
/** What is numbered in so long is applied together, as far as other hosts may be at work on the database too. */
const MIN_INTERVAL_MS = 10
const FAILURE_PAUSE_MS = 500
/** How long a projection that needs newer code is left to other hosts. */
const OUTDATED_MS = 30_000

export interface RunningProjections extends Worker {
  /** There is another generation to build, or one may go on that had stopped. */
  refresh(): void
}

export function startProjections(options: ProjectionWorkerOptions): RunningProjections {
  const worker = new ProjectionWorker(options)
  worker.wake()
  return worker
}

interface Running {
  readonly held: HeldGeneration
  readonly pump: Pump
}

class ProjectionWorker implements RunningProjections {
  readonly #options: ProjectionWorkerOptions
  /** Decides which generations are this host's. */
  readonly #sharing: Pump
  readonly #running = new Map<string, Running>()
  /** Until when projections are left to others, by name. */
  readonly #outdatedUntilMs = new Map<string, number>()
  #shared = false

  constructor(options: ProjectionWorkerOptions) {
    this.#options = options
    this.#sharing = new Pump({
      clock: options.clock,
      run: () => this.#share(),
      onFailure: (error) => this.#pauseAfter(error, 'The projections could not be shared out and will be tried again'),
    })
  }

  get idle(): boolean {
    return this.#sharing.idle && [...this.#running.values()].every(({ pump }) => pump.idle)
  }

  async dueMs(): Promise<number | undefined> {
    const { database, clock } = this.#options
    const head = await headOf(database)
    const due: number[] = []
    for (const { held, pump } of this.#running.values()) {
      const state = await readState(database, held)
      if (state === undefined || state.stopped || (state.pos >= head && state.status === 'live')) continue
      due.push(pump.nextMs ?? clock.nowMs())
    }
    return due.length === 0 ? undefined : Math.min(...due)
  }

  refresh(): void {
    this.#sharing.wake()
    this.wake()
  }

  wake(): void {
    if (!this.#shared) this.#sharing.wake()
    for (const { pump } of this.#running.values()) pump.wake()
  }

  async stop(): Promise<void> {
    await this.#sharing.stop()
    await Promise.all([...this.#running.values()].map(({ pump }) => pump.stop()))
    const { exclusive, database, owner, log } = this.#options
    if (exclusive) return
    await releaseAll(database, owner).catch((error: unknown) =>
      log.warn('Projections could not be given back; their leases will expire', { cause: error }),
    )
  }

  async #share(): Promise<number | undefined> {
    const { exclusive, database, owner, clock } = this.#options
    const now = clock.now()
    const known = this.#options.projections
      .map(({ projection: { name, version } }) => ({ name, version }))
      .filter(({ name }) => (this.#outdatedUntilMs.get(name) ?? 0) <= now.getTime())
    const held = exclusive
      ? await heldAlone(database, known)
      : await shareProjections(database, { owner, known, now, ttlMs: LEASE_DEFAULTS.ttlMs })
    const keys = new Set(held.map(keyOf))
    for (const [key, { pump }] of this.#running)
      if (!keys.has(key)) {
        this.#running.delete(key)
        void pump.stop()
      }
    for (const generation of held) if (!this.#running.has(keyOf(generation))) this.#begin(generation)
    this.#shared = true
    return exclusive ? this.#untilOutdatedEnds(now) : LEASE_DEFAULTS.renewMs
  }

  #untilOutdatedEnds(now: Date): number | undefined {
    const untilMs = Math.min(...[...this.#outdatedUntilMs.values()].filter((at) => at > now.getTime()))
    return Number.isFinite(untilMs) ? untilMs - now.getTime() : undefined
  }

  #begin(held: HeldGeneration): void {
    const { projection, apply } = this.#options.projections.find((one) => one.projection.name === held.name)!
    const builder = new Builder({ ...this.#options, projection, apply, held })
    const pump: Pump = new Pump({
      clock: this.#options.clock,
      minIntervalMs: this.#options.exclusive ? 0 : MIN_INTERVAL_MS,
      run: () => this.#build(builder, held, pump),
      onFailure: (error) => this.#pauseAfter(error, `The projection "${held.name}" could not go on and will try again`),
    })
    this.#running.set(keyOf(held), { held, pump })
    pump.wake()
  }

  async #build(builder: Builder, held: HeldGeneration, pump: Pump): Promise<number | undefined> {
    const { exclusive, clock, database, owner } = this.#options
    const outcome = await builder.build(() => pump.stopped)
    if (typeof outcome === 'object') return outcome.retryInMs
    if (outcome === 'outdated') {
      this.#outdatedUntilMs.set(held.name, clock.nowMs() + OUTDATED_MS)
      if (!exclusive) await release(database, owner, held)
    }
    if (outcome === 'lost' || outcome === 'swappedIn' || outcome === 'outdated') this.#sharing.wake()
    return exclusive ? undefined : POLL_MS
  }

  #pauseAfter(error: unknown, message: string): number {
    this.#options.log.warn(message, { cause: error })
    return FAILURE_PAUSE_MS
  }
}

function keyOf({ name, generation, epoch }: HeldGeneration): string {
  return `${name}/${generation}/${epoch}`
}
