/** What takes OTLP over HTTP as JSON, as a collector does, and keeps it. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Attribute {
  readonly key: string
  readonly value: {
    readonly stringValue?: string
    readonly intValue?: number | string
    readonly doubleValue?: number
    readonly boolValue?: boolean
  }
}

export interface CollectedSpan {
  readonly service: string
  readonly namespace: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly status: { readonly code?: number; readonly message?: string }
}

export interface CollectedLog {
  readonly service: string
  readonly traceId?: string
  readonly severityText: string
  readonly body: { readonly stringValue: string }
}

export interface CollectedMetric {
  readonly service: string
  readonly name: string
  readonly unit: string
}

export interface Collector extends AsyncDisposable {
  readonly url: string
  readonly spans: readonly CollectedSpan[]
  readonly logs: readonly CollectedLog[]
  readonly metrics: readonly CollectedMetric[]
  /** Everything that came, as it came. */
  readonly raw: readonly string[]
}

interface Resourced {
  readonly resource: { readonly attributes: readonly Attribute[] }
}

interface Export {
  readonly resourceSpans?: readonly (Resourced & { readonly scopeSpans: readonly { readonly spans: readonly CollectedSpan[] }[] })[]
  readonly resourceLogs?: readonly (Resourced & { readonly scopeLogs: readonly { readonly logRecords: readonly CollectedLog[] }[] })[]
  readonly resourceMetrics?: readonly (Resourced & { readonly scopeMetrics: readonly { readonly metrics: readonly CollectedMetric[] }[] })[]
}

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const logs: CollectedLog[] = []
  const metrics: CollectedMetric[] = []
  const raw: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      raw.push(text)
      const { resourceSpans = [], resourceLogs = [], resourceMetrics = [] } = JSON.parse(text) as Export
      for (const { resource, scopeSpans } of resourceSpans)
        spans.push(...scopeSpans.flatMap((one) => one.spans.map((span) => ({ ...span, ...whose(resource) }))))
      for (const { resource, scopeLogs } of resourceLogs)
        logs.push(...scopeLogs.flatMap((one) => one.logRecords.map((log) => ({ ...log, ...whose(resource) }))))
      for (const { resource, scopeMetrics } of resourceMetrics)
        metrics.push(...scopeMetrics.flatMap((one) => one.metrics.map((metric) => ({ ...metric, ...whose(resource) }))))
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    logs,
    metrics,
    raw,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function whose({ attributes }: Resourced['resource']): { readonly service: string; readonly namespace: string } {
  const text = (name: string): string => attributes.find(({ key }) => key === name)?.value.stringValue ?? ''
  return { service: text('service.name'), namespace: text('service.namespace') }
}
