/** One attempt at a step, or at undoing it: runs the service's code and says what came of it. Never rejects. */
import type { Clock } from '../base/clock.ts'
import { copyJson } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import { CallError } from '../contract/call-error.ts'
import { describeFailure } from '../events/event-failure.ts'
import { beforeDeadline } from '../resilience/deadline.ts'
import type { Scope } from '../telemetry/scope.ts'
import { runInScope } from '../telemetry/scope.ts'
import type { StepDefinition } from './definition.ts'
import { SagaAborted } from './definition.ts'
import type { StepOutcome, StepState } from './saga.ts'

/** What a step gives is kept with the saga, and read with it each time. */
const MAX_OUTPUT_BYTES = 1_048_576
const UNREACHABLE = new Set(['unavailable', 'deadlineExceeded', 'overloaded'])

/** The step gave what cannot be kept. */
class UnkeepableOutput extends Error {
  override readonly name = 'UnkeepableOutput'
}

export interface StepRun {
  readonly step: StepDefinition
  readonly before: StepState
  /** No attempt of this direction was begun before: none can have taken effect. */
  readonly isFirst: boolean
  /** Of the saga, this step and its direction: the same at each attempt. */
  readonly keyPrefix: string
  readonly scope: Scope
  readonly clock: Clock
  readonly random: Random
  readonly work: (signal: AbortSignal) => Promise<unknown>
}

export async function runStep(run: StepRun): Promise<StepOutcome> {
  const { step, scope, clock } = run
  const abort = new AbortController()
  const counts = new Map<string, number>()
  const calls = { made: 0, areKept: true }
  const idempotencyKeyFor = (operation: string, keepsAnswer: boolean): string => {
    calls.made++
    calls.areKept &&= keepsAnswer
    const count = (counts.get(operation) ?? 0) + 1
    counts.set(operation, count)
    return `${run.keyPrefix}/${operation}/${count}`
  }
  try {
    const within: Scope = { ...scope, deadlineAtMs: clock.nowMs() + step.timeoutMs, idempotencyKeyFor }
    const ended = runInScope(within, async () => ({ output: await run.work(abort.signal) }))
    const result = await beforeDeadline(clock, clock.nowMs() + step.timeoutMs, ended)
    if (result !== undefined) return { kind: 'done', output: keptOutput(step, result.output) }
    abort.abort()
    return failed(run, `it did not end within ${step.timeoutMs} ms`, false)
  } catch (error) {
    return outcomeOf(run, error, calls)
  }
}

/** A copy of what a step gave, as it can be kept. */
export function keptOutput({ name }: StepDefinition, output: unknown): unknown {
  let copy: unknown
  try {
    copy = copyJson(output)
  } catch (error) {
    throw new UnkeepableOutput(`Step "${name}" gave what JSON cannot say: ${error instanceof Error ? error.message : String(error)}`)
  }
  const lost = lostInJson(output, 'the value')
  if (lost !== undefined)
    throw new UnkeepableOutput(`Step "${name}" gave what JSON cannot say: ${lost}. Give plain objects, arrays, text, numbers or dates`)
  const bytes = Buffer.byteLength(JSON.stringify(copy) ?? '')
  if (bytes > MAX_OUTPUT_BYTES)
    throw new UnkeepableOutput(`Step "${name}" gave ${bytes} bytes: at most ${MAX_OUTPUT_BYTES} are kept, so give a reference`)
  return copy
}

/** What of a value the steps behind would silently not find; it does not contain itself, for it has been copied. */
function lostInJson(value: unknown, path: string): string | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return `${path} is a ${typeof value}`
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path} is ${value}`
  if (typeof value !== 'object' || value === null || typeof (value as { toJSON?: unknown }).toJSON === 'function') return undefined
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return `${path} is a ${value.constructor.name}`
  for (const [key, member] of Object.entries(value)) {
    const lost = lostInJson(member, `"${key}"`)
    if (lost !== undefined) return lost
  }
  return undefined
}

interface Calls {
  readonly made: number
  /** Whoever was called keeps its first answer, and does nothing behind a refusal. */
  readonly areKept: boolean
}

function outcomeOf(run: StepRun, error: unknown, calls: Calls): StepOutcome {
  // A local step's transaction was rolled back, so nothing of it is left.
  const nothingLeft = run.step.kind === 'local'
  if (error instanceof SagaAborted)
    return nothingLeft
      ? { kind: 'refused', message: error.message, code: error.code, data: error.data }
      : { kind: 'aborted', message: error.message, code: error.code, data: error.data, broken: false }
  const { kind, message } = describeFailure(error)
  if (error instanceof CallError && !UNREACHABLE.has(error.code)) {
    const { code, data } = error
    // Only a step that made this one call is known to have done nothing; and a reused key says that the first request under it was another
    // one. A refusal now says nothing about an attempt whose answer was lost, unless that one would have been answered with again.
    return calls.made === 1 && (run.isFirst || calls.areKept) && code !== 'idempotencyKeyReused'
      ? { kind: 'refused', message, code, data }
      : { kind: 'aborted', message, code, data, broken: false }
  }
  if (kind === 'permanent' || error instanceof UnkeepableOutput)
    return { kind: 'aborted', message, code: 'broken', data: null, broken: true }
  return failed(run, message, kind !== 'infrastructure')
}

function failed({ step, before, clock, random }: StepRun, message: string, counts: boolean): StepOutcome {
  const failures = before.attempts + (before.deferrals ?? 0)
  const backoffMs = Math.min(step.maxBackoffMs, step.minBackoffMs * 2 ** Math.min(20, failures))
  return { kind: 'failed', message, counts, retryAtMs: clock.nowMs() + Math.round(backoffMs / 2 + random.next() * (backoffMs / 2)) }
}
