/**
 * Telemetry of a measured host: none, or with TELEMETRY=on all there is, kept as the command keeps it and exported to the collector that the
 * environment names.
 */
import { openOtlp } from '@skerry/opentelemetry'
import type { HostTelemetry, Recent } from 'skerry/runtime'
import { createTelemetry, openRecent, systemClock, systemRandom } from 'skerry/runtime'

export async function telemetryOfEnvironment(): Promise<{ readonly telemetry?: HostTelemetry; readonly recent?: Recent }> {
  if (process.env['TELEMETRY'] !== 'on') return {}
  const onTrouble = (error: unknown): boolean => process.stderr.write(`${String(error)}\n`)
  const recent = openRecent({ place: 'memory', clock: systemClock, process: String(process.pid), onTrouble })
  const exported: { otlp?: Awaited<ReturnType<typeof openOtlp>> } = {}
  const telemetry = createTelemetry({
    clock: systemClock,
    random: systemRandom,
    onSpan(span) {
      recent.onSpan(span)
      exported.otlp?.onSpan(span)
    },
    onClose: async () => exported.otlp?.close(),
  })
  const onProblem = (message: string): boolean => process.stderr.write(`${message}\n`)
  exported.otlp = await openOtlp({ system: 'bench', metrics: telemetry.metrics, environment: process.env, onProblem })
  return { telemetry, recent }
}
