import { expect, test } from 'vitest'
import { nextIndex } from './blocking-index.ts'

test.each([
  ['goes on', 5, '7', 7],
  ['stays', 5, '5', 5],
  ['begins anew when it goes backwards', 5, '4', 0],
  ['is at least 1', 0, '0', 1],
  ['begins anew without one', 5, undefined, 0],
  ['begins anew with nonsense', 5, 'x', 0],
])('the index %s', (_, before, given, next) => {
  expect(nextIndex(before, given)).toBe(next)
})
