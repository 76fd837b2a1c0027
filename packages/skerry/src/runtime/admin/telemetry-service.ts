/** The admin API answered for recent telemetry, from what the hosts that share a file have written. It reads, and changes nothing. */
import type { KindBounds } from '../../recent/bounds.ts'
import type { KeptStatus, RecentReader } from '../../recent/reader.ts'
import type { DeclaredSystem } from '../../recent/service-map.ts'
import { serviceMap } from '../../recent/service-map.ts'
import { treeOf } from '../../recent/tree.ts'
import type { service } from '../../service/service.ts'
import type { admin } from './contract.ts'
import type { telemetryOperations } from './telemetry-contract.ts'
import { lineView, metricView, spanView, timeView, traceView } from './telemetry-views.ts'

export interface AdminTelemetry {
  readonly read: RecentReader
  readonly declared: DeclaredSystem
}

type Handlers = Parameters<ReturnType<typeof service<typeof admin>>['implement']>[0]

const DEFAULT_PAGE = 50
const MAX_SPANS_OF_MAP = 20_000
const MINUTE_MS = 60_000
/** Of less no rates are told that mean anything. */
const MIN_MINUTES = 1 / 60

/** `telemetry`: undefined when nothing is kept. */
export function telemetryHandlers(telemetry: AdminTelemetry | undefined): Pick<Handlers, keyof ReturnType<typeof telemetryOperations>> {
  const read = telemetry?.read
  return {
    async telemetryStatus({ fail }) {
      if (read === undefined) throw fail.telemetryOff()
      const { kinds, processes } = read.status()
      return {
        spans: keptView(kinds.spans, read.bounds.spans),
        logs: keptView(kinds.logs, read.bounds.logs),
        metrics: keptView(kinds.metrics, read.bounds.metrics),
        processes: processes.map(({ sinceMs, seenMs, ...rest }) => ({ ...rest, since: timeView(sinceMs), seen: timeView(seenMs) })),
      }
    },
    async listTraces({ input, fail }) {
      if (read === undefined) throw fail.telemetryOff()
      const { since, until, limit = DEFAULT_PAGE, attribute, ...filter } = input
      const { traces, next } = read.traces(
        { ...filter, sinceMs: msOf(since), untilMs: msOf(until), attribute: attribute === undefined ? undefined : parted(attribute) },
        limit,
      )
      return { traces: traces.map(traceView), next: next ?? null }
    },
    async showTrace({ input, fail }) {
      if (read === undefined) throw fail.telemetryOff()
      const [traceId, other] = read.traceIdsFrom(input.traceId)
      if (traceId === undefined) throw fail.traceNotFound()
      if (other !== undefined) throw fail.traceAmbiguous()
      const spans = read.trace(traceId)
      return { traceId, spans: treeOf(spans).map(({ span, depth }) => ({ depth, span: spanView(span) })) }
    },
    async listLogLines({ input, fail }) {
      if (read === undefined) throw fail.telemetryOff()
      const { since, until, before = Number.MAX_SAFE_INTEGER, limit = DEFAULT_PAGE, ...filter } = input
      const newest = read.ends('line').last
      // The file was made anew: its lines are numbered from the beginning again.
      const after = input.after !== undefined && input.after > newest ? 0 : input.after
      const lines = read.lines(
        { ...filter, sinceMs: msOf(since), untilMs: msOf(until) },
        after === undefined ? { before } : { after },
        limit,
      )
      return {
        lines: lines.map(lineView),
        older: lines.length < limit && after === undefined ? null : (lines[0]?.id ?? null),
        // What was looked through in vain need not be looked through again.
        newer: lines.length === limit || before < newest ? (lines.at(-1)?.id ?? before) : Math.max(newest, lines.at(-1)?.id ?? 0),
      }
    },
    async listMetrics({ fail }) {
      if (read === undefined) throw fail.telemetryOff()
      return { metrics: read.metrics().map(metricView) }
    },
    async showMetric({ input: { name, since }, fail }) {
      if (read === undefined) throw fail.telemetryOff()
      const metric = read.series(name, msOf(since) ?? 0)
      if (metric === undefined) throw fail.metricNotFound()
      return metricView(metric)
    },
    async showMap({ input: { since }, fail }) {
      if (telemetry === undefined) throw fail.telemetryOff()
      const nowMs = telemetry.read.nowMs()
      const work = telemetry.read.work(msOf(since) ?? 0, MAX_SPANS_OF_MAP)
      const fromMs = msOf(since) ?? work.reduce((first, { startMs }) => Math.min(first, startMs), nowMs)
      const map = serviceMap(telemetry.declared, work, Math.max(MIN_MINUTES, (nowMs - fromMs) / MINUTE_MS))
      return {
        from: timeView(fromMs),
        to: timeView(nowMs),
        spans: work.length,
        ...map,
        calls: map.calls.map(({ observed, ...call }) => ({ ...call, observed: observed ?? null })),
        events: map.events.map(({ observed, ...event }) => ({ ...event, observed: observed ?? null })),
        cycles: map.cycles.map(({ services, traceId }) => ({ services, traceId: traceId ?? null })),
      }
    },
  }
}

function keptView({ oldestMs, ...kept }: KeptStatus, bounds: KindBounds) {
  return { ...kept, oldest: oldestMs === undefined ? null : timeView(oldestMs), ...bounds }
}

function msOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time)
}

/** A name may not contain what a value may. */
function parted(attribute: string): { readonly name: string; readonly value: string } {
  const [name = '', ...value] = attribute.split('=')
  return { name, value: value.join('=') }
}
