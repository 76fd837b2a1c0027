/**
 * Sagas at work: claims instances, does what the state machine decides, and records it before it goes on. Several hosts share the work by
 * leases; what an instance that was thought dead still writes is refused by its epoch, and what it still calls carries the same keys.
 */
import { Alarm } from '../base/alarm.ts'
import type { Timer } from '../base/clock.ts'
import { crashPoint } from '../base/crash-points.ts'
import type { Worker } from '../base/worker.ts'
import { sensitiveTexts } from '../contract/sensitive.ts'
import { DatabaseError } from '../engine/database.ts'
import { problemOfIdentifier } from '../events/cloud-event.ts'
import { describeFailure } from '../events/event-failure.ts'
import { sagaStepOf } from '../telemetry/conventions.ts'
import { namedWork } from '../telemetry/named-work.ts'
import type { Scope } from '../telemetry/scope.ts'
import { runInScope } from '../telemetry/scope.ts'
import { silentTelemetry } from '../telemetry/telemetry.ts'
import { childTrace, keeping, parseTraceparent } from '../telemetry/trace-context.ts'
import type { SagaDefinition, StepDefinition } from './definition.ts'
import { runLocalSteps } from './local-steps.ts'
import { CancelledNow, LEASE_MS, Progress, Replaced } from './progress.ts'
import type { SagaWorkerOptions } from './saga-options.ts'
import * as store from './saga-store.ts'
import type { ClaimedSaga } from './saga-store.ts'
import type { StepOutcome, StepState } from './saga.ts'
import { afterRun, afterUndo, compensate, decide, ENDING, failure, giveUp, isPastPivot, park, resultsOf, withStep } from './saga.ts'
import type { StartStep } from './step-attempts.ts'
import { Attempts } from './step-attempts.ts'

const RENEW_MS = 1_500
/** Sagas in progress at once. */
const MAX_ACTIVE = 200
const POLL_MS = 1_000
/** A database that failed is given so long. */
const TROUBLE_MS = 2_000
/**
 * When to look again whether an event came with a transaction that had begun before its saga began to wait, on another host, and did not
 * see it: at first after so long, then each time as long again as it has waited, for such a transaction may be of any length.
 */
const FIRST_RECHECK_MS = 2_000
const ENDING_BACKOFF_MS = { min: 1_000, max: 600_000 } as const
/** From so many times on that whoever worked on it was lost, a host works on it without another such one beside it: one of them may be why. */
const SUSPECT_AFTER = 2
/** So often in a row whoever works on an instance may be lost before its next thing is given up. */
export const MAX_UNFINISHED = 5
/** From so many failures on it is an error, to be looked at. */
const ALARM_ATTEMPTS = 5

export class SagaWorker implements Worker {
  readonly owner: string
  readonly #options: SagaWorkerOptions
  readonly #definitions: ReadonlyMap<string, SagaDefinition>
  readonly #active = new Map<string, Promise<void>>()
  readonly #lost = new Set<string>()
  readonly #suspects = new Set<string>()
  readonly #alarm: Alarm
  readonly #stepping: StartStep
  #claiming: Promise<void> | undefined
  #again = false
  #begun = false
  #freed = false
  #stopping = false
  #renewal: Timer | undefined

  constructor(options: SagaWorkerOptions) {
    this.#options = options
    this.owner = options.newId()
    this.#alarm = new Alarm(options.clock, () => this.wake())
    this.#stepping = namedWork(options.telemetry ?? silentTelemetry(options.random), sagaStepOf)
    this.#definitions = new Map(options.definitions.map((definition) => [versionName(definition.name, definition.version), definition]))
  }

  get idle(): boolean {
    return this.#active.size === 0 && this.#claiming === undefined
  }

  /** Whether it takes on what is started now. */
  get hasRoom(): boolean {
    return this.#begun && !this.#stopping && this.#active.size < MAX_ACTIVE
  }

  async dueMs(): Promise<number | undefined> {
    return (await store.nextDue(this.#options.database, [...this.#definitions.keys()], true))?.getTime()
  }

  begin(): void {
    this.#begun = true
    this.wake()
  }

  wake(): void {
    if (!this.#begun || this.#stopping) return
    this.#again = true
    this.#claiming ??= this.#claim().finally(() => {
      this.#claiming = undefined
      if (this.#again) this.wake()
    })
  }

  /** Works on a saga that was started in this process, in its name. `isRecorded`: so are its first steps. */
  take(saga: ClaimedSaga, isRecorded: boolean): void {
    crashPoint('saga.started')
    if (!this.#stopping) this.#work(saga, isRecorded)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#alarm.stop()
    await this.#claiming
    await Promise.all(this.#active.values())
    this.#renewal?.cancel()
  }

  /** Never rejects. */
  async #claim(): Promise<void> {
    const { database, clock, log, exclusive } = this.#options
    let nextMs = Infinity
    while (this.#again && !this.#stopping) {
      this.#again = false
      try {
        if (exclusive && !this.#freed) await store.freeAll(database, this.owner, clock.now())
        this.#freed = true
        const limit = MAX_ACTIVE - this.#active.size
        const now = clock.now()
        if (limit <= 0) {
          nextMs = now.getTime() + POLL_MS
          break
        }
        const known = [...this.#definitions.keys()]
        const except = [...this.#active.keys()]
        const until = new Date(now.getTime() + LEASE_MS)
        const suspects = this.#suspects.size > 0 ? 0 : 1
        const claim = { owner: this.owner, known, except, now, until, limit, suspectAfter: SUSPECT_AFTER, suspects }
        const claimed = await store.claimDue(database, claim)
        for (const saga of claimed) this.#work(saga, false)
        if (claimed.length >= limit) this.#again = true
        const dueMs = (await store.nextDue(database, known, false))?.getTime() ?? Infinity
        // What is due and could not be had is in somebody's hands.
        nextMs = dueMs <= now.getTime() ? now.getTime() + POLL_MS : dueMs
      } catch (error) {
        nextMs = clock.nowMs() + TROUBLE_MS
        log.warn('Sagas could not be read and will be looked for again', { cause: error })
      }
    }
    this.#alarm.by(exclusive ? nextMs : Math.min(nextMs, clock.nowMs() + POLL_MS))
  }

  #work(saga: ClaimedSaga, isRecorded: boolean): void {
    const { log, clock } = this.#options
    const about = { saga: saga.name, id: saga.id }
    const isSuspect = saga.unfinished >= SUSPECT_AFTER
    if (isSuspect) this.#suspects.add(saga.id)
    const wasFull = this.#active.size + 1 >= MAX_ACTIVE
    const scope = this.#scopeOf(saga)
    const advance = (): Promise<void> =>
      this.#advance(saga, scope, isRecorded).catch((error: unknown) => {
        if (error instanceof Replaced) return log.warn('A saga is being worked on elsewhere; this instance leaves it alone', about)
        log.warn('A saga could not go on and will be taken up again', { ...about, cause: error })
        this.#alarm.by(clock.nowMs() + LEASE_MS)
      })
    const working = runInScope(scope, advance).finally(() => {
      if (this.#active.get(saga.id) === working) this.#active.delete(saga.id)
      this.#lost.delete(saga.id)
      this.#suspects.delete(saga.id)
      if (wasFull || isSuspect) this.wake()
    })
    this.#active.set(saga.id, working)
    this.#renewLater()
  }

  /** In which it is worked on: what its input has that must not be read is known from the beginning. */
  #scopeOf({ name, version, traceparent, state }: ClaimedSaga): Scope {
    const trace = keeping(parseTraceparent(traceparent) ?? childTrace(undefined, this.#options.random))
    const input = this.#definitions.get(versionName(name, version))?.input
    if (input !== undefined) sensitiveTexts(input, 'output')?.(state.input, (text) => trace.keepBack?.(text))
    return { service: this.#options.service, trace, deadlineAtMs: Infinity }
  }

  /** Does one thing after the other until there is nothing to do but wait. */
  async #advance(saga: ClaimedSaga, scope: Scope, isRecorded: boolean): Promise<void> {
    const definition = this.#definitions.get(versionName(saga.name, saga.version))
    if (definition === undefined)
      throw new Error(`This host does not know version ${saga.version} of the saga "${saga.name}": start one that does`)
    const steps = new Set(definition.stages.flat().map(({ name }) => name))
    const unknown = Object.keys(saga.state.steps).find((name) => name !== ENDING && !steps.has(name))
    if (unknown !== undefined)
      throw new Error(
        `This host does not know the step "${unknown}" that was appended to the saga "${saga.name}": a newer one goes on with it`,
      )
    const progress = new Progress(this.#options, definition, saga, this.owner)
    const attempt = new Attempts(this.#options, definition, saga, scope, this.#stepping)
    if (saga.unfinished >= MAX_UNFINISHED) await this.#giveUp(progress)
    for (let recorded = isRecorded; ; recorded = false) {
      if (this.#lost.has(saga.id)) throw new Replaced()
      if (this.#stopping) return progress.giveBack(store.DUE_NOW.getTime(), undefined)
      try {
        if (await this.#step(progress, attempt, recorded)) return
      } catch (error) {
        if (!(error instanceof CancelledNow)) throw error
        progress.set({ ...progress.state, cancelCode: error.code })
      }
    }
  }

  /** Recorded before anything else is tried, which may end this process too. */
  async #giveUp(progress: Progress): Promise<void> {
    const { saga, definition, state } = progress
    const because = `whoever worked on it was lost ${saga.unfinished} times in a row before anything came of it`
    this.#options.log.error('A saga ends the processes that work on it, and what it was at is given up', {
      saga: saga.name,
      id: saga.id,
      times: saga.unfinished,
    })
    const given = giveUp(definition, state, because)
    progress.set(given, ...Object.keys(given.steps).filter((name) => given.steps[name] !== state.steps[name]))
    await progress.record()
  }

  /** Does the next thing. True when that was all for now. */
  async #step(progress: Progress, attempt: Attempts, recorded: boolean): Promise<boolean> {
    const { clock, log } = this.#options
    const { saga } = progress
    const decision = decide(progress.definition, progress.state, clock.nowMs())
    switch (decision.kind) {
      case 'skip':
        progress.set(withStep(progress.state, decision.step, { status: 'skipped', attempts: 0 }), decision.step.name)
        return false
      case 'compensate':
        log.warn('A saga is undone', { saga: saga.name, id: saga.id, reason: decision.failure.reason, step: decision.failure.step })
        progress.set(compensate(progress.state, decision.failure))
        return false
      case 'park':
        progress.set(park(progress.state, decision.step, decision.because), decision.step.name)
        return false
      case 'run':
        return this.#run(progress, attempt, decision.steps, recorded)
      case 'undo':
        await this.#undo(progress, attempt, decision.step)
        return false
      case 'await':
        return this.#await(progress, decision.step, decision.untilMs)
      case 'end':
        return this.#end(progress, attempt, decision.status)
      case 'rest':
        if (progress.state.status === 'parked')
          log.error('A saga waits for a person', { saga: saga.name, id: saga.id, reason: progress.state.parkedBecause })
        await progress.giveBack(decision.untilMs, undefined)
        this.#alarm.by(decision.untilMs)
        return true
    }
  }

  /** True when the saga has ended with it. */
  async #run(progress: Progress, attempt: Attempts, steps: readonly StepDefinition[], recorded: boolean): Promise<boolean> {
    const [first] = steps
    if (first!.kind === 'local') return this.#runLocal(progress, attempt, first!)
    const begun = progress.state
    const isNew = steps.filter(({ name }) => begun.steps[name] === undefined)
    for (const step of steps)
      progress.begin(withStep(progress.state, step, { ...idleStep(progress.state.steps[step.name]), status: 'running' }), step.name)
    if (!recorded) {
      const cancelCode = await progress.record()
      if (cancelCode !== undefined && !isPastPivot(progress.definition, begun)) {
        // Recorded as begun, but not begun.
        for (const step of isNew) progress.set(withStep(progress.state, step, { status: 'refused', attempts: 0 }), step.name)
        return false
      }
    }
    crashPoint('saga.step-begun')
    const outcomes = await Promise.all(steps.map((step) => attempt.run(progress.state, step, recorded || isNew.includes(step))))
    crashPoint('saga.step-ran')
    for (const [index, step] of steps.entries()) this.#note(progress, step, outcomes[index]!)
    return false
  }

  async #runLocal(progress: Progress, attempt: Attempts, step: StepDefinition): Promise<boolean> {
    await progress.recordIfShaky()
    const started = withStep(progress.state, step, { ...idleStep(progress.state.steps[step.name]), status: 'running' })
    const outcome = await runLocalSteps(progress, attempt, step, started, this.#options.clock)
    if (outcome === 'ended' || outcome === 'goes on') return outcome === 'ended'
    progress.set(started, step.name)
    this.#note(progress, step, outcome)
    // Nothing of a local step is left, so a compensation need not undo it.
    if (progress.state.status === 'compensating')
      progress.set(withStep(progress.state, step, { ...progress.state.steps[step.name]!, status: 'refused' }), step.name)
    return false
  }

  #note(progress: Progress, step: StepDefinition, outcome: StepOutcome): void {
    if (outcome.kind !== 'done') this.#report(progress, `A step of a saga failed`, step, outcome.message)
    progress.set(afterRun(progress.definition, progress.state, step, outcome), step.name)
  }

  async #undo(progress: Progress, attempt: Attempts, step: StepDefinition): Promise<void> {
    const undoing: StepState = { ...idleStep(progress.state.steps[step.name]), status: 'undoing' }
    // Attempts are counted for each direction by itself.
    const state = progress.state.steps[step.name]!.status === 'undoing' ? undoing : { ...undoing, attempts: 0, deferrals: 0 }
    progress.begin(withStep(progress.state, step, state), step.name)
    await progress.record()
    let outcome: StepOutcome
    if (step.kind === 'local') {
      let after = progress.state
      outcome = await attempt.undoInTransaction(progress, progress.state, step, async (open) => {
        after = afterUndo(progress.state, step, { kind: 'undone' })
        await progress.recordWith(open.transaction, after, [step.name], false)
        crashPoint('saga.local-before-commit')
      })
      if (outcome.kind === 'done') return progress.recorded(after)
    } else {
      outcome = await attempt.undo(progress.state, step)
      crashPoint('saga.undone')
    }
    if (outcome.kind === 'done') return progress.set(afterUndo(progress.state, step, { kind: 'undone' }), step.name)
    this.#report(progress, 'A step of a saga could not be undone', step, outcome.message)
    const permanent = outcome.kind !== 'failed'
    const retryAtMs = outcome.kind === 'failed' ? outcome.retryAtMs : 0
    progress.set(afterUndo(progress.state, step, { kind: 'failed', message: outcome.message, permanent, retryAtMs }), step.name)
  }

  /** True when the saga waits; false when it goes on. */
  async #await(progress: Progress, step: StepDefinition, untilMs: number): Promise<boolean> {
    const { clock, database, exclusive } = this.#options
    const nowMs = clock.nowMs()
    const { state } = progress
    const given = { input: state.input, done: resultsOf(state) }
    const { type } = step.event!
    let key: string
    try {
      key = String((step.key as (context: object) => string | number)(given))
    } catch (error) {
      return this.#failWait(progress, step, 'broken', `the key that it waits for could not be made: ${String(error)}`)
    }
    const wrongKey = problemOfIdentifier(key)
    if (wrongKey !== undefined) return this.#failWait(progress, step, 'broken', `the key that it waits for ${wrongKey}`)
    const sinceMs = state.steps[step.name]?.sinceMs ?? nowMs
    const found = await database.transaction('read committed', async (transaction) => {
      const events = await store.eventsSinceStart(transaction, progress.saga.id, type, key)
      let match: unknown
      try {
        match = events.find(
          (event) => step.where === undefined || (step.where as (event: unknown, context: object) => boolean)(event, given),
        )
      } catch (error) {
        return { problem: `whether an event is the one that it waits for could not be told: ${describeFailure(error).message}` }
      }
      if (match !== undefined) return { match }
      if (nowMs >= untilMs) return 'late'
      progress.set(withStep(state, step, { status: 'running', attempts: 0, sinceMs }), step.name)
      const recheckMs = exclusive ? Infinity : Math.max(sinceMs + FIRST_RECHECK_MS, nowMs + (nowMs - sinceMs))
      const dueMs = Math.min(untilMs, recheckMs)
      await progress.giveBack(dueMs, { type, key }, transaction)
      return { dueMs }
    })
    if (typeof found === 'object' && 'dueMs' in found) {
      this.#alarm.by(found.dueMs)
      return true
    }
    if (found === 'late') return this.#failWait(progress, step, 'timedOut', `no ${type} came within ${step.timeoutMs} ms`)
    if ('problem' in found) return this.#failWait(progress, step, 'broken', found.problem)
    progress.set(withStep(state, step, { status: 'done', attempts: 0, output: found.match }), step.name)
    return false
  }

  #failWait(progress: Progress, step: StepDefinition, reason: 'timedOut' | 'broken', message: string): false {
    const state = withStep(progress.state, step, { status: 'refused', attempts: 0, error: message })
    progress.set(
      isPastPivot(progress.definition, state)
        ? park(withStep(state, step, { status: 'running', attempts: 0 }), step, `It waits for "${step.name}" behind the pivot: ${message}`)
        : compensate(state, failure(reason, step.name, message, reason)),
      step.name,
    )
    return false
  }

  /** True when it has ended, or waits for another attempt at it. */
  async #end(progress: Progress, attempt: Attempts, status: 'completed' | 'compensated'): Promise<boolean> {
    const { clock, log } = this.#options
    await progress.recordIfShaky()
    try {
      await attempt.end(progress, status)
      crashPoint('saga.ended')
    } catch (error) {
      if (error instanceof Replaced || error instanceof CancelledNow) throw error
      // It may have ended: only the database knows, and whoever claims the saga next asks it.
      if (error instanceof DatabaseError && error.kind === 'outcome-unknown') throw error
      const attempts = (progress.state.steps[ENDING]?.attempts ?? 0) + 1
      const retryAtMs = clock.nowMs() + Math.min(ENDING_BACKOFF_MS.max, ENDING_BACKOFF_MS.min * 2 ** Math.min(20, attempts - 1))
      log.error('The end of a saga failed and will be tried again', {
        saga: progress.saga.name,
        id: progress.saga.id,
        attempts,
        cause: error,
      })
      progress.set(
        { ...progress.state, steps: { ...progress.state.steps, [ENDING]: { status: 'running', attempts, error: String(error) } } },
        ENDING,
      )
      await progress.giveBack(retryAtMs, undefined)
      this.#alarm.by(retryAtMs)
    }
    return true
  }

  #report({ saga, state }: Progress, what: string, step: StepDefinition, reason: string): void {
    const attempts = (state.steps[step.name]?.attempts ?? 0) + 1
    this.#options.log[attempts >= ALARM_ATTEMPTS ? 'error' : 'warn'](what, {
      saga: saga.name,
      id: saga.id,
      step: step.name,
      attempts,
      reason,
    })
  }

  #renewLater(): void {
    const { clock, database, log } = this.#options
    this.#renewal ??= clock.setTimer(RENEW_MS, () => {
      this.#renewal = undefined
      const ids = [...this.#active.keys()]
      if (ids.length === 0) return
      store
        .renew(database, this.owner, ids, new Date(clock.nowMs() + LEASE_MS))
        .then((kept) => {
          for (const id of ids) if (this.#active.has(id) && !kept.has(id)) this.#lost.add(id)
        })
        .catch((error: unknown) => log.debug('The leases of sagas could not be renewed', { cause: error }))
        .finally(() => this.#renewLater())
    })
  }
}

function idleStep(step: StepState | undefined): StepState {
  return { ...(step ?? { attempts: 0 }), status: 'running', retryAtMs: undefined, parked: undefined }
}

function versionName(name: string, version: number): string {
  return `${name}@${version}`
}
