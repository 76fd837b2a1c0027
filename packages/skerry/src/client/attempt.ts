/**
 * One attempt of a call: an instance is chosen, its circuit breaker asked, the link crossed, and what came of it told to both. Every outcome is a
 * `CallResponse`; that no answer came is one too.
 */
import type { Clock } from '../base/clock.ts'
import type { ErrorCode } from '../base/errors.ts'
import { SkerryError } from '../base/errors.ts'
import type { BoundOperation } from '../contract/bound-operation.ts'
import { platformProblem } from '../contract/problem.ts'
import type { CallOutcome } from '../resilience/circuit-breaker.ts'
import { beforeDeadline } from '../resilience/deadline.ts'
import type { BreakerChange, BreakerRules } from './breaker.ts'
import type { Instances } from './instances.ts'
import type { CallRequest, CallResponse } from './link.ts'

export interface Attempt {
  readonly response: CallResponse
  /** Whose answer it is; undefined when nobody was asked. */
  readonly instance: string | undefined
  /** What it has done to the circuit breaker of that instance. */
  readonly breaker?: BreakerChange | undefined
}

/** What whoever makes two attempts at once has to know and do. Filled in by the attempt. */
export interface AttemptControl {
  /** Who is being asked. */
  instance?: string
  /** Nobody waits for the answer any more. */
  cancel?: () => void
}

const NOBODY: ReadonlySet<string> = new Set()
/**
 * Only a caller that waits for at least this share of the operation's own time learns something about the dependency when it runs out. Not all of
 * it: in a handler some of that has always passed.
 */
const PATIENCE = 0.5

/** Makes one attempt; `avoid`: instances that have failed this call already. Rejects only for mistakes in the calling code. */
export async function makeAttempt(
  instances: Instances,
  clock: Clock,
  request: Omit<CallRequest, 'signal' | 'whenGivenUp'>,
  avoid: ReadonlySet<string> = NOBODY,
  rules?: BreakerRules,
  control?: AttemptControl,
): Promise<Attempt> {
  const { operation, deadlineAtMs } = request
  const choice = instances.choose(operation, avoid, rules)
  if (!choice.chosen)
    return { response: failure(operation, 'unavailable', choice.reason, { retryAfterMs: choice.retryAfterMs }), instance: undefined }
  const { instance, admitted } = choice
  const startMs = clock.nowMs()
  const remainingMs = deadlineAtMs - startMs
  const patient = remainingMs >= operation.operation.deadlineMs * PATIENCE
  let abort: AbortController | undefined
  let isOver = false
  let onGivenUp: (() => void) | undefined
  const end = (outcome: CallOutcome, penaltyMs?: number): BreakerChange | undefined => {
    if (isOver) return undefined
    isOver = true
    instance.outstanding--
    const nowMs = clock.nowMs()
    const breaker = admitted.report(outcome, nowMs)
    if (outcome !== 'ignored') instance.record(nowMs - startMs, outcome === 'failure', nowMs, penaltyMs)
    else if (penaltyMs !== undefined) instance.avoidFor(penaltyMs)
    return breaker
  }
  if (control !== undefined) {
    control.instance = instance.id
    control.cancel = () => {
      // That it has taken so long already is known; whether it would have answered is not.
      if (isOver) return
      end('ignored', clock.nowMs() - startMs)
      abort?.abort()
      onGivenUp?.()
    }
  }
  instance.outstanding++
  try {
    const answer = instance.link.send({
      ...request,
      signal: () => (abort ??= new AbortController()).signal,
      whenGivenUp: (action) => (onGivenUp = action),
    })
    const response = await beforeDeadline(clock, deadlineAtMs, answer)
    if (response === undefined) {
      abort?.abort()
      if (request.record !== undefined) request.record.outcome = 'waiting'
      onGivenUp?.()
      // That it takes at least so long is known, however little was waited.
      const breaker = end(patient ? 'failure' : 'ignored', remainingMs)
      return { response: failure(operation, 'deadlineExceeded', `no answer within ${remainingMs} ms`), instance: instance.id, breaker }
    }
    if (response.leaving === true) instance.leaves()
    const breaker = end(outcomeOf(operation, response, patient), response.ok ? undefined : response.retryAfterMs)
    return { response, instance: instance.id, breaker }
  } catch (error) {
    const unavailable = error instanceof SkerryError && error.code === 'unavailable'
    const breaker = end(unavailable ? 'failure' : 'ignored')
    if (!unavailable) throw error
    return {
      response: failure(operation, 'unavailable', error.message, { unsent: error.data?.['unsent'] === true }),
      instance: instance.id,
      breaker,
    }
  }
}

function outcomeOf({ operation }: BoundOperation, response: CallResponse, patient: boolean): CallOutcome {
  if (response.ok) return 'success'
  const { status, code } = response.problem
  // Whatever its status, it is an answer: that one customer cannot be served must not shut the others out.
  if (operation.errors[code] !== undefined) return 'success'
  // It lives, and says itself how much it can do: to stop asking altogether would waste that.
  if (status === 429 || code === 'overloaded') return 'ignored'
  if (status < 500) return 'success'
  return status === 504 && !patient ? 'ignored' : 'failure'
}

/** The answer when there is none. */
export function failure(
  { contract }: BoundOperation,
  code: ErrorCode,
  reason: string,
  more: { readonly retryAfterMs?: number | undefined; readonly unsent?: boolean } = {},
): CallResponse {
  const detail = code === 'deadlineExceeded' ? `${contract} did not answer in time` : `${contract} is unavailable`
  return { ok: false, problem: platformProblem(code, detail), reason, ...more }
}
