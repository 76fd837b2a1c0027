/** What can be set of a connection to a broker, whichever it is. */
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { systemRandom } from '../base/random.ts'

/** What a user may say to every engine that connects to a broker. */
export interface BrokerConnectionOptions {
  /** How many bytes of bodies may be on their way and not yet confirmed. One larger message travels alone. Default 16 MiB. */
  readonly maxUnconfirmedBytes?: number
  /** A message not confirmed after so long, in milliseconds, is `failed`. Default 30,000. */
  readonly confirmTimeoutMs?: number
  /** About how long a delivery answered with `requeue` is kept back, in milliseconds, before it is made again. Default 1,000. */
  readonly retryDelayMs?: number
  /** The longest pause between two attempts to connect, in milliseconds. The first is a fiftieth of it; each is twice the last. Default 5,000. */
  readonly maxReconnectDelayMs?: number
  /** How often an idle connection shows that it is alive, in seconds; silence of two to three times this is its loss. Default 10. */
  readonly heartbeatSeconds?: number
  /** Told what an operator should know, once each. Default: a process warning. */
  readonly onWarning?: (warning: string) => void
  readonly clock?: Clock
  readonly random?: Random
}

/** What holds when nothing is said. */
export function brokerConnectionDefaults(warningCode: string): Required<BrokerConnectionOptions> {
  return {
    maxUnconfirmedBytes: 16 * 1_024 * 1_024,
    confirmTimeoutMs: 30_000,
    retryDelayMs: 1_000,
    maxReconnectDelayMs: 5_000,
    heartbeatSeconds: 10,
    onWarning: (warning) => process.emitWarning(warning, { code: warningCode }),
    clock: systemClock,
    random: systemRandom,
  }
}
