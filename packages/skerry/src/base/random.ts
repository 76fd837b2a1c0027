/** The boundary to randomness: services and the platform draw from a `Random`, so that a seed can decide. */
export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number
  /** One element; throws a `RangeError` on an empty list. */
  pick<T>(from: readonly T[]): T
}

export const systemRandom: Random = random(Math.random)

/** A reproducible source: the same seed gives the same numbers (mulberry32). Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return random(() => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  })
}

function random(next: () => number): Random {
  const int = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1))
  return {
    next,
    int,
    pick(from) {
      if (from.length === 0) throw new RangeError('Cannot pick from an empty list')
      return from[int(0, from.length - 1)]!
    },
  }
}
