/** Waits until a host has nothing left to do, moving its virtual clock to whatever it waits for. */
import { sleep, systemClock, turn } from '../base/clock.ts'
import type { VirtualClock } from '../base/clock.ts'
import type { Host } from '../runtime/host.ts'
import type { ServiceInstance } from '../runtime/service-instance.ts'
import { isBusy, workLeft } from '../runtime/work-left.ts'

const MAX_ROUNDS = 10_000
/** How long one piece of work may really take, as when it talks to a mail server. */
const MAX_BUSY_MS = 20_000
/** So many turns of the event loop are taken at once; what takes longer waits for the outside, and is looked at every millisecond. */
const EAGER_TURNS = 1_000
/** Work may also wait for the clock: a transaction that met a conflict pauses no longer than this before it tries again. */
const SHORT_PAUSE_MS = 200

export async function settle(host: Host, clock: VirtualClock): Promise<void> {
  const instances = [...host.instances.values()]
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (!(await untilIdle(instances, clock))) break
    const left = await Promise.all(instances.map(workLeft))
    if (instances.some(isBusy)) continue
    const waiting = left.filter((work) => work.outbox > 0 || work.dueMs !== undefined)
    if (waiting.length === 0) return
    const dueMs = Math.min(...waiting.map((work) => work.dueMs ?? Infinity), clock.nextTimerMs() ?? Infinity)
    await clock.advance(Number.isFinite(dueMs) ? Math.max(1, dueMs - clock.nowMs()) : 1)
  }
  const left = await Promise.all(instances.map(workLeft))
  const description = left.map(
    ({ name, outbox, dueMs }) => `${name}: ${outbox} events in the outbox${dueMs === undefined ? '' : ', messages waiting to be handled'}`,
  )
  throw new Error(`The system did not settle. Left: ${description.join('; ')}`)
}

/** Resolves with false when that takes too long. The virtual clock stands still meanwhile, but for short pauses in the work itself. */
async function untilIdle(instances: readonly ServiceInstance[], clock: VirtualClock): Promise<boolean> {
  const giveUpAtMs = systemClock.nowMs() + MAX_BUSY_MS
  for (let turns = 0; turns === 0 || instances.some(isBusy); turns++) {
    if (systemClock.nowMs() > giveUpAtMs) return false
    if (turns < EAGER_TURNS) await turn()
    else {
      await sleep(systemClock, 1)
      const pauseMs = (clock.nextTimerMs() ?? Infinity) - clock.nowMs()
      if (pauseMs <= SHORT_PAUSE_MS) await clock.advance(pauseMs)
    }
  }
  return true
}
