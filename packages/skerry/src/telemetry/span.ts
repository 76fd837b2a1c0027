/** A span as OpenTelemetry means it: one piece of work in a trace, from its beginning to its end. */
import type { TraceContext } from './trace-context.ts'

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

export type AttributeValue = string | number | boolean
export type Attributes = Readonly<Record<string, AttributeValue>>

/** How a piece of work ended when not simply well. */
export interface SpanEnd {
  /** What went wrong in one word, as `error.type`: a code, of which there are few. */
  readonly errorType?: string
  /** Whether that is a failure of whoever did the work, and not an answer like any other. Default: true when there is an `errorType`. */
  readonly failed?: boolean
  /** For people; of a failure. */
  readonly message?: string | undefined
}

/** Work in progress. Its context is what travels on to whatever is done because of it. */
export interface Span extends TraceContext {
  set(name: string, value: AttributeValue): void
  /** Something that happened at one moment of it. */
  event(name: string, attributes?: Attributes): void
  /** Does nothing the second time. */
  end(how?: SpanEnd): void
}

export interface SpanEvent {
  readonly name: string
  /** Milliseconds since the epoch, with fractions. */
  readonly atMs: number
  readonly attributes: Attributes
}

/** A piece of work that has ended, as it is kept and exported. */
export interface SpanRecord {
  readonly traceId: string
  readonly spanId: string
  /** Undefined for the first of a trace. */
  readonly parentSpanId: string | undefined
  readonly service: string
  readonly name: string
  readonly kind: SpanKind
  /** Milliseconds since the epoch, with fractions. */
  readonly startMs: number
  readonly durationMs: number
  /** What went wrong, for people; undefined when nothing did. */
  readonly failure: string | undefined
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
}
