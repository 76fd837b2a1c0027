/** The sagas of one service in one host: started, cancelled and told of events inside the service's transactions, and worked on beside them. */
import { createHash } from 'node:crypto'
import { SkerryError } from '../base/errors.ts'
import { copyJson } from '../base/json.ts'
import { validate } from '../contract/schema.ts'
import type { EventMeta } from '../events/subscription.ts'
import type { OpenTransaction } from '../events/transaction-runner.ts'
import { currentScope } from '../telemetry/scope.ts'
import { formatTraceparent } from '../telemetry/trace-context.ts'
import type { Saga, SagaDefinition } from './definition.ts'
import { LEASE_MS } from './progress.ts'
import type { SagaWorkerOptions } from './saga-options.ts'
import * as store from './saga-store.ts'
import { SagaWorker } from './saga-worker.ts'
import type { SagaState } from './saga.ts'
import { decide, isPastPivot, withStep } from './saga.ts'

export interface StartOptions {
  /** Names the instance: starting another one with the same key does nothing. Up to 255 characters. */
  readonly key?: string
}

/** An instance, as `start` returned it, or by the key it was started with. */
export type SagaReference = { readonly id: string } | { readonly key: string }

const MAX_KEY_LENGTH = 255
const KEEP_ENDED_MS = 30 * 24 * 3_600_000
const KEEP_EVENTS_AT_LEAST_MS = 24 * 3_600_000
const FORGET_ROWS = 5_000

export class Sagas {
  readonly worker: SagaWorker
  readonly #options: SagaWorkerOptions

  constructor(options: SagaWorkerOptions) {
    this.#options = options
    this.worker = new SagaWorker(options)
  }

  /** Starts an instance with the open transaction. Returns its id. */
  start(open: OpenTransaction, saga: Saga, input: unknown, { key }: StartOptions): string {
    const definition = this.#known(saga)
    const { clock, newId } = this.#options
    const id = key === undefined ? newId() : idOf(definition, key)
    const startedAt = clock.now()
    const initial: SagaState = { status: 'running', input: checkedInput(definition, input), startedAtMs: startedAt.getTime(), steps: {} }
    const first = decide(definition, initial, initial.startedAtMs)
    const remote = first.kind === 'run' && first.steps[0]!.kind === 'remote' ? first.steps : []
    const state = remote.reduce((before, step) => withStep(before, step, { status: 'running', attempts: 0 }), initial)
    const { name, version } = definition
    const traceparent = formatTraceparent(currentScope()!.trace)
    let mine = false
    open.beforeCommit(async (on) => {
      const takesIt = this.worker.hasRoom
      // Also when the answer is lost with that of COMMIT.
      mine = takesIt
      const inserted = await store.insertSaga(on, {
        id,
        name,
        version,
        input: state.input,
        traceparent,
        startedAt,
        owner: takesIt ? this.worker.owner : undefined,
        nextAt: takesIt ? new Date(clock.nowMs() + LEASE_MS) : store.DUE_NOW,
        steps: state.steps,
        pastPivot: isPastPivot(definition, state),
      })
      mine = inserted && takesIt
    })
    open.afterCommit((isCertain) => {
      // What may not be there must not call anybody: its first record finds out.
      if (mine) this.worker.take({ id, name, version, epoch: 1, unfinished: 0, traceparent, state }, isCertain && remote.length > 0)
      else this.worker.wake()
    })
    return id
  }

  /**
   * Asks, with the open transaction, for an instance to be undone. `tooLate`: its pivot may have taken effect, or it has ended.
   * `unknown`: there is none of this saga.
   */
  async cancel(open: OpenTransaction, saga: Saga, reference: SagaReference, code: string): Promise<'cancelling' | 'tooLate' | 'unknown'> {
    const definition = this.#known(saga)
    const id = 'id' in reference ? reference.id : idOf(definition, reference.key)
    const answer = await store.requestCancel(open.transaction, definition.name, id, code)
    if (answer === 'cancelling') open.afterCommit(() => this.worker.wake())
    return answer
  }

  /** Keeps an event for the sagas that wait for it, or will. */
  async arrive(open: OpenTransaction, data: unknown, { type, key, id }: EventMeta): Promise<void> {
    const woken = await store.arrive(open.transaction, { type, key, messageId: id, data, at: this.#options.clock.now() })
    if (woken > 0) open.afterCommit(() => this.worker.wake())
  }

  /** Deletes what ended long ago, and events that nobody can wait for any more; a bounded number at a time. */
  async forget(open: OpenTransaction): Promise<void> {
    const { definitions, clock } = this.#options
    // A saga may be on its way to its last wait for as long as all before it take.
    const lifetimes = definitions.map(({ deadlineMs = KEEP_ENDED_MS, stages }) => {
      const waits = stages.flat().filter(({ kind }) => kind === 'wait')
      return waits.reduce((totalMs, { timeoutMs }) => totalMs + timeoutMs, deadlineMs)
    })
    const keepEventsMs = Math.max(KEEP_EVENTS_AT_LEAST_MS, ...lifetimes)
    const nowMs = clock.nowMs()
    await store.forget(open.transaction, new Date(nowMs - KEEP_ENDED_MS), new Date(nowMs - keepEventsMs), FORGET_ROWS)
  }

  #known({ definition }: Saga): SagaDefinition {
    const { service, definitions } = this.#options
    const known = definitions.filter(({ name }) => name === definition.name)
    if (definition.service !== service || known.length === 0)
      throw new SkerryError(
        'systemInvalid',
        `The service "${service}" has no saga "${definition.name}" of "${definition.service}": add it to implement(…, { sagas: [${definition.name}] })`,
      )
    if (!known.includes(definition))
      throw new SkerryError(
        'systemInvalid',
        `Version ${definition.version} of the saga "${definition.name}" is not among the sagas of "${service}"`,
      )
    return definition
  }
}

function checkedInput(definition: SagaDefinition, input: unknown): unknown {
  const validation = validate(definition.input, input)
  if (validation instanceof Promise)
    throw new SkerryError(
      'contractBroken',
      `The input schema of the saga "${definition.name}" is asynchronous: start needs one that is not`,
    )
  if (validation.ok) return copyJson(validation.value)
  const issues = validation.issues.map(({ path, message }) => `${path || 'the input'}: ${message}`).join('; ')
  throw new SkerryError('contractBroken', `The saga "${definition.name}" was started with what its input does not allow: ${issues}`)
}

/** The same for the same key: a UUIDv8 (RFC 9562, section 5.8) of the SHA-256 of saga and key. */
function idOf({ service, name }: SagaDefinition, key: string): string {
  if (key === '' || key.length > MAX_KEY_LENGTH)
    throw new SkerryError('contractBroken', `The saga "${name}": a key has 1 to ${MAX_KEY_LENGTH} characters, not ${key.length}`)
  const hex = createHash('sha256').update(`${service}\n${name}\n${key}`).digest('hex')
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
