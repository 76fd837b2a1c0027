/** The port between a client and wherever its service runs: in this process, or behind HTTP. Values crossing it are plain JSON and are never shared. */
import type { BoundOperation } from '../contract/bound-operation.ts'
import type { Degradation } from '../contract/degradation.ts'
import type { ProblemDetails } from '../contract/problem.ts'
import type { CallRecord } from '../telemetry/account.ts'
import type { TraceContext } from '../telemetry/trace-context.ts'

export interface CallRequest {
  readonly operation: BoundOperation
  readonly input: unknown
  readonly trace: TraceContext
  /** In milliseconds since the epoch, on this host's clock. */
  readonly deadlineAtMs: number
  readonly idempotencyKey: string | undefined
  /** Who calls, as User-Agent (RFC 9110, 10.1.5); undefined when it has not said so. */
  readonly userAgent: string | undefined
  /** What the caller keeps of this call; a link inside the process says there whose work it is. */
  readonly record?: CallRecord
  /** Aborts when the caller stops waiting. */
  readonly signal: () => AbortSignal
  /** Runs this when the signal would abort, for one who would ask for a signal at every call: those cost more than the rest of a link. */
  readonly whenGivenUp?: ((action: () => void) => void) | undefined
}

export type CallResponse = (
  | {
      readonly ok: true
      readonly output: unknown
      /** What stands in for something in it; undefined when it is whole. */
      readonly degraded?: readonly Degradation[] | undefined
    }
  | {
      readonly ok: false
      readonly problem: ProblemDetails
      readonly retryAfterMs?: number | undefined
      /** What went wrong on the way, for logs on this side only: it may name addresses. */
      readonly reason?: string | undefined
      /** The operation has certainly not been run, so that it can be called again whatever it does. */
      readonly unsent?: boolean | undefined
    }
) & {
  /** Whoever answered is about to stop: ask others. */
  readonly leaving?: boolean | undefined
}

export interface Link {
  /** Rejects with a `SkerryError` (`unavailable`) when no answer came; its `data.unsent` says that the request never left. */
  send(request: CallRequest): Promise<CallResponse>
  close(): Promise<void>
}
