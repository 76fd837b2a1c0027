/** How far one instance of a saga is, and what of that is not recorded yet. Whatever is written is refused once another has taken over. */
import type { Queryable } from '../engine/database.ts'
import type { SagaDefinition } from './definition.ts'
import type { SagaWorkerOptions } from './saga-options.ts'
import type { ClaimedSaga } from './saga-store.ts'
import * as store from './saga-store.ts'
import type { SagaState } from './saga.ts'
import { isPastPivot } from './saga.ts'

/** How long a host that dies keeps its sagas. */
export const LEASE_MS = 5_000

/** Another instance of the work has taken over. */
export class Replaced extends Error {
  override readonly name = 'Replaced'
}

/** Somebody cancelled it in the last moment. */
export class CancelledNow extends Error {
  override readonly name = 'CancelledNow'
  readonly code: string

  constructor(code: string) {
    super(`The saga was cancelled: ${code}`)
    this.code = code
  }
}

/** A step in the transaction of the step before it was not done, so that the two must be apart. */
export class NotTogether extends Error {
  override readonly name = 'NotTogether'
}

/** What is known of one instance, and what of it is not recorded yet. */
export class Progress {
  readonly saga: ClaimedSaga
  readonly #options: Pick<SagaWorkerOptions, 'database' | 'clock'>
  readonly #owner: string
  readonly #changed = new Set<string>()
  /** Something has come of the work since it was claimed. */
  #progressed = false
  readonly definition: SagaDefinition
  state: SagaState
  /** Local steps that follow one another may be done in one transaction: not when one of them is known, or suspected, to fail. */
  together: boolean

  constructor(options: Pick<SagaWorkerOptions, 'database' | 'clock'>, definition: SagaDefinition, saga: ClaimedSaga, owner: string) {
    this.#options = options
    this.definition = definition
    this.#owner = owner
    this.saga = saga
    this.state = saga.state
    this.together = saga.unfinished === 0
  }

  /** What has come of something. */
  set(state: SagaState, ...changed: string[]): void {
    this.#progressed = true
    this.begin(state, ...changed)
  }

  /** Something begins, and nothing has come of it yet. */
  begin(state: SagaState, ...changed: string[]): void {
    this.state = state
    for (const name of changed) this.#changed.add(name)
  }

  /** The state has been recorded by somebody else's transaction. */
  recorded(state: SagaState): void {
    this.#progressed = true
    this.state = state
    this.#changed.clear()
  }

  /** Records everything and keeps the instance. Rejects with `Replaced`; resolves with a wish to cancel it, which is then part of the state. */
  async record(): Promise<string | undefined> {
    const cancelCode = await this.recordWith(this.#options.database, this.state, [], false)
    this.#changed.clear()
    this.state = { ...this.state, cancelCode }
    return cancelCode
  }

  /** Where somebody was lost with it before, what has come of it is not left to the transaction of what is next, which may be why. */
  async recordIfShaky(): Promise<void> {
    if (this.saga.unfinished > 0 && this.#changed.size > 0) await this.record()
  }

  /**
   * Keeps others from it while a transaction is open, however long. Rejects with `Replaced`, and with `CancelledNow` when it would go on
   * although somebody has asked to cancel it.
   */
  async hold(on: Queryable): Promise<void> {
    const held = await store.hold(on, this.saga.id, this.saga.epoch)
    if (held === undefined) throw new Replaced()
    if (held.cancelCode !== undefined && this.state.status === 'running' && this.#mayBeCancelled(this.state))
      throw new CancelledNow(held.cancelCode)
  }

  /** As part of an open transaction. An end that a wish to cancel forbids rejects with `CancelledNow`. */
  async recordWith(on: Queryable, state: SagaState, changed: readonly string[], ended: boolean): Promise<string | undefined> {
    const now = this.#options.clock.now()
    return this.#write(on, state, [...this.#changed, ...changed], {
      owner: ended ? undefined : this.#owner,
      nextAt: ended ? null : new Date(now.getTime() + LEASE_MS),
      longEnough: ended ? undefined : new Date(now.getTime() + LEASE_MS / 2),
      wait: undefined,
      endedAt: ended ? now : null,
      progressed: this.#progressed || changed.length > 0,
      unlessCancelled: ended && state.status === 'completed' && this.#mayBeCancelled(state),
    })
  }

  /** Records everything and lets go of the instance until then. Rejects with `CancelledNow` when it must not wait for that. */
  async giveBack(
    untilMs: number,
    wait: { readonly type: string; readonly key: string } | undefined,
    on: Queryable = this.#options.database,
  ): Promise<void> {
    const nextAt = Number.isFinite(untilMs) ? new Date(untilMs) : null
    const unlessCancelled = this.state.status === 'running' && untilMs > this.#options.clock.nowMs() && this.#mayBeCancelled(this.state)
    await this.#write(on, this.state, [...this.#changed], {
      owner: undefined,
      nextAt,
      wait,
      endedAt: null,
      progressed: this.#progressed,
      unlessCancelled,
    })
  }

  #mayBeCancelled(state: SagaState): boolean {
    return state.cancelCode === undefined && !isPastPivot(this.definition, state)
  }

  async #write(
    on: Queryable,
    state: SagaState,
    changed: readonly string[],
    how: Pick<store.SagaWrite, 'owner' | 'nextAt' | 'longEnough' | 'wait' | 'endedAt' | 'progressed' | 'unlessCancelled'>,
  ): Promise<string | undefined> {
    const { id, epoch } = this.saga
    const now = this.#options.clock.now()
    const pastPivot = isPastPivot(this.definition, state)
    const written = await store.write(on, { id, epoch, state, changed: [...new Set(changed)], pastPivot, now, ...how })
    if (written === undefined) throw new Replaced()
    if (!written.written) throw new CancelledNow(written.cancelCode ?? 'cancelled')
    return written.cancelCode
  }
}
