/** Telemetry of a measured host: none, or with TELEMETRY=on all there is, exported to the collector that the environment names. */
import { openOtlp } from '@skerry/opentelemetry'
import type { HostTelemetry } from 'skerry/runtime'
import { createTelemetry, systemClock, systemRandom } from 'skerry/runtime'

export async function telemetryOfEnvironment(): Promise<{ readonly telemetry?: HostTelemetry }> {
  if (process.env['TELEMETRY'] !== 'on') return {}
  const exported: { otlp?: Awaited<ReturnType<typeof openOtlp>> } = {}
  const telemetry = createTelemetry({
    clock: systemClock,
    random: systemRandom,
    onSpan: (span) => exported.otlp?.onSpan(span),
    onClose: async () => exported.otlp?.close(),
  })
  const onProblem = (message: string): boolean => process.stderr.write(`${message}\n`)
  exported.otlp = await openOtlp({ system: 'bench', metrics: telemetry.metrics, environment: process.env, onProblem })
  return { telemetry }
}
