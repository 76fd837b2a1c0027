/** Shrinking, over runs of which it is known what they need in order to fail. */
import { expect, test } from 'vitest'
import { seededRandom } from '../base/random.ts'
import type { MadeUp, MadeUpOptions } from './fixtures/made-up-run.ts'
import { broken, madeUp } from './fixtures/made-up-run.ts'
import type { Failure } from './outcome.ts'
import type { ShrinkOptions } from './shrink.ts'
import { shrink } from './shrink.ts'

const OPERATIONS = 20
const FAULTS = Array.from({ length: 15 }, (_, index) => `node ${index}: crash #1`)

/** Shrinks the whole run of what is made up. */
async function shrunk(options: Partial<MadeUpOptions> & Pick<MadeUpOptions, 'failure'>, more: Omit<ShrinkOptions, 'run'> = {}) {
  const { run, tried } = madeUp({ operations: OPERATIONS, asked: () => FAULTS, ...options })
  const failed = await run({ seed: 7, faults: 'hell', operations: OPERATIONS })
  tried.length = 0
  const result = await shrink(failed, { seed: 7, faults: 'hell', operations: OPERATIONS }, { run, ...more })
  expect(result.tries).toBe(tried.length)
  expect(result.options.only).toEqual(new Set(result.run.choices))
  return {
    ...result,
    failed,
    operations: result.run.history.map(({ index }) => index),
    again: () => run(result.options),
  }
}

const needing =
  (operations: readonly number[], choices: readonly string[]) =>
  (made: MadeUp): Failure | undefined =>
    operations.every((index) => made.operations.includes(index)) && choices.every((choice) => made.choices.includes(choice))
      ? broken
      : undefined

test('exactly what a failure needs is left, and run again it fails', async () => {
  const { run, operations, options, again } = await shrunk({ failure: needing([3, 17], [FAULTS[2]!, FAULTS[11]!]) })
  expect([operations, run.choices]).toEqual([
    [3, 17],
    [FAULTS[2], FAULTS[11]],
  ])
  expect(options).toMatchObject({ seed: 7, faults: 'hell', operations: OPERATIONS, calm: true })
  expect(await again()).toMatchObject({ failure: broken, unasked: [] })
})

test('whatever it is that it needs', async () => {
  const random = seededRandom(1)
  for (let round = 0; round < 200; round++) {
    const neededOperations = Array.from({ length: OPERATIONS }, (_, index) => index).filter(() => random.int(1, 8) === 1)
    const neededChoices = FAULTS.filter(() => random.int(1, 6) === 1)
    const { run, operations } = await shrunk({ failure: needing(neededOperations, neededChoices) }, { maxTries: 1_000 })
    expect([operations, run.choices]).toEqual([neededOperations, neededChoices])
  }
})

test('what fails by itself is left with nothing', async () => {
  const { run, operations, tries } = await shrunk({ failure: () => broken })
  expect([operations, run.choices]).toEqual([[], []])
  expect(tries).toBeLessThan(20)
})

test('what depends on what comes late is not made calm', async () => {
  const { options, operations } = await shrunk({ failure: (made) => (made.calm ? undefined : needing([5], [])(made)) })
  expect(options.calm).not.toBe(true)
  expect(operations).toEqual([5])
})

test('what is not asked for without an operation goes with it, and takes no runs of its own', async () => {
  const { run, operations } = await shrunk(
    {
      asked: (carriedOut) => carriedOut.map((index) => `call ${index}: lostAnswer #1`),
      failure: needing([4], ['call 4: lostAnswer #1']),
    },
    { maxTries: 16 },
  )
  expect([operations, run.choices]).toEqual([[4], ['call 4: lostAnswer #1']])
})

test('a fault that may as well happen the first time does, and needs nothing before it', async () => {
  const { run, operations } = await shrunk({
    asked: (done) => done.map((_, place) => `call: lostAnswer #${place + 1}`),
    seeded: new Set(['call: lostAnswer #11']),
    failure: ({ choices }) => (choices.length > 0 ? broken : undefined),
  })
  expect([operations.length, run.choices]).toEqual([1, ['call: lostAnswer #1']])
})

test('a fault that must happen where it does stays there, with what leads up to it', async () => {
  const { run, operations } = await shrunk({
    asked: (done) => done.map((_, place) => `call: lostAnswer #${place + 1}`),
    seeded: new Set(['call: lostAnswer #6']),
    failure: ({ choices }) => (choices.includes('call: lostAnswer #6') ? broken : undefined),
  })
  expect([operations.length, run.choices]).toEqual([6, ['call: lostAnswer #6']])
})

test('what can be left out only without something else is left out when that has gone', async () => {
  const [cause, other] = [FAULTS[2]!, FAULTS[11]!]
  const { run, operations } = await shrunk({
    failure: (made) => {
      if (made.choices.includes(other) && !made.operations.includes(2)) return undefined
      if (made.operations.includes(9) && !made.operations.includes(4)) return undefined
      return needing([5], [cause])(made)
    },
  })
  expect([operations, run.choices]).toEqual([[5], [cause]])
})

test('it takes no more runs than it may, and what it has then still fails', async () => {
  for (const maxTries of [0, 1, 2, 5, 10, 20, 40]) {
    const { tries, failed, run, again } = await shrunk({ failure: needing([3, 9, 17], [FAULTS[2]!, FAULTS[11]!]) }, { maxTries })
    expect(tries).toBe(maxTries)
    expect(run.choices.length).toBeLessThanOrEqual(failed.choices.length)
    expect(await again()).toMatchObject({ failure: broken })
  }
})

test.each<[string, Failure, Failure]>([
  ['another invariant', broken, { ...broken, name: 'something else holds' }],
  ['what must come about in the end', broken, { ...broken, kind: 'eventually' }],
  [
    'another error',
    { kind: 'error', name: 'the run', messages: ['TypeError: no such thing\n    at here'] },
    { kind: 'error', name: 'the run', messages: ['Error: the simulation cannot go on\n    at there'] },
  ],
])('a smaller run that fails for another reason is not taken: %s', async (_, first, other) => {
  const { run, operations } = await shrunk({ failure: (made) => (needing([3, 4], [])(made) === undefined ? other : first) })
  expect(run.failure).toEqual(first)
  expect(operations).toEqual([3, 4])
})

test('the same failure may say something else each time', async () => {
  let runs = 0
  const { operations } = await shrunk({
    failure: (made) => {
      const failure = needing([3], [])(made)
      return failure && { ...failure, messages: [`it does not, for the ${++runs}th time`] }
    },
  })
  expect(operations).toEqual([3])
})

test('what does not fail a second time is given back as it was, at once', async () => {
  let runs = 0
  const { run, failed, options, tries } = await shrunk({ failure: () => (runs++ === 0 ? broken : undefined) })
  expect(run).toBe(failed)
  expect(tries).toBe(1)
  expect([options.only, options.onlyOperations?.size, options.calm]).toEqual([new Set(FAULTS), OPERATIONS, undefined])
})

test('what fails only now and then is not made less than a run that did', async () => {
  let runs = 0
  const { run } = await shrunk({ failure: (made) => (runs++ % 3 === 2 ? undefined : needing([3], [FAULTS[2]!])(made)) })
  expect(run.failure).toEqual(broken)
  expect([run.history.some(({ index }) => index === 3), run.choices.includes(FAULTS[2]!)]).toEqual([true, true])
})

test('it tells of each smaller run', async () => {
  const told: number[] = []
  await shrunk({ failure: needing([3], [FAULTS[2]!]) }, { onProgress: (operations, choices) => told.push(operations + choices) })
  expect(told).toEqual(told.toSorted((a, b) => b - a))
  expect(told.at(-1)).toBe(2)
})
