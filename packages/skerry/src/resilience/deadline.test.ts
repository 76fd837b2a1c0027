import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { beforeDeadline } from './deadline.ts'

const never = new Promise<string>(() => {})

describe('beforeDeadline', () => {
  it('gives what the work gives when that comes in time', async () => {
    const clock = new VirtualClock()
    await expect(beforeDeadline(clock, clock.nowMs() + 1_000, Promise.resolve('done'))).resolves.toBe('done')
    await expect(beforeDeadline(clock, clock.nowMs() + 1_000, Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  })

  it('ends each wait at its own time, in whatever order they began', async () => {
    const clock = new VirtualClock()
    const ended: number[] = []
    for (const delayMs of [3_000, 1_000, 2_000, 1_000])
      void beforeDeadline(clock, clock.nowMs() + delayMs, never).then(() => ended.push(clock.nowMs() - start))
    const start = clock.nowMs()
    await clock.advance(999)
    expect(ended).toEqual([])
    await clock.advance(1)
    expect(ended).toEqual([1_000, 1_000])
    await clock.advance(5_000)
    expect(ended).toEqual([1_000, 1_000, 2_000, 3_000])
  })

  it('still ends a wait when an earlier one was over before its deadline', async () => {
    const clock = new VirtualClock()
    await beforeDeadline(clock, clock.nowMs() + 1_000, Promise.resolve('done'))
    const late = beforeDeadline(clock, clock.nowMs() + 1_500, never)
    await clock.advance('2s')
    await expect(late).resolves.toBeUndefined()
  })

  it('ends a wait that begins after all others have ended', async () => {
    const clock = new VirtualClock()
    await Promise.all([beforeDeadline(clock, clock.nowMs() + 10, never), clock.advance(10)])
    const next = beforeDeadline(clock, clock.nowMs() + 10, never)
    await clock.advance(10)
    await expect(next).resolves.toBeUndefined()
  })
})
