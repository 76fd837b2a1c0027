/** A fixed set of seeds of the whole shop, and every failure that was ever kept. `npm run simulate` goes on where this ends. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Simulator } from 'skerry/simulation'
import { formatTrace, openSimulator, optionsOf, readRegression } from 'skerry/simulation'
import { afterAll, beforeAll, expect, test } from 'vitest'
import wholeShop from './whole-shop.simulation.ts'

type Shop = typeof wholeShop extends { readonly options: { readonly state: (outside: never) => infer State } } ? Simulator<State> : never

const KEPT = new URL('./regressions/whole-shop/', import.meta.url)
const kept = existsSync(KEPT) ? readdirSync(KEPT) : []

let simulator: Shop
beforeAll(async () => {
  simulator = await openSimulator(wholeShop)
})
afterAll(() => simulator[Symbol.asyncDispose]())

async function check(options: Parameters<Shop['run']>[0]): Promise<void> {
  const { failure, trace } = await simulator.run(options)
  if (failure !== undefined) expect.fail(`${failure.name}: ${failure.messages.join('\n')}\n\n${formatTrace(trace.slice(-80))}`)
}

test.each(kept)('does not fail any more: %s', async (file) => {
  const regression = readRegression(readFileSync(new URL(file, KEPT), 'utf8'), file)
  await check(optionsOf(regression))
})

test.each([
  ['mild', 5],
  ['rough', 15],
  ['hell', 20],
] as const)('with faults that are %s, what must hold holds: %i seeds', async (faults, seeds) => {
  for (let seed = 1; seed <= seeds; seed++) await check({ seed, faults })
})

test('two runs of a seed do the same', async () => {
  for (let seed = 1; seed <= 3; seed++) {
    const { hash } = await simulator.run({ seed, faults: 'hell' })
    expect((await simulator.run({ seed, faults: 'hell' })).hash).toBe(hash)
  }
})
