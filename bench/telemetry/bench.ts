/**
 * What telemetry costs: the same program with all of it on (every trace recorded, every duration measured, everything exported over OTLP) against
 * itself with none.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Comparison } from '../harness/pairs.ts'
import { compare } from '../harness/pairs.ts'
import { skerryServer } from '../http-operation/bench.ts'
import { ordersEmbedded } from '../order-placement/bench.ts'

export interface TelemetryCost {
  readonly http: Comparison
  readonly orders: Comparison
}

export async function benchTelemetry(pairs: number): Promise<TelemetryCost> {
  // Takes everything and looks at nothing, as a collector on another machine would.
  const collector = createServer((request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end())
  })
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const on = { TELEMETRY: 'on', OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}` }
  try {
    return {
      http: await compare(skerryServer('telemetry on', on), skerryServer('telemetry off', {}), pairs),
      orders: await compare(ordersEmbedded('telemetry on', on), ordersEmbedded('telemetry off', {}), pairs),
    }
  } finally {
    collector.close()
    collector.closeAllConnections()
  }
}
