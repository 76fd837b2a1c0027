/** The boundary to randomness: services and the platform draw from a `Random`, so that a seed can decide. */
export interface Random {
  /** A number in [0, 1), of 53 random bits. */
  next(): number
  /** A whole number from `min` to `max`, both included. Throws a `RangeError` when there is none. */
  int(min: number, max: number): number
  /** One element; throws a `RangeError` on an empty list. */
  pick<T>(from: readonly T[]): T
}

/** The machine's cryptographic generator, because ids that can be guessed are keys that can be forged. */
export const systemRandom: Random = random(systemWords())

/**
 * A reproducible source (sfc32): the same seed, a whole number, gives the same numbers for ever, other seeds unrelated ones.
 * Not for secrets.
 */
export function seededRandom(seed: number): Random {
  let a = 0
  let b = seed | 0
  let c = Math.floor(seed / 0x1_0000_0000) | 0
  let counter = 1
  const word = (): number => {
    const result = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + result) | 0
    return result >>> 0
  }
  // The first words of neighbouring seeds resemble each other: pass them by.
  for (let discarded = 0; discarded < 15; discarded++) word()
  return random(word)
}

function random(word: () => number): Random {
  const next = (): number => ((word() >>> 5) * 0x400_0000 + (word() >>> 6)) / 0x20_0000_0000_0000
  const int = (min: number, max: number): number => {
    if (!(min <= max)) throw new RangeError(`There is no whole number from ${min} to ${max}`)
    return min + Math.floor(next() * (max - min + 1))
  }
  return {
    next,
    int,
    pick(from) {
      if (from.length === 0) throw new RangeError('Cannot pick from an empty list')
      return from[int(0, from.length - 1)]!
    },
  }
}

/** Words of 32 bits, drawn from the system a thousand at a time: one by one costs a hundred times as much. */
function systemWords(): () => number {
  const words = new Uint32Array(1_024)
  let used = words.length
  return () => {
    if (used === words.length) {
      crypto.getRandomValues(words)
      used = 0
    }
    return words[used++]!
  }
}
