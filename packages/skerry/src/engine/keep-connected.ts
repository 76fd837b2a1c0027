/** For engines: the boundary to a server that comes and goes. Connects again after a growing, jittered pause until it is told to stop. */
import type { Clock } from '../base/clock.ts'
import { sleep } from '../base/clock.ts'
import type { Random } from '../base/random.ts'

export interface KeepConnectedOptions {
  readonly clock: Clock
  readonly random: Random
  /** The longest pause between two attempts, in milliseconds. The first is a fiftieth of it; each is twice the last. */
  readonly maxReconnectDelayMs: number
  /** From one attempt to connect, counted from 0, to the end of what came of it. Resolves with the reason of the end, never rejects. */
  readonly session: (attempt: number) => Promise<string>
  /** Told after each session but the last. */
  readonly onDown: (reason: string) => void
  readonly signal: AbortSignal
}

/** Resolves when `signal` is aborted and the last session has ended. */
export async function keepConnected({ clock, random, maxReconnectDelayMs, session, onDown, signal }: KeepConnectedOptions): Promise<void> {
  for (let attempt = 0, failures = 0; !signal.aborted; attempt++) {
    const startedMs = clock.nowMs()
    const reason = await session(attempt)
    if (signal.aborted) return
    onDown(reason)
    // One that lasted starts over with short pauses; one that broke at once does not.
    failures = clock.nowMs() - startedMs > maxReconnectDelayMs ? 1 : failures + 1
    const delayMs = Math.min(maxReconnectDelayMs, (maxReconnectDelayMs / 100) * 2 ** Math.min(failures, 10))
    await sleep(clock, delayMs * (0.5 + random.next() / 2), signal)
  }
}
