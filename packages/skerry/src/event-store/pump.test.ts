import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { Pump } from './pump.ts'

function scene(options: { minIntervalMs?: number; failAt?: number; waitMs?: number } = {}) {
  const clock = new VirtualClock()
  const startMs = clock.nowMs()
  const runs: number[] = []
  const releases: (() => void)[] = []
  let held = false
  const pump = new Pump({
    clock,
    ...(options.minIntervalMs === undefined ? {} : { minIntervalMs: options.minIntervalMs }),
    async run() {
      runs.push(clock.nowMs() - startMs)
      if (held) await new Promise<void>((resolve) => releases.push(resolve))
      if (runs.length === options.failAt) throw new Error('no')
      return options.waitMs
    },
    onFailure: () => 500,
  })
  return { clock, runs, pump, hold: () => (held = true), release: () => releases.shift()!() }
}

describe('a pump', () => {
  it('runs when it is woken, one run at a time, and once more when it was woken meanwhile', async () => {
    const { clock, runs, pump, hold, release } = scene()
    hold()
    pump.wake()
    expect(pump.idle).toBe(false)
    for (let n = 0; n < 5; n++) pump.wake()
    expect(runs).toHaveLength(1)
    release()
    await clock.advance(0)
    expect(runs).toHaveLength(2)
    release()
    await clock.advance(0)
    expect(runs).toHaveLength(2)
    expect(pump.idle).toBe(true)
    expect(pump.nextMs).toBeUndefined()
  })

  it('runs again by itself after as long as it says, or earlier when it is woken', async () => {
    const { clock, runs, pump } = scene({ waitMs: 100 })
    pump.wake()
    await clock.advance(150)
    pump.wake()
    await clock.advance(99)
    expect(runs).toEqual([0, 100, 150])
    await clock.advance(1)
    expect(runs).toEqual([0, 100, 150, 250])
  })

  it('waits out its pause after a failure, however often it is woken', async () => {
    const { clock, runs, pump } = scene({ failAt: 1 })
    pump.wake()
    await clock.advance(1)
    for (let n = 0; n < 5; n++) pump.wake()
    await clock.advance(498)
    expect(runs).toEqual([0])
    await clock.advance(1)
    expect(runs).toEqual([0, 500])
  })

  it('leaves time between two runs, and loses no wake-up for it', async () => {
    const { clock, runs, pump } = scene({ minIntervalMs: 10, waitMs: 1_000 })
    pump.wake()
    await clock.advance(3)
    for (let n = 0; n < 5; n++) pump.wake()
    await clock.advance(6)
    expect(runs).toEqual([0])
    await clock.advance(1)
    expect(runs).toEqual([0, 10])
    await clock.advance(20)
    pump.wake()
    expect(runs).toEqual([0, 10, 30])
  })

  it('ends what it has begun when it is stopped, and begins nothing more', async () => {
    const { clock, runs, pump, hold, release } = scene({ waitMs: 100 })
    hold()
    pump.wake()
    pump.wake()
    let stopped = false
    const stopping = pump.stop().then(() => (stopped = true))
    await clock.advance(1_000)
    expect(stopped).toBe(false)
    release()
    await stopping
    pump.wake()
    await clock.advance(1_000)
    expect(runs).toHaveLength(1)
  })
})
