/**
 * The trace that a request from elsewhere belongs to, by its headers: W3C Trace Context, or else B3, in its one header or in several, which
 * Zipkin's instrumentations send. https://github.com/openzipkin/b3-propagation
 */
import type { TraceContext } from './trace-context.ts'
import { parseTraceparent } from './trace-context.ts'

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

const B3 = /^([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-([01d]))?(?:-[0-9a-f]{16})?$/
const TRACE_ID = /^(?:[0-9a-f]{32}|[0-9a-f]{16})$/
const SPAN_ID = /^[0-9a-f]{16}$/
const ZEROS = /^0+$/

/** Undefined when there is none, or none that can be read: then a trace begins here. */
export function traceOf(headers: Headers): TraceContext | undefined {
  const { traceparent, b3 } = headers
  if (typeof traceparent === 'string') return parseTraceparent(traceparent)
  if (typeof b3 === 'string') return ofSingleHeader(b3)
  return headers['x-b3-traceid'] === undefined ? undefined : ofSeveralHeaders(headers)
}

function ofSingleHeader(header: string): TraceContext | undefined {
  const match = B3.exec(header.toLowerCase())
  return match === null ? undefined : context(match[1]!, match[2]!, match[3])
}

function ofSeveralHeaders(headers: Headers): TraceContext | undefined {
  const text = (name: string): string => (typeof headers[name] === 'string' ? headers[name].toLowerCase() : '')
  const traceId = text('x-b3-traceid')
  const spanId = text('x-b3-spanid')
  if (!TRACE_ID.test(traceId) || !SPAN_ID.test(spanId)) return undefined
  const sampled = text('x-b3-sampled')
  return context(traceId, spanId, text('x-b3-flags') === '1' ? 'd' : sampled === 'true' ? '1' : sampled === 'false' ? '0' : sampled)
}

/** Whether it is sampled may be left to us; `d` asks for everything. */
function context(traceId: string, spanId: string, sampling: string | undefined): TraceContext | undefined {
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined
  return { traceId: traceId.padStart(32, '0'), spanId, sampled: sampling !== '0' }
}
