/**
 * Builds one generation of a read model: applies events in the global order, batch by batch, each batch and how far it leads
 * in one transaction. An event that cannot be applied stops it, with an alarm; it is never passed by unless a person says so.
 */
import type { Clock } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { Random } from '../base/random.ts'
import { sensitiveTexts } from '../contract/sensitive.ts'
import type { Database, Transaction } from '../engine/database.ts'
import { DatabaseError } from '../engine/database.ts'
import { describeFailure } from '../events/event-failure.ts'
import { projectingOf } from '../telemetry/conventions.ts'
import type { Log } from '../telemetry/log.ts'
import type { Scope } from '../telemetry/scope.ts'
import { runInScope } from '../telemetry/scope.ts'
import type { StartSpan, Telemetry } from '../telemetry/telemetry.ts'
import { silentTelemetry } from '../telemetry/telemetry.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import { swapIn } from './generations.ts'
import type { Batch, GenerationState, HeldGeneration, OrderedRow } from './projection-store.ts'
import { advance, fence, readBatch, readState, recordFailure } from './projection-store.ts'
import type { AnyProjectedEvent, Projection } from './projection.ts'
import { NewerEvent, readStored } from './stored-event.ts'

/** Writes what follows from an event into the tables of a generation, in the transaction that the scope holds. */
export type Apply = (event: AnyProjectedEvent, generation: number) => Promise<void>

export interface BuilderOptions {
  readonly service: string
  readonly projection: Projection
  readonly apply: Apply
  readonly held: HeldGeneration
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Default: nothing is recorded. */
  readonly telemetry?: Telemetry | undefined
  /** Told when readers may see something new. */
  readonly onAdvanced: () => void
}

export type BuildOutcome =
  | 'caughtUp'
  /** It answers from now on in the place of the one before. */
  | 'swappedIn'
  /** A person has to look at it. */
  | 'stopped'
  /** Not this owner's any more, or gone. */
  | 'lost'
  /** Newer code has to go on. */
  | 'outdated'
  /** Not yet: it will be tried again. */
  | { readonly retryInMs: number }

const BATCH_EVENTS = 200
const MAX_ATTEMPTS = 5
const MIN_BACKOFF_MS = 100
const SWAP_RETRY_MS = 1_000

/** What is thrown to leave a transaction without committing it. */
class LeftBehind extends Error {}

export class Builder {
  readonly #options: BuilderOptions
  readonly #streams: ReadonlyMap<string, Projection['from'][number]>
  readonly #projecting: StartSpan
  /** In which an event was applied that failed: what it holds must not be read in what is said of that. */
  #failedIn: Scope | undefined
  /** Attempts at the event that fails, by its place. */
  #failing = { pos: 0, attempts: 0 }

  constructor(options: BuilderOptions) {
    this.#options = options
    this.#projecting = (options.telemetry ?? silentTelemetry(options.random)).work(projectingOf(options.held.name))
    this.#streams = new Map(options.projection.from.map((stream) => [stream.name, stream]))
  }

  /** Goes on until there is nothing left, or something is in the way. Rejects when the database cannot be reached. */
  async build(isStopping: () => boolean): Promise<BuildOutcome> {
    const { database, held } = this.#options
    const state = await readState(database, held)
    if (state === undefined) return 'lost'
    if (state.stopped) return 'stopped'
    let { pos } = state
    for (;;) {
      if (isStopping()) return 'caughtUp'
      const batch = await readBatch(database, [...this.#streams.keys()], pos, BATCH_EVENTS)
      if (batch.upTo === pos) break
      const applied = await this.#applyBatch(batch, pos, state)
      if (typeof applied !== 'number') return applied
      pos = applied
      this.#options.onAdvanced()
    }
    return state.status === 'building' ? this.#swapIn(pos) : 'caughtUp'
  }

  /** Applies as much of a batch as goes. Returns how far that is. */
  async #applyBatch({ rows, upTo }: Batch, from: number, state: GenerationState): Promise<number | BuildOutcome> {
    const progress: { failing: OrderedRow | undefined } = { failing: undefined }
    try {
      await this.#commit(rows, from, upTo, state, progress)
      return upTo
    } catch (error) {
      if (error instanceof LeftBehind) return 'lost'
      const [first] = rows
      if (isTransient(error) || first === undefined) throw error
      // When COMMIT is what failed, one of the events has caught an error that the database has not forgotten: which, shows one by one.
      const failing = progress.failing ?? (rows.length === 1 ? first : undefined)
      if (failing === undefined) return this.#applyBatch({ rows: [first], upTo: first.pos }, from, state)
      if (failing === first) return this.#failed(failing, error)
      const before = rows.filter(({ pos }) => pos < failing.pos)
      // What comes before it is kept, and the event itself is then met alone.
      return this.#applyBatch({ rows: before, upTo: failing.pos - 1 }, from, state)
    }
  }

  async #commit(
    rows: readonly OrderedRow[],
    from: number,
    upTo: number,
    state: GenerationState,
    progress: { failing: OrderedRow | undefined },
  ): Promise<void> {
    const { database, held } = this.#options
    await database.transaction('read committed', async (transaction) => {
      // First of all: whoever comes too late must not even try, lest it take the other's rows for a failure of its own.
      if (!(await fence(transaction, held, from))) throw new LeftBehind()
      crashPoint('projection.fenced')
      for (const row of rows) {
        if (state.skips.includes(row.pos)) continue
        progress.failing = row
        await this.#apply(row, transaction)
      }
      progress.failing = undefined
      crashPoint('projection.applied')
      await advance(transaction, held, upTo)
    })
    crashPoint('projection.advanced')
  }

  async #apply({ pos, stream, id, version, type, schema, data, meta, at }: OrderedRow, transaction: Transaction): Promise<void> {
    const { service, apply, held } = this.#options
    const today = readStored(this.#streams.get(stream)!.events, type, schema, data, { stream, id, version })
    const span = this.#projecting(parseTraceparent(meta.traceparent))
    const declared = this.#streams.get(stream)!.events[type]
    if (declared !== undefined) sensitiveTexts(declared.data, 'output')?.(today, (text) => span.keepBack?.(text))
    const scope = { service, trace: span, deadlineAtMs: Infinity, transaction }
    const event = { stream, id, version, type, data: today, meta, at, position: pos }
    try {
      await runInScope(scope, () => apply(event, held.generation))
      span.end()
    } catch (error) {
      span.end({ errorType: 'failed', message: describeFailure(error).message })
      this.#failedIn = scope
      throw error
    }
  }

  #failed(row: OrderedRow, error: unknown): Promise<BuildOutcome> {
    const scope = this.#failedIn
    this.#failedIn = undefined
    const tell = (): Promise<BuildOutcome> => this.#tellOf(row, error)
    return scope === undefined ? tell() : runInScope({ ...scope, transaction: undefined }, tell)
  }

  async #tellOf(row: OrderedRow, error: unknown): Promise<BuildOutcome> {
    const { database, held, clock, log } = this.#options
    const { pos, stream, id, version, type } = row
    const about = { projection: held.name, generation: held.generation, position: pos, stream, id, version, type, cause: error }
    const { message } = describeFailure(error)
    if (error instanceof NewerEvent) {
      await recordFailure(database, held, { pos, error: message, stoppedAt: undefined })
      log.error('A projection waits for newer code: this one does not know an event', about)
      return 'outdated'
    }
    const attempts = this.#failing.pos === pos ? this.#failing.attempts + 1 : 1
    this.#failing = { pos, attempts }
    const stoppedAt = attempts >= MAX_ATTEMPTS ? clock.now() : undefined
    await recordFailure(database, held, { pos, error: message, stoppedAt })
    if (stoppedAt === undefined) {
      log.warn('A projection could not apply an event and will try again', { ...about, attempts })
      return { retryInMs: MIN_BACKOFF_MS * 2 ** attempts }
    }
    this.#failing = { pos: 0, attempts: 0 }
    log.error('A projection has stopped at an event that it cannot apply: correct it and restart, or skip the event', about)
    return 'stopped'
  }

  async #swapIn(pos: number): Promise<BuildOutcome> {
    const { database, projection, held, log } = this.#options
    try {
      if (!(await swapIn(database, projection, held.generation, held.epoch, pos))) return 'lost'
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.kind !== 'serialization') throw error
      log.debug('A projection waits for readers of the old tables before it takes their place', { projection: held.name })
      return { retryInMs: SWAP_RETRY_MS }
    }
    log.info('A projection has been built anew and answers', { projection: held.name, generation: held.generation })
    this.#options.onAdvanced()
    return 'swappedIn'
  }
}

/** Nothing is wrong with the event: the database was not there, or asks for another try. */
function isTransient(error: unknown): boolean {
  return error instanceof DatabaseError && error.kind !== 'statement'
}
