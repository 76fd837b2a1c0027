/** `GET /metrics` of the admin listener: what this process counts and measures, as Prometheus scrapes it. */
import type { Route } from '../../http/router.ts'
import type { HttpTarget } from '../../http/server.ts'
import type { Metrics } from '../../telemetry/metrics.ts'
import { PROMETHEUS_MEDIA_TYPE, prometheusText } from '../../telemetry/prometheus.ts'

export function metricsRoute(metrics: Metrics): Route<HttpTarget> {
  const handle = async () => ({
    status: 200,
    headers: { 'content-type': PROMETHEUS_MEDIA_TYPE },
    body: undefined,
    text: prometheusText(await metrics.snapshot()),
  })
  return { method: 'GET', path: '/metrics', target: { takesBody: false, handle } }
}
