/** How a deadline travels between hosts: the milliseconds left, in the headers that gRPC and Envoy use, so that clocks need not agree. */
import type { IncomingHttpHeaders } from 'node:http'

const GRPC_TIMEOUT = 'grpc-timeout'
const ENVOY_TIMEOUT = 'x-envoy-expected-rq-timeout-ms'
const GRPC_UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 }
/** What the way back takes; the callee gives up that much earlier, so that its answer still finds someone. */
const HOP_MS = 5

export function writeDeadline(remainingMs: number): Record<string, string> {
  const left = timeLeftForCallee(remainingMs)
  return { [GRPC_TIMEOUT]: `${Math.min(left, 99_999_999)}m`, [ENVOY_TIMEOUT]: String(left) }
}

/** How many whole milliseconds of them the callee may take. */
export function timeLeftForCallee(remainingMs: number): number {
  return Math.max(1, Math.floor(remainingMs - HOP_MS))
}

/** The milliseconds that a caller still waits; undefined when it does not say. */
export function readDeadline(headers: IncomingHttpHeaders): number | undefined {
  const grpc = headers[GRPC_TIMEOUT]
  const match = typeof grpc === 'string' ? /^(\d{1,8})([HMSmun])$/.exec(grpc) : null
  if (match !== null) return Number(match[1]) * GRPC_UNIT_MS[match[2]!]!
  const envoy = headers[ENVOY_TIMEOUT]
  return typeof envoy === 'string' && /^\d{1,10}$/.test(envoy) ? Number(envoy) : undefined
}
