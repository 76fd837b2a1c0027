/** What the operations of a seed are and with what input: decided before anything runs, so that leaving one out does not change the others. */
import type { Random } from '../base/random.ts'
import { seededRandom } from '../base/random.ts'
import { unit } from './choices.ts'
import type { FastCheckArbitrary, Generate, SimulationOptions } from './simulation.ts'

export interface PlannedOperation {
  readonly index: number
  readonly name: string
  readonly input: unknown
  /** Of the operation's own. */
  readonly random: Random
}

/** Samples a generator of fast-check by a whole number. */
export type Sample = (arbitrary: FastCheckArbitrary<unknown>, seed: number) => unknown

/** Loads fast-check if one of the inputs needs it. */
export async function samplerFor({ operations }: Pick<SimulationOptions<never>, 'operations'>): Promise<Sample> {
  const needsIt = Object.values(operations).some(({ input }) => typeof input === 'object')
  if (!needsIt) return () => undefined
  const { sample } = (await import('fast-check')) as {
    sample: (arbitrary: unknown, options: { seed: number; numRuns: number }) => unknown[]
  }
  return (arbitrary, seed) => sample(arbitrary, { seed, numRuns: 1 })[0]
}

export function planOperations(
  { operations }: Pick<SimulationOptions<never>, 'operations'>,
  seed: number,
  count: number,
  sample: Sample,
): readonly PlannedOperation[] {
  const kinds = Object.entries(operations)
  const total = kinds.reduce((sum, [, { weight = 1 }]) => sum + weight, 0)
  return Array.from({ length: count }, (_, index) => {
    let left = unit(seed, `operation ${index}`) * total
    const [name, { input }] = kinds.find(([, { weight = 1 }]) => (left -= weight) < 0) ?? kinds.at(-1)!
    const own = Math.floor(unit(seed, `input ${index}`) * 0x1_0000_0000)
    const generate = input as Generate<unknown> | FastCheckArbitrary<unknown> | undefined
    const value =
      typeof generate === 'function' ? generate(seededRandom(own)) : generate === undefined ? undefined : sample(generate, own | 0)
    return { index, name, input: value, random: seededRandom(own ^ 0x5eed) }
  })
}
