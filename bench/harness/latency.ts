/** How long something takes while the machine has little to do: begun so often a second, whether or not what was begun before has ended. */
import { setTimeout as wait } from 'node:timers/promises'

export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
}

export async function latencyAt(perSecond: number, seconds: number, once: () => Promise<void>): Promise<Latency> {
  const tookMs: number[] = []
  const begun: Promise<void>[] = []
  const start = performance.now()
  for (let n = 0; n < seconds * perSecond; n++) {
    const dueAtMs = start + (n * 1_000) / perSecond
    while (performance.now() < dueAtMs) await wait(1)
    // From when it was due: what waits for a busy process has begun to wait then.
    begun.push(once().then(() => void tookMs.push(performance.now() - dueAtMs)))
  }
  await Promise.all(begun)
  tookMs.sort((a, b) => a - b)
  const percentile = (part: number): number => tookMs[Math.floor(tookMs.length * part)]!
  return { p50Ms: percentile(0.5), p99Ms: percentile(0.99) }
}
