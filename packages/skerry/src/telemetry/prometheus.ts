/**
 * Metrics in the text format that Prometheus scrapes (version 0.0.4), under the names that OpenTelemetry's compatibility rules give them: dots
 * become underscores, the unit is a suffix, and so is `_total` of what only grows.
 * https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
 */
import type { HistogramPoint, Labels, MetricSnapshot, Point } from './metrics.ts'

export const PROMETHEUS_MEDIA_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const UNITS: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes', '1': 'ratio' }

export function prometheusText(metrics: readonly MetricSnapshot[]): string {
  return metrics.map(family).join('')
}

function family(metric: MetricSnapshot): string {
  const name = nameOf(metric)
  const lines = [`# HELP ${name} ${escapeHelp(metric.description)}`, `# TYPE ${name} ${metric.kind}`]
  if (metric.kind === 'histogram') for (const point of metric.points) lines.push(...histogram(name, point, metric.bounds))
  else for (const { labels, value } of metric.points satisfies readonly Point[]) lines.push(sample(name, labels, value))
  return `${lines.join('\n')}\n`
}

function nameOf({ name, unit, kind }: MetricSnapshot): string {
  const suffix = UNITS[unit]
  const base = name.replaceAll(/[^a-zA-Z0-9_:]/g, '_')
  const withUnit =
    suffix === undefined || (suffix === 'ratio' && kind !== 'gauge') || base.endsWith(`_${suffix}`) ? base : `${base}_${suffix}`
  return kind === 'counter' ? `${withUnit}_total` : withUnit
}

function histogram(name: string, { labels, count, sum, buckets }: HistogramPoint, bounds: readonly number[]): string[] {
  let below = 0
  const cumulative = bounds.map((bound, index) => sample(`${name}_bucket`, { ...labels, le: String(bound) }, (below += buckets[index]!)))
  return [
    ...cumulative,
    sample(`${name}_bucket`, { ...labels, le: '+Inf' }, count),
    sample(`${name}_sum`, labels, sum),
    sample(`${name}_count`, labels, count),
  ]
}

function sample(name: string, labels: Labels, value: number): string {
  const text = Object.entries(labels).map(([label, of]) => `${label.replaceAll(/[^a-zA-Z0-9_]/g, '_')}="${escapeLabel(String(of))}"`)
  return `${name}${text.length === 0 ? '' : `{${text.join(',')}}`} ${numberText(value)}`
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
