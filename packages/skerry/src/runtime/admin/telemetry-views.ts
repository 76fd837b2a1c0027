/** Recent telemetry as the admin API shows it: times in words, nothing undefined. */
import type { StoredLine } from '../../recent/lines.ts'
import type { StoredMetric } from '../../recent/samples.ts'
import type { StoredSpan, TraceSummary } from '../../recent/traces.ts'
import type { LineView, MetricView, SpanView } from './telemetry-contract.ts'

export function timeView(ms: number): string {
  return new Date(ms).toISOString()
}

export function traceView({ startMs, ...trace }: TraceSummary) {
  return { ...trace, startedAt: timeView(startMs) }
}

export function spanView({ id: _id, parentSpanId, failure, ...span }: StoredSpan): SpanView {
  return { ...span, parentSpanId: parentSpanId ?? null, failure: failure ?? null, startedAt: timeView(span.startMs) }
}

export function lineView({ atMs, service, traceId, spanId, fields, ...line }: StoredLine): LineView {
  return {
    ...line,
    at: timeView(atMs),
    service: service ?? null,
    traceId: traceId ?? null,
    spanId: spanId ?? null,
    fields: JSON.parse(fields) as unknown,
  }
}

export function metricView({ points, kind, ...metric }: StoredMetric): MetricView {
  return {
    ...metric,
    kind: kind as MetricView['kind'],
    points: points.map(({ atMs, count, buckets, ...point }) => ({
      ...point,
      at: timeView(atMs),
      count: count ?? null,
      buckets: buckets ?? null,
    })),
  }
}
