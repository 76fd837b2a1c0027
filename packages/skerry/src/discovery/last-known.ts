/**
 * What to believe of a registry. One that has lost its memory, or those who register with it, says that nobody is there: it is believed only when
 * it still says so after a while. Those who really are gone refuse connections, which is found out at once and harms no call that another can take.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { ServiceAddress } from '../engine/registry.ts'

const EMPTY_BELIEVED_AFTER_MS = 30_000

/** Passes lists on to `tell`, an empty one after others only when none has come for 30 s. `cancel` ends the waiting. */
export function lastKnown(clock: Clock, tell: (instances: readonly ServiceAddress[]) => void): LastKnown {
  let waiting: Timer | undefined
  let knowsAny = false
  return {
    learn(instances) {
      if (instances.length === 0 && knowsAny) {
        waiting ??= clock.setTimer(EMPTY_BELIEVED_AFTER_MS, () => {
          waiting = undefined
          knowsAny = false
          tell([])
        })
        return
      }
      waiting?.cancel()
      waiting = undefined
      knowsAny = instances.length > 0
      tell(instances)
    },
    cancel: () => waiting?.cancel(),
  }
}

export interface LastKnown {
  learn(instances: readonly ServiceAddress[]): void
  cancel(): void
}
