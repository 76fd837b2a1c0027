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

/** What is known of one instance, and what of it is not recorded yet. */
export class Progress {
  readonly saga: ClaimedSaga
  readonly #options: Pick<SagaWorkerOptions, 'database' | 'clock'>
  readonly #owner: string
  readonly #changed = new Set<string>()
  readonly definition: SagaDefinition
  state: SagaState

  constructor(options: Pick<SagaWorkerOptions, 'database' | 'clock'>, definition: SagaDefinition, saga: ClaimedSaga, owner: string) {
    this.#options = options
    this.definition = definition
    this.#owner = owner
    this.saga = saga
    this.state = saga.state
  }

  set(state: SagaState, ...changed: string[]): void {
    this.state = state
    for (const name of changed) this.#changed.add(name)
  }

  /** The state has been recorded by somebody else's transaction. */
  recorded(state: SagaState): void {
    this.state = state
    this.#changed.clear()
  }

  /** Records everything and keeps the instance. Rejects with `Replaced`; resolves with a wish to cancel it. */
  async record(): Promise<string | undefined> {
    const cancelCode = await this.recordWith(this.#options.database, this.state, [], false)
    this.#changed.clear()
    return cancelCode
  }

  async recordWith(on: Queryable, state: SagaState, changed: readonly string[], ended: boolean): Promise<string | undefined> {
    const now = this.#options.clock.now()
    return this.#write(on, state, [...this.#changed, ...changed], {
      owner: ended ? undefined : this.#owner,
      nextAt: ended ? null : new Date(now.getTime() + LEASE_MS),
      wait: undefined,
      endedAt: ended ? now : null,
    })
  }

  /** Records everything and lets go of the instance until then. Resolves with when it is due: at once when somebody has cancelled it. */
  async giveBack(
    untilMs: number,
    wait: { readonly type: string; readonly key: string } | undefined,
    on: Queryable = this.#options.database,
  ): Promise<number> {
    const nextAt = Number.isFinite(untilMs) ? new Date(untilMs) : null
    const cancelCode = await this.#write(on, this.state, [...this.#changed], { owner: undefined, nextAt, wait, endedAt: null })
    const isDue = cancelCode !== undefined && this.state.status === 'running' && !isPastPivot(this.definition, this.state)
    return isDue ? this.#options.clock.nowMs() : untilMs
  }

  async #write(
    on: Queryable,
    state: SagaState,
    changed: readonly string[],
    how: Pick<store.SagaWrite, 'owner' | 'nextAt' | 'wait' | 'endedAt'>,
  ): Promise<string | undefined> {
    const { id, epoch } = this.saga
    const now = this.#options.clock.now()
    const pastPivot = isPastPivot(this.definition, state)
    const written = await store.write(on, { id, epoch, state, changed: [...new Set(changed)], pastPivot, now, ...how })
    if (written === undefined) throw new Replaced()
    return written.cancelCode
  }
}
