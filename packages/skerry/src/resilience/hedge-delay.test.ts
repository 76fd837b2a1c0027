import { expect, it } from 'vitest'
import { HedgeDelay } from './hedge-delay.ts'

it('is what 95 % of the answers have taken at most', () => {
  const delay = new HedgeDelay()
  for (let ms = 1; ms <= 100; ms++) delay.record(ms, 0)
  expect(delay.delayMs(1)).toBe(95)
})

it('is not known of few answers, nor of old ones', () => {
  const delay = new HedgeDelay()
  for (let made = 0; made < 19; made++) delay.record(50, 0)
  expect(delay.delayMs(0)).toBeUndefined()
  delay.record(50, 0)
  expect(delay.delayMs(1_000)).toBe(50)
  expect(delay.delayMs(31_000)).toBeUndefined()
})

it('is never shorter than 10 ms', () => {
  const delay = new HedgeDelay()
  for (let made = 0; made < 20; made++) delay.record(1, 0)
  expect(delay.delayMs(0)).toBe(10)
})

it('follows the newest thousand', () => {
  const delay = new HedgeDelay()
  for (let made = 0; made < 1_000; made++) delay.record(500, 0)
  for (let made = 0; made < 1_000; made++) delay.record(20, 0)
  expect(delay.delayMs(1)).toBe(20)
})
