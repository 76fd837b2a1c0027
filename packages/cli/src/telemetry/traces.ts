/** `skerry traces`: lists recent traces, and shows one as a tree. */
import type { AdminOptions } from '../admin/access.ts'
import { print } from '../admin/command.ts'
import { CommandError, EXIT } from '../failure.ts'
import { withTelemetry } from './access.ts'
import { given, sinceTime } from './filter.ts'
import { traceLine, traceTree } from './trace-text.ts'

export interface TracesOptions extends AdminOptions {
  readonly operation?: string
  readonly status?: 'ok' | 'failed'
  readonly slower?: number
  readonly attribute?: string
  readonly text?: string
  readonly since?: number
  readonly before?: number
  readonly limit: number
}

const TRACE_ID = /^[0-9a-f]{8,32}$/
const MAX_PAGE = 200

export function traces(id: string | undefined, options: TracesOptions): Promise<void> {
  return id === undefined ? listTraces(options) : showTrace(id.toLowerCase(), options)
}

async function listTraces({ slower, since, limit, json, ...options }: TracesOptions): Promise<void> {
  const { service, operation, status, attribute, text, before } = options
  await withTelemetry(options, async (call, clock) => {
    const { traces: found, next } = await call.listTraces(
      given({
        service,
        operation,
        status,
        attribute,
        text,
        before,
        minDurationMs: slower,
        since: sinceTime(since, clock),
        limit: Math.min(limit, MAX_PAGE),
      }),
    )
    if (json === true) return print(JSON.stringify({ traces: found, next }))
    for (const trace of found) print(traceLine(trace))
    const count = found.length === 0 ? 'No traces' : found.length === 1 ? '1 trace' : `${found.length} traces`
    print(`${count}.${next === null ? '' : ` There are more: go on with --before ${next}, or narrow it down.`}`)
  })
}

async function showTrace(traceId: string, options: TracesOptions): Promise<void> {
  if (!TRACE_ID.test(traceId))
    throw new CommandError(
      EXIT.usage,
      `"${traceId}" is not the id of a trace.`,
      'Give at least its first 8 hexadecimal digits, as skerry traces shows them.',
    )
  await withTelemetry(options, async (call) => {
    const trace = await call.showTrace({ traceId })
    print(options.json === true ? JSON.stringify(trace) : traceTree(trace))
  })
}
