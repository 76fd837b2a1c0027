/** A host's metrics as OpenTelemetry's exporters read them: for each service a resource of its own, and one for the process. */
import type { Attributes, HrTime } from '@opentelemetry/api'
import { ValueType } from '@opentelemetry/api'
import type { DataPoint, Histogram, MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics'
import type { HistogramPoint, Labels, MetricSnapshot } from 'skerry/runtime'
import { hrTime, SCOPE } from './readable-span.ts'
import type { Resources } from './resources.ts'

/** Of what belongs to no service. */
const HOST = 'host'
const SERVICE = 'service.name'

export function resourceMetrics(
  metrics: readonly MetricSnapshot[],
  resources: Resources,
  startedMs: number,
  nowMs: number,
): readonly ResourceMetrics[] {
  const between = { startTime: hrTime(startedMs), endTime: hrTime(nowMs) }
  const services = new Set(metrics.flatMap(({ points }) => points.map(({ labels }) => serviceOf(labels))))
  return [...services].map((service) => ({
    resource: resources.of(service),
    scopeMetrics: [{ scope: SCOPE, metrics: metrics.flatMap((metric) => metricData(metric, service, between)) }],
  }))
}

interface Between {
  readonly startTime: HrTime
  readonly endTime: HrTime
}

function metricData(metric: MetricSnapshot, service: string, between: Between): readonly MetricData[] {
  const descriptor = { name: metric.name, description: metric.description, unit: metric.unit, valueType: ValueType.DOUBLE }
  const aggregationTemporality = AggregationTemporality.CUMULATIVE
  const data = <V>(labels: Labels, value: V): DataPoint<V> => ({ ...between, attributes: withoutService(labels), value })
  if (metric.kind === 'histogram') {
    const dataPoints = metric.points
      .filter(({ labels }) => serviceOf(labels) === service)
      .map((point) => data(point.labels, histogram(point, metric.bounds)))
    return dataPoints.length === 0 ? [] : [{ descriptor, aggregationTemporality, dataPointType: DataPointType.HISTOGRAM, dataPoints }]
  }
  const dataPoints = metric.points.filter(({ labels }) => serviceOf(labels) === service).map(({ labels, value }) => data(labels, value))
  if (dataPoints.length === 0) return []
  return metric.kind === 'counter'
    ? [{ descriptor, aggregationTemporality, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }]
    : [{ descriptor, aggregationTemporality, dataPointType: DataPointType.GAUGE, dataPoints }]
}

function histogram({ buckets, count, sum }: HistogramPoint, bounds: readonly number[]): Histogram {
  return { buckets: { boundaries: [...bounds], counts: [...buckets] }, sum, count }
}

function serviceOf(labels: Labels): string {
  return String(labels[SERVICE] ?? HOST)
}

function withoutService({ [SERVICE]: _service, ...labels }: Labels): Attributes {
  return labels
}
