/** Being told to stop: the first SIGTERM or SIGINT asks, the second insists. */
import { constants } from 'node:os'

type StopSignal = 'SIGTERM' | 'SIGINT'

/**
 * Runs `stop` at the first signal and exits when it has finished: 0, or 1 when it failed. A second signal exits at once, with 128 and its number.
 * `onInsist` runs before that exit, synchronously.
 */
export function onStopSignal(
  stop: (signal: StopSignal) => Promise<void>,
  report: (error: unknown) => void,
  onInsist: () => void = () => {},
): void {
  let asked = false
  const receive = (signal: StopSignal): void => {
    if (asked) {
      onInsist()
      process.exit(128 + constants.signals[signal])
    }
    asked = true
    stop(signal).then(
      () => process.exit(0),
      (error: unknown) => {
        report(error)
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', receive)
  process.on('SIGINT', receive)
}
