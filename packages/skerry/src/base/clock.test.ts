import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Clock } from './clock.ts'
import { sleep, systemClock, VirtualClock } from './clock.ts'

const START = new Date('2026-01-01T00:00:00Z')

describe('VirtualClock', () => {
  it('stands still until it is advanced', async () => {
    const clock = new VirtualClock(START)
    const before = [clock.nowMs(), clock.now().toISOString()]
    await new Promise((resolve) => setImmediate(resolve))
    expect([clock.nowMs(), clock.now().toISOString()]).toEqual(before)
    await clock.advance('2s')
    expect(clock.now().toISOString()).toBe('2026-01-01T00:00:02.000Z')
    await clock.advance(250)
    expect(clock.nowMs()).toBe(START.getTime() + 2_250)
  })

  it('runs timers in the order of their due times, and those due together in the order they were set', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 30 }), fc.nat(25), async (delays, byMs) => {
        const clock = new VirtualClock(START)
        const ran: { index: number; atMs: number }[] = []
        delays.forEach((delayMs, index) => clock.setTimer(delayMs, () => ran.push({ index, atMs: clock.nowMs() - START.getTime() })))
        await clock.advance(byMs)
        const expected = delays
          .map((delayMs, index) => ({ index, atMs: delayMs }))
          .filter(({ atMs }) => atMs <= byMs)
          .toSorted((left, right) => left.atMs - right.atMs || left.index - right.index)
        expect(ran).toEqual(expected)
        expect(clock.nowMs()).toBe(START.getTime() + byMs)
      }),
    )
  })

  it('treats a delay in the past as none', async () => {
    const clock = new VirtualClock(START)
    const ran: number[] = []
    clock.setTimer(-5, () => ran.push(clock.nowMs() - START.getTime()))
    expect(clock.nextTimerMs()).toBe(START.getTime())
    await clock.advance(0)
    expect(ran).toEqual([0])
  })

  it('runs timers that are set while it advances, when they fall due before the end', async () => {
    const clock = new VirtualClock(START)
    const ran: string[] = []
    clock.setTimer(10, () => {
      ran.push('first')
      clock.setTimer(5, () => ran.push('due inside'))
      clock.setTimer(100, () => ran.push('due outside'))
    })
    await clock.advance(20)
    expect(ran).toEqual(['first', 'due inside'])
    expect(clock.nextTimerMs()).toBe(START.getTime() + 110)
  })

  it('lets work that has already begun set its timers before time moves', async () => {
    const clock = new VirtualClock(START)
    const woken: number[] = []
    const work = (async () => {
      await Promise.resolve()
      await sleep(clock, 10)
      woken.push(clock.nowMs() - START.getTime())
      await sleep(clock, 10)
      woken.push(clock.nowMs() - START.getTime())
    })()
    await clock.advance(20)
    expect(woken).toEqual([10, 20])
    await work
  })

  it('forgets cancelled timers, also those cancelled by another timer of the same moment', async () => {
    const clock = new VirtualClock(START)
    const ran: string[] = []
    clock.setTimer(5, () => second.cancel())
    const second = clock.setTimer(5, () => ran.push('second'))
    const third = clock.setTimer(7, () => ran.push('third'))
    third.cancel()
    third.cancel()
    await clock.advance(10)
    expect(ran).toEqual([])
    expect(clock.nextTimerMs()).toBeUndefined()
  })

  it('never moves backwards, also when a timer advances the clock itself', async () => {
    const clock = new VirtualClock(START)
    let inner: Promise<void> | undefined
    clock.setTimer(1, () => {
      inner = clock.advance(50)
    })
    await clock.advance(10)
    await inner
    expect(clock.nowMs()).toBe(START.getTime() + 51)
  })

  it.each([-1, Number.NaN])('refuses to advance by %s', async (byMs) => {
    const clock = new VirtualClock(START)
    await expect(clock.advance(byMs)).rejects.toThrow(RangeError)
    expect(clock.nowMs()).toBe(START.getTime())
  })

  it('skips as a machine sleeps: what fell due meanwhile runs once, late, and what it sets counts from then', async () => {
    const clock = new VirtualClock(new Date(0))
    const ran: string[] = []
    const everySecond = (): void => {
      ran.push(`second ${clock.nowMs()}`)
      clock.setTimer(1_000, everySecond)
    }
    clock.setTimer(1_000, everySecond)
    clock.setTimer(500, () => ran.push(`half ${clock.nowMs()}`))
    await clock.skip('1h')
    expect(ran).toEqual(['half 3600000', 'second 3600000'])
    await clock.advance(1_000)
    expect(ran).toEqual(['half 3600000', 'second 3600000', 'second 3601000'])
    await expect(clock.skip(-1)).rejects.toThrow(RangeError)
  })

  it('never runs a timer with an infinite delay', async () => {
    const clock = new VirtualClock(START)
    clock.setTimer(Infinity, () => expect.unreachable())
    await clock.advance('9999d')
  })
})

describe('systemClock', () => {
  beforeEach(() => void vi.useFakeTimers({ now: START }))
  afterEach(() => void vi.useRealTimers())

  it('tells the time of the machine', () => {
    expect(systemClock.nowMs()).toBe(START.getTime())
    expect(systemClock.now()).toEqual(START)
  })

  it('runs an action once, after its delay', () => {
    const ranAtMs: number[] = []
    systemClock.setTimer(100, () => ranAtMs.push(systemClock.nowMs() - START.getTime()))
    vi.advanceTimersByTime(99)
    expect(ranAtMs).toEqual([])
    vi.advanceTimersByTime(1_000)
    expect(ranAtMs).toEqual([100])
  })

  it('waits longer than the 24.8 days that setTimeout can count', () => {
    const delayMs = 60 * 86_400_000
    const ranAtMs: number[] = []
    systemClock.setTimer(delayMs, () => ranAtMs.push(systemClock.nowMs() - START.getTime()))
    systemClock.setTimer(Infinity, () => ranAtMs.push(Infinity))
    vi.advanceTimersByTime(delayMs - 1)
    expect(ranAtMs).toEqual([])
    vi.advanceTimersByTime(delayMs)
    expect(ranAtMs).toEqual([delayMs])
  })

  it('cancels, also in a later stretch of a long delay', () => {
    const timers = [100, 60 * 86_400_000].map((delayMs) => systemClock.setTimer(delayMs, () => expect.unreachable()))
    timers[0]!.cancel()
    vi.advanceTimersByTime(30 * 86_400_000)
    timers[1]!.cancel()
    vi.advanceTimersByTime(60 * 86_400_000)
    expect(vi.getTimerCount()).toBe(0)
  })
})

it('does not keep the process alive for a pending timer', async () => {
  const program = `import { systemClock } from '${new URL('./clock.ts', import.meta.url).href}'; systemClock.setTimer(3_600_000, () => {})`
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
})

describe.each<[string, () => Clock]>([
  ['systemClock', () => systemClock],
  ['VirtualClock', () => new VirtualClock()],
])('%s', (_name, make) => {
  it('refuses NaN, which would never or always be due', () => {
    expect(() => make().setTimer(Number.NaN, () => {})).toThrow(TypeError)
  })
})

describe('sleep', () => {
  it('resolves after the delay', async () => {
    const clock = new VirtualClock()
    let awake = false
    const asleep = sleep(clock, 100).then(() => (awake = true))
    await clock.advance(99)
    expect(awake).toBe(false)
    await clock.advance(1)
    expect(awake).toBe(true)
    await asleep
  })

  it('resolves at once when the signal aborts, and leaves neither timer nor listener', async () => {
    const clock = new VirtualClock()
    const controller = new AbortController()
    const removed = vi.spyOn(controller.signal, 'removeEventListener')
    const asleep = sleep(clock, 100, controller.signal)
    controller.abort()
    await asleep
    expect(clock.nextTimerMs()).toBeUndefined()
    await sleep(clock, 100, controller.signal)
    expect(clock.nextTimerMs()).toBeUndefined()
    expect(removed).toHaveBeenCalledWith('abort', expect.any(Function))
  })

  it('takes its listener off a signal that outlives it', async () => {
    const clock = new VirtualClock()
    const { signal } = new AbortController()
    const listeners = { added: vi.spyOn(signal, 'addEventListener'), removed: vi.spyOn(signal, 'removeEventListener') }
    const asleep = sleep(clock, 100, signal)
    await clock.advance(100)
    await asleep
    expect(listeners.removed.mock.calls[0]?.[1]).toBe(listeners.added.mock.calls[0]?.[1])
  })
})
