/**
 * How the platform tells what it does: each kind of work is described once, and each time it is done is a span and, sampled or not, a value in
 * the histogram of its durations. Where nobody wants to know, contexts are still passed on, and nothing is measured.
 */
import type { Clock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import type { Histogram, HistogramDefinition, Labels } from './metrics.ts'
import { Metrics } from './metrics.ts'
import type { Sampler } from './sampler.ts'
import { samplerOf } from './sampler.ts'
import type { Attributes, AttributeValue, Span, SpanEnd, SpanEvent, SpanKind, SpanRecord } from './span.ts'
import type { TraceContext } from './trace-context.ts'
import { ChildTrace } from './trace-context.ts'

export interface WorkDescription {
  /** The name of its spans, of which there are few. */
  readonly name: string
  readonly kind: SpanKind
  /** Of every span of it. */
  readonly attributes?: Attributes
  /** What it is asked by comes from outside, where nobody decides for us what is recorded. Default: from us. */
  readonly fromOutside?: boolean
  /** The histogram of its durations, in seconds; the service and `error.type` are added to the labels. */
  readonly duration?: { readonly of: HistogramDefinition; readonly labels: Labels } | undefined
}

/** Begins a piece of work, as part of the parent's trace or as the first of a new one. */
export type StartSpan = (parent: TraceContext | undefined) => Span

/** Telemetry of one service, or of the gateway. */
export interface Telemetry {
  readonly metrics: Metrics
  work(description: WorkDescription): StartSpan
}

/** Telemetry of a host. */
export interface HostTelemetry {
  readonly metrics: Metrics
  of(service: string): Telemetry
  /** Lets go of what was recorded and has not been handed on yet. */
  close(): Promise<void>
}

export interface TelemetryOptions {
  readonly clock: Clock
  readonly random: Random
  /** Which traces that begin here are recorded. Default: all. */
  readonly sampler?: Sampler
  /** Given each sampled span when it has ended. Must not throw. Default: only durations are measured. */
  readonly onSpan?: ((span: SpanRecord) => void) | undefined
  /** Called when the host has stopped. */
  readonly onClose?: () => Promise<void>
}

export function createTelemetry(options: TelemetryOptions): HostTelemetry {
  const metrics = new Metrics()
  return {
    metrics,
    of: (service) => ({ metrics, work: (description) => recorded(options, metrics, service, description) }),
    close: async () => options.onClose?.(),
  }
}

/** Passes contexts on, and records nothing. */
export function silentTelemetry(random: Random): HostTelemetry & Telemetry {
  const silent: HostTelemetry & Telemetry = {
    metrics: new Metrics(),
    of: () => silent,
    close: async () => undefined,
    work: () => (parent) => new SilentSpan(parent, random),
  }
  return silent
}

class SilentSpan extends ChildTrace implements Span {
  set(): void {}
  event(): void {}
  end(): void {}
}

function recorded(options: TelemetryOptions, metrics: Metrics, service: string, description: WorkDescription): StartSpan {
  const work = new Work(options, metrics, service, description)
  return (parent) => new RecordedSpan(parent, work)
}

const DEFAULT_SAMPLER = samplerOf('parentbased_always_on', 1)
/** Kinds of failure that are told apart for one kind of work; of more, OpenTelemetry's name for the rest. */
const MAX_ERROR_TYPES = 100
const OTHER_ERROR = '_OTHER'

/** What all spans of one description share. */
class Work {
  readonly service: string
  readonly description: WorkDescription
  readonly clock: Clock
  readonly random: Random
  readonly sampler: Sampler
  readonly onSpan: ((span: SpanRecord) => void) | undefined
  readonly #metrics: Metrics
  readonly #durations = new Map<string | undefined, Histogram>()

  constructor(
    { clock, random, sampler = DEFAULT_SAMPLER, onSpan }: TelemetryOptions,
    metrics: Metrics,
    service: string,
    description: WorkDescription,
  ) {
    this.service = service
    this.description = description
    this.clock = clock
    this.random = random
    this.sampler = sampler
    this.onSpan = onSpan
    this.#metrics = metrics
  }

  record(durationMs: number, errorType: string | undefined): void {
    const { duration } = this.description
    if (duration === undefined) return
    let histogram = this.#durations.get(errorType)
    if (histogram === undefined && this.#durations.size >= MAX_ERROR_TYPES && errorType !== OTHER_ERROR)
      return this.record(durationMs, OTHER_ERROR)
    if (histogram === undefined) {
      const labels = { 'service.name': this.service, ...duration.labels, ...(errorType === undefined ? {} : { 'error.type': errorType }) }
      this.#durations.set(errorType, (histogram = this.#metrics.histogram(duration.of, labels)))
    }
    histogram.record(durationMs / 1_000)
  }
}

const NO_EVENTS: readonly SpanEvent[] = []

class RecordedSpan extends ChildTrace implements Span {
  readonly #work: Work
  readonly #parentSpanId: string | undefined
  readonly #startMs: number
  #attributes: Record<string, AttributeValue> | undefined
  #events: SpanEvent[] | undefined
  #hasEnded = false

  constructor(parent: TraceContext | undefined, work: Work) {
    super(parent, work.random, work.sampler, work.description.fromOutside === true ? null : parent?.sampled)
    this.#work = work
    this.#parentSpanId = parent !== undefined && this.sampled ? parent.spanId : undefined
    this.#startMs = work.clock.preciseMs()
  }

  set(name: string, value: AttributeValue): void {
    if (this.sampled) (this.#attributes ??= {})[name] = value
  }

  event(name: string, attributes: Attributes = {}): void {
    if (this.sampled) (this.#events ??= []).push({ name, atMs: this.#work.clock.preciseMs(), attributes })
  }

  end({ errorType, failed = errorType !== undefined, message }: SpanEnd = {}): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const { service, clock, onSpan, description } = this.#work
    // A clock may have been set back meanwhile.
    const durationMs = Math.max(0, clock.preciseMs() - this.#startMs)
    const { sensitive } = this
    const text = (of: string): string => sensitive?.redact(of) ?? of
    this.#work.record(durationMs, errorType === undefined ? undefined : text(errorType))
    if (!this.sampled || onSpan === undefined) return
    const safe = (of: Attributes | undefined): Attributes | undefined =>
      sensitive === undefined || of === undefined
        ? of
        : Object.fromEntries(Object.entries(of).map(([name, value]) => [name, typeof value === 'string' ? text(value) : value]))
    const failure = failed ? (message ?? errorType) : undefined
    onSpan({
      traceId: this.traceId,
      spanId: this.spanId,
      parentSpanId: this.#parentSpanId,
      service,
      name: description.name,
      kind: description.kind,
      startMs: this.#startMs,
      durationMs,
      failure: failure === undefined ? undefined : text(failure),
      attributes: {
        ...description.attributes,
        ...safe(this.#attributes),
        ...(errorType === undefined ? {} : { 'error.type': text(errorType) }),
      },
      events: this.#events?.map((event) => ({ ...event, attributes: safe(event.attributes)! })) ?? NO_EVENTS,
    })
  }
}
