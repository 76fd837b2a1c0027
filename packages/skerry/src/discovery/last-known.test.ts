import { expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import { lastKnown } from './last-known.ts'

const a = { id: 'a', url: 'http://a:1' }
const b = { id: 'b', url: 'http://b:1' }

function scene() {
  const clock = new VirtualClock()
  const told: string[] = []
  return { clock, told, known: lastKnown(clock, (instances) => told.push(instances.map(({ id }) => id).join())) }
}

it('believes that nobody is there when nobody ever was, and after half a minute when somebody was', async () => {
  const { clock, told, known } = scene()
  known.learn([])
  known.learn([a, b])
  known.learn([])
  await clock.advance('29s')
  known.learn([])
  expect(told).toEqual(['', 'a,b'])
  await clock.advance('1s')
  expect(told).toEqual(['', 'a,b', ''])
  known.learn([])
  expect(told).toEqual(['', 'a,b', '', ''])
})

it('goes on with whoever comes back in time', async () => {
  const { clock, told, known } = scene()
  known.learn([a])
  known.learn([])
  await clock.advance('10s')
  known.learn([b])
  await clock.advance('1m')
  expect(told).toEqual(['a', 'b'])
})

it('tells nothing after it was cancelled', async () => {
  const { clock, told, known } = scene()
  known.learn([a])
  known.learn([])
  known.cancel()
  await clock.advance('1m')
  expect(told).toEqual(['a'])
})
