/** The time between saying that a host is about to stop and its stopping to listen, in which whoever has not heard of it is still answered. */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import type { HttpServer } from '../http/server.ts'

export interface DrainOptions {
  readonly servers: readonly HttpServer[]
  readonly clock: Clock
  readonly drainMs: number
  /** Whether it ends sooner when nobody is connected any more. */
  readonly drainsEarly: boolean
}

/** Nobody has been connected for so long: those who follow the registry know by now. */
const QUIET_MS = 250

export async function untilDrained({ servers, clock, drainMs, drainsEarly }: DrainOptions): Promise<void> {
  if (drainMs === 0) return
  if (!drainsEarly) return sleep(clock, drainMs)
  const startMs = clock.nowMs()
  const isQuiet = ({ leftAtMs }: HttpServer): boolean => leftAtMs !== undefined && clock.nowMs() - Math.max(leftAtMs, startMs) >= QUIET_MS
  while (clock.nowMs() < startMs + drainMs && !servers.every(isQuiet)) await sleep(clock, QUIET_MS / 5)
}
