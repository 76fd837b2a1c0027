/** What a kept failure says, and what is said of a file that is none. */
import { expect, test } from 'vitest'
import { broken, madeUp } from './fixtures/made-up-run.ts'
import type { Regression } from './regression.ts'
import { optionsOf, readRegression, toRegression } from './regression.ts'

const kept: Regression = {
  simulation: 'orders',
  failure: 'it holds: it does not',
  seed: 4711,
  faults: 'hell',
  operations: 20,
  onlyOperations: [3, 17],
  choices: ['orders: crash #1'],
  calm: true,
}

test('a failure is kept with all it takes to run it again', async () => {
  const { run } = madeUp({ operations: 20, asked: () => ['orders: crash #1', 'users: crash #1'], failure: () => broken })
  const { seed, faults, operations, calm } = kept
  const options = { seed, faults, operations, calm, onlyOperations: new Set([17, 3]), only: new Set(['orders: crash #1']) }
  const regression = toRegression('orders', await run(options), options)
  expect(regression).toEqual(kept)
  expect(optionsOf(readRegression(JSON.stringify(regression), 'kept.json'))).toEqual(options)
})

test('what is left out of the options is kept as what it means', async () => {
  const { run } = madeUp({ operations: 2, asked: () => [], failure: () => broken })
  expect(toRegression('orders', await run({ seed: 1 }), { seed: 1 })).toMatchObject({ faults: 'rough', operations: 40, calm: false })
})

test.each<[string, string]>([
  ['', 'JSON'],
  ['{"simulation": "ord', 'JSON'],
  ['null', 'expected an object'],
  ['"orders"', 'expected an object'],
  ['[]', '"simulation" must be the name of one'],
  [having({ simulation: 7 }), '"simulation" must be the name of one'],
  [having({ seed: '4711' }), '"seed" must be a whole number'],
  [having({ seed: 1.5 }), '"seed" must be a whole number'],
  [having({ faults: 'harsh' }), '"faults" must be one of none, mild, rough, hell'],
  [having({ operations: undefined }), '"operations" must be a whole number from 1'],
  [having({ operations: 0 }), '"operations" must be a whole number from 1'],
  [having({ onlyOperations: 3 }), '"onlyOperations" must be a list of indexes from 0 to 19'],
  [having({ onlyOperations: [3, 20] }), '"onlyOperations" must be a list of indexes from 0 to 19'],
  [having({ onlyOperations: [-1] }), '"onlyOperations" must be a list of indexes from 0 to 19'],
  [having({ choices: [1] }), '"choices" must be a list of texts'],
  [having({ calm: 'no' }), '"calm" must be true or false'],
])('a file that is damaged is refused, with its name and what is wrong: %s', (text, message) => {
  expect(() => readRegression(text, 'regressions/orders/4711-hell.json')).toThrow(
    expect.objectContaining({
      code: 'regressionInvalid',
      message: expect.stringMatching(/^regressions\/orders\/4711-hell\.json is not a regression of a simulation: /) as string,
    }),
  )
  expect(() => readRegression(text, 'kept.json')).toThrow(message)
})

/** The text of the regression with something else in it. */
function having(change: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...kept, ...change })
}
