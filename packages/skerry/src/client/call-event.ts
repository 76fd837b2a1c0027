/** What happens on the way of a call that its answer does not show, for whoever traces, counts or logs. `trace` is the call's own place in its trace. */
import type { Degradation } from '../contract/degradation.ts'
import type { TraceContext } from '../telemetry/trace-context.ts'

export type CallEvent =
  /** It is being made again, after a pause, because the last attempt failed. `attempt` counts from 1: the first one made again is 2. */
  | {
      readonly kind: 'retried'
      readonly trace: TraceContext
      readonly operation: string
      readonly attempt: number
      readonly pauseMs: number
    }
  /** A second instance is being asked, because the first takes long. */
  | { readonly kind: 'hedged'; readonly trace: TraceContext; readonly operation: string; readonly afterMs: number }
  /** It gave no answer, and its caller answers in its place. */
  | { readonly kind: 'degraded'; readonly trace: TraceContext; readonly degradation: Degradation }
