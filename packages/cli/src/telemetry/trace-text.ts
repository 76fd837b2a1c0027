/** Traces for people, in lines of 80 columns. What they hold comes from anywhere, so nothing of it may steer a terminal. */
import type { Call } from '../admin/access.ts'
import { cut, oneLine } from '../admin/text.ts'
import { clockTime } from '../dev/readable-log.ts'

type Trace = Awaited<ReturnType<Call['listTraces']>>['traces'][number]
type Whole = Awaited<ReturnType<Call['showTrace']>>
type Span = Whole['spans'][number]['span']

const LABEL_WIDTH = 46
const BAR_WIDTH = 22
const DURATION_WIDTH = 10
/** Deeper ones keep their place, or nothing of their names would be left. */
const MAX_INDENTS = 12

/** What took so long, for people. */
export function durationText(ms: number): string {
  if (ms < 1) return `${ms.toFixed(2)} ms`
  if (ms < 1_000) return `${ms.toFixed(ms < 100 ? 1 : 0)} ms`
  return ms < 120_000 ? `${(ms / 1_000).toFixed(2)} s` : `${(ms / 60_000).toFixed(1)} min`
}

export function traceLine({ traceId, startedAt, durationMs, failures, service, name, spans }: Trace): string {
  const failed = failures === 0 ? '' : `  ✗ ${failures} failed`
  const what = `${oneLine(`${service}: ${name}`)}, ${counted(spans, 'span')}`
  return `${shortId(traceId)}  ${clockTime(startedAt)}  ${durationText(durationMs).padStart(9)}  ${what}${failed}`
}

/** As many digits as tell it from others; ids of other systems may begin with zeros. */
function shortId(traceId: string): string {
  return traceId.startsWith('0000') ? traceId : traceId.slice(0, 12)
}

export function traceTree({ traceId, spans }: Whole): string {
  const all = spans.map(({ span }) => span)
  const beginMs = Math.min(...all.map(({ startMs }) => startMs))
  const wholeMs = Math.max(...all.map(({ startMs, durationMs }) => startMs + durationMs)) - beginMs
  const services = new Set(all.map(({ service }) => service)).size
  const byId = new Map(all.map((span) => [span.spanId, span]))
  const head = `trace ${traceId}\n${all[0]!.startedAt}, ${durationText(wholeMs)}, ${counted(all.length, 'span')} of ${counted(services, 'service')}`
  const lines = spans.flatMap(({ span, depth }) => {
    const indent = '  '.repeat(Math.min(depth, MAX_INDENTS))
    const above = byId.get(span.parentSpanId ?? '')
    const label = `${indent}${markOf(span)}${above?.service === span.service ? '' : `${span.service}: `}${span.name}`
    const bar = barOf((span.startMs - beginMs) / wholeMs, span.durationMs / wholeMs)
    const line = `${fitted(oneLine(label))} ${bar} ${durationText(span.durationMs).padStart(DURATION_WIDTH)}`
    return [line, ...notesOf(span).map((note) => `${indent}    ${cut(oneLine(note))}`)]
  })
  return [head, '', ...lines].join('\n')
}

function markOf({ failure, part }: Span): string {
  return `${failure === null ? '' : '✗ '}${part === 'attempt' ? '↻ ' : ''}`
}

/** A span without a parent of ours began the trace, or what came before it is not kept. */
function notesOf({ failure, events }: Span): string[] {
  return [
    ...(failure === null ? [] : [failure]),
    ...events.map(({ name, attributes }) => {
      const fields = Object.entries(attributes as Record<string, unknown>).map(([key, value]) => `${key}=${String(value)}`)
      return `· ${[name, ...fields].join(' ')}`
    }),
  ]
}

/** `from` and `share` of the whole trace, from 0 to 1; not a number when it took no time at all. */
function barOf(from: number, share: number): string {
  const start = Math.min(BAR_WIDTH - 1, Math.floor((from || 0) * BAR_WIDTH))
  const length = Math.max(1, Math.min(BAR_WIDTH - start, Math.round((share || 0) * BAR_WIDTH)))
  return `${' '.repeat(start)}${(share || 0) * BAR_WIDTH < 0.5 ? '▏' : '█'.repeat(length)}`.padEnd(BAR_WIDTH)
}

function fitted(label: string): string {
  return label.length > LABEL_WIDTH ? `${label.slice(0, LABEL_WIDTH - 1)}…` : label.padEnd(LABEL_WIDTH)
}

function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}
