/** Which part a piece of work plays in what services do for each other, told from its span: what analyses of traces are made from. */
import type { SpanRecord } from './span.ts'

export const PARTS = ['call', 'attempt', 'answer', 'emit', 'deliver', 'handle', 'step', 'other'] as const

/**
 * `call`: one service asks another, with all its attempts; `attempt`: every attempt of it but the first; `answer`: the other one's work;
 * `emit` and `deliver`: an event leaves a service, and reaches one, which may `handle` it or have no use for it; `step`: of a saga.
 */
export type Part = (typeof PARTS)[number]

/** A span as far as analyses of traces need it. */
export interface TracedWork {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly service: string
  readonly part: Part
  /** The full name of the operation, the type of the event, or the name of the span. */
  readonly target: string
}

/** The part that a span plays, and what it is about. */
export function partOf({ kind, name, attributes }: Pick<SpanRecord, 'kind' | 'name' | 'attributes'>): Pick<TracedWork, 'part' | 'target'> {
  const method = attributes['rpc.method']
  if (typeof method === 'string') {
    if (kind === 'server') return { part: 'answer', target: method }
    return { part: attributes['http.request.resend_count'] === undefined ? 'call' : 'attempt', target: method }
  }
  const event = attributes['messaging.destination.name']
  if (typeof event === 'string') {
    const operation = attributes['messaging.operation.name']
    if (operation === 'create') return { part: 'emit', target: event }
    if (operation === 'deliver') return { part: 'deliver', target: event }
    if (operation === undefined) return { part: 'handle', target: event }
  }
  return { part: attributes['skerry.saga.step'] === undefined ? 'other' : 'step', target: name }
}

export function tracedWork(span: SpanRecord): TracedWork {
  const { traceId, spanId, parentSpanId, service } = span
  return { traceId, spanId, parentSpanId, service, ...partOf(span) }
}

/** The service that an operation or an event belongs to: `orders` of `orders.placeOrder`. */
export function ownerOf(target: string): string {
  return target.split('.', 1)[0]!
}
