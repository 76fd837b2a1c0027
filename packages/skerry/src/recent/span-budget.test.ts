import { expect, test } from 'vitest'
import { hexadecimal } from './fixtures/span.ts'
import { SpanBudget } from './span-budget.ts'

const idOf = (number: number): string => hexadecimal(number, 32)

/** What is kept of so many traces of two spans each, spread over a second. */
function second(budget: SpanBudget, traces: number, startMs: number): number[] {
  return Array.from({ length: traces }, (_, number) => number).filter((number) => {
    const kept = [0, 1].map(() => budget.admits(idOf(startMs + number), startMs + (number * 1_000) / traces))
    return kept[0] === true && kept[1] === true
  })
}

test('everything is kept as long as it is not too much', () => {
  const budget = new SpanBudget(200)
  for (let at = 1; at < 5; at++) expect(second(budget, 100, at * 1_000)).toHaveLength(100)
  expect(budget.share).toBe(1)
})

test('of too much about as much is kept as may be, and from the next second on only whole traces', () => {
  const budget = new SpanBudget(200)
  second(budget, 1_000, 1_000)
  for (let at = 2; at < 6; at++) {
    let spans = 0
    let whole = 0
    for (let number = 0; number < 1_000; number++) {
      const kept = [0, 1, 2].filter(() => budget.admits(idOf(number), at * 1_000 + number)).length
      spans += kept
      if (kept === 3) whole++
    }
    if (at === 2) continue
    expect(spans).toBe(whole * 3)
    expect(spans).toBeGreaterThan(100)
    expect(spans).toBeLessThan(260)
  }
})

test('what comes all at once is cut at once, and when it is over all is kept again', () => {
  const budget = new SpanBudget(100)
  let kept = 0
  for (let number = 0; number < 100_000; number++) if (budget.admits(idOf(number), 1_000)) kept++
  expect(kept).toBeLessThan(1_500)
  expect(budget.admits(idOf(1), 60_000)).toBe(true)
  expect(budget.share).toBe(1)
})

test('two processes keep the same traces, and the one that keeps fewer none that the other does not', () => {
  const [much, little] = [new SpanBudget(400), new SpanBudget(100)]
  second(much, 1_000, 1_000)
  second(little, 1_000, 1_000)
  const keptMuch = second(much, 1_000, 2_000)
  const keptLittle = second(little, 1_000, 2_000)
  expect(keptLittle.length).toBeGreaterThan(20)
  expect(keptMuch).toEqual(expect.arrayContaining(keptLittle))
  expect(keptMuch.length).toBeGreaterThan(keptLittle.length)
})
