import { describe, expect, it } from 'vitest'
import { Alarm } from './alarm.ts'
import type { Clock } from './clock.ts'
import { VirtualClock } from './clock.ts'

/** A machine whose time of day jumps while its timers stand still, as when it has slept or its clock is set. */
function machine(): { clock: Clock; pass: (byMs: number) => Promise<void>; jump: (byMs: number) => void } {
  const timers = new VirtualClock()
  let offsetMs = 0
  return {
    clock: {
      now: () => new Date(timers.nowMs() + offsetMs),
      nowMs: () => timers.nowMs() + offsetMs,
      preciseMs: () => timers.nowMs() + offsetMs,
      setTimer: (delayMs, action) => timers.setTimer(delayMs, action),
    },
    pass: (byMs) => timers.advance(byMs),
    jump: (byMs) => (offsetMs += byMs),
  }
}

const HOUR_MS = 3_600_000

describe('an alarm', () => {
  it('rings once, at the earliest of its times', async () => {
    const { clock, pass } = machine()
    let rung = 0
    const alarm = new Alarm(clock, () => rung++)
    const nowMs = clock.nowMs()
    for (const atMs of [5_000, 200_000, 9_000]) alarm.by(nowMs + atMs)
    await pass(4_999)
    expect(rung).toBe(0)
    await pass(1)
    expect(rung).toBe(1)
    await pass(HOUR_MS)
    expect(rung).toBe(1)
  })

  it('rings at a time that is far away, and never when that is Infinity', async () => {
    const { clock, pass } = machine()
    const rung: string[] = []
    new Alarm(clock, () => rung.push('far')).by(clock.nowMs() + 5 * HOUR_MS)
    new Alarm(clock, () => rung.push('never')).by(Infinity)
    await pass(5 * HOUR_MS - 1)
    expect(rung).toEqual([])
    await pass(1)
    expect(rung).toEqual(['far'])
    await pass(100 * HOUR_MS)
    expect(rung).toEqual(['far'])
  })

  it('rings within a minute when the time of day has jumped over its time', async () => {
    const { clock, pass, jump } = machine()
    let rung = 0
    new Alarm(clock, () => rung++).by(clock.nowMs() + 11 * HOUR_MS)
    await pass(1_000)
    jump(12 * HOUR_MS)
    await pass(60_000)
    expect(rung).toBe(1)
  })

  it('that should have rung does not stand in the way of a new time', async () => {
    const { clock, pass, jump } = machine()
    let rung = 0
    const alarm = new Alarm(clock, () => rung++)
    alarm.by(clock.nowMs() + 11 * HOUR_MS)
    jump(12 * HOUR_MS)
    alarm.by(clock.nowMs() + 5_000)
    await pass(5_000)
    expect(rung).toBe(1)
  })

  it('does not ring early when the time of day is set back', async () => {
    const { clock, pass, jump } = machine()
    let rung = 0
    new Alarm(clock, () => rung++).by(clock.nowMs() + 10_000)
    jump(-HOUR_MS)
    await pass(10_000)
    expect(rung).toBe(0)
    await pass(HOUR_MS)
    expect(rung).toBe(1)
  })

  it('that was stopped stays silent', async () => {
    const { clock, pass } = machine()
    let rung = 0
    const alarm = new Alarm(clock, () => rung++)
    alarm.by(clock.nowMs() + 10)
    alarm.stop()
    alarm.by(clock.nowMs() + 10)
    await pass(HOUR_MS)
    expect(rung).toBe(0)
  })
})
