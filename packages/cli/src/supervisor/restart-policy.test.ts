import { expect, test } from 'vitest'
import type { Deaths } from './restart-policy.ts'
import { afterDeath } from './restart-policy.ts'

const full = { next: () => 1 }

/** Dies again as soon as it has been started again, so many times. */
function deaths(count: number, livesMs = 0): { pauses: number[]; loops: boolean[] } {
  let nowMs = 0
  let before: Deaths = []
  const pauses: number[] = []
  const loops: boolean[] = []
  for (let made = 0; made < count; made++) {
    const { deaths: now, pauseMs, crashLoop } = afterDeath(before, nowMs, full)
    before = now
    pauses.push(pauseMs)
    loops.push(crashLoop)
    nowMs += pauseMs + livesMs
  }
  return { pauses, loops }
}

test('pauses double, and the fifth death in a row is a crash loop, in which it is tried every half minute', () => {
  expect(deaths(7)).toEqual({
    pauses: [1_000, 2_000, 4_000, 8_000, 30_000, 30_000, 30_000],
    loops: [false, false, false, false, true, true, true],
  })
})

test('one that has lived for more than a minute begins anew', () => {
  expect(deaths(7, 60_001)).toEqual({ pauses: Array(7).fill(1_000), loops: Array(7).fill(false) })
})

test('pauses are shortened by up to a fifth, so that not all come back at once', () => {
  expect(afterDeath([], 0, { next: () => 0 }).pauseMs).toBe(800)
})
