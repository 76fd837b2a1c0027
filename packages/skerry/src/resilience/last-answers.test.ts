import { expect, it } from 'vitest'
import { LastAnswers } from './last-answers.ts'

function answers(settings: Partial<ConstructorParameters<typeof LastAnswers>[0]> = {}) {
  const known = new LastAnswers({ maxEntries: 100, maxBytes: 10_000, maxAgeMs: 1_000, ...settings })
  const answer = (question: string, value: unknown, nowMs: number): void => {
    const asking = known.begin(question)
    known.remember(asking, value, nowMs)
    known.end(asking)
  }
  return { known, answer }
}

it('what is too old makes room for what is added', () => {
  const { known, answer } = answers({ maxEntries: 2 })
  answer('old', 1, 0)
  answer('newer', 2, 900)
  answer('newest', 3, 1_001)
  // Asked as of then, so that only what is kept counts and not how old it is.
  expect(known.find('old', 900)).toBeUndefined()
  expect(known.find('newer', 1_001)).toEqual({ value: 2, ageMs: 101 })
})

it('what is too old does not stay when there is room', () => {
  const { known, answer } = answers()
  answer('old', 1, 0)
  answer('new', 2, 1_001)
  expect(known.find('old', 900)).toBeUndefined()
})

it('what was asked counts too, by its length', () => {
  const { known, answer } = answers({ maxBytes: 3_000 })
  answer('a'.repeat(1_000), 1, 0)
  answer('b'.repeat(1_000), 2, 0)
  answer('c'.repeat(2_000), 3, 0)
  expect(known.find('a'.repeat(1_000), 0)).toBeUndefined()
  expect(known.find('b'.repeat(1_000), 0)).toEqual({ value: 2, ageMs: 0 })
  expect(known.find('c'.repeat(2_000), 0)).toBeUndefined()
})

it('room that is given back can be used again', () => {
  const { known, answer } = answers({ maxBytes: 3_000 })
  for (let nowMs = 0; nowMs < 50; nowMs++) answer('same', 'x'.repeat(1_000), nowMs)
  const gone = known.begin('same')
  known.forget(gone)
  known.end(gone)
  answer('other', 'y'.repeat(1_200), 50)
  expect(known.find('same', 50)).toBeUndefined()
  expect(known.find('other', 50)).toMatchObject({ ageMs: 0 })
})
