import { expect, it } from 'vitest'
import { CallsInProgress } from './calls-in-progress.ts'

it('keeps calls apart whose numbers fall on the same place, whichever ends first', () => {
  const calls = new CallsInProgress<{ readonly number: number }>()
  const [first, second, third] = [{ number: 7 }, { number: 7 + 2_048 }, { number: 7 + 2 * 2_048 }] as const
  for (const call of [first, second, third]) calls.add(call)
  expect([calls.size, calls.get(7), calls.get(2_055), calls.get(4_103), calls.has(6_151)]).toEqual([3, first, second, third, false])

  calls.delete(first)
  expect([calls.size, calls.get(7), calls.get(2_055)]).toEqual([2, undefined, second])
  const again = { number: 7 }
  calls.add(again)
  calls.delete(first)
  expect(calls.get(7)).toBe(again)

  expect(calls.takeAll()).toEqual([again, second, third])
  expect([calls.size, calls.has(7), calls.has(2_055)]).toEqual([0, false, false])
})
