/** W3C Trace Context: which trace a piece of work belongs to, as it travels in `traceparent` headers and CloudEvents. */
import type { Random } from '../base/random.ts'

export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  /** 16 hexadecimal digits: this piece of work. */
  readonly spanId: string
  readonly sampled: boolean
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Reads a `traceparent` header; undefined when it is missing or malformed, in which case a new trace begins. */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  const match = header === undefined ? null : TRACEPARENT.exec(header)
  return match === null ? undefined : { traceId: match[1]!, spanId: match[2]!, sampled: (Number.parseInt(match[3]!, 16) & 1) === 1 }
}

export function formatTraceparent(trace: TraceContext): string {
  return `00-${trace.traceId}-${trace.spanId}-${trace.sampled ? '01' : '00'}`
}

/** The context of a new piece of work, part of the parent's trace or the first of a new one. */
export function childTrace(parent: TraceContext | undefined, random: Random): TraceContext {
  const spanId = hexadecimal32(random) + hexadecimal32(random)
  if (parent !== undefined) return { traceId: parent.traceId, spanId, sampled: parent.sampled }
  return { traceId: hexadecimal32(random) + hexadecimal32(random) + hexadecimal32(random) + hexadecimal32(random), spanId, sampled: true }
}

/** Eight digits, never all zero, which the specification reserves for "invalid". */
function hexadecimal32(random: Random): string {
  return (Math.floor(random.next() * 0xfffffffe) + 1).toString(16).padStart(8, '0')
}
