/**
 * What a seed decides. Every choice is drawn from the seed and from its own name, and not from a stream of numbers: when one is taken
 * away, all the others stay as they were. So a failure can be shrunk by leaving out faults, and kept as the list of those that it needs.
 */

/** A fault or another turn of events that was chosen, such as `orders: crash at relay.published #2`. */
export type Choice = string

export interface ChoicesOptions {
  readonly seed: number
  /** Only these happen, as in a replay. Default: what the seed decides. */
  readonly only?: ReadonlySet<Choice> | undefined
  /** Delays and ties are not varied: everything comes in the order in which it was begun. */
  readonly calm?: boolean
}

export class Choices {
  readonly seed: number
  readonly calm: boolean
  readonly #only: ReadonlySet<Choice> | undefined
  readonly #counts = new Map<string, number>()
  readonly #taken: Choice[] = []

  constructor({ seed, only, calm = false }: ChoicesOptions) {
    this.seed = seed
    this.calm = calm
    this.#only = only
  }

  /** What has happened by choice, in order. */
  get taken(): readonly Choice[] {
    return this.#taken
  }

  /** What a replay was to repeat and was never asked for: the code has changed since. */
  get unasked(): readonly Choice[] {
    if (this.#only === undefined) return []
    const taken = new Set(this.#taken)
    return [...this.#only].filter((choice) => !taken.has(choice))
  }

  /** Whether what the name says happens this time. The name of the choice if so. */
  happens(name: string, probability: number): Choice | undefined {
    if (probability <= 0 && this.#only === undefined) return undefined
    const choice = this.#next(name)
    const happens = this.#only === undefined ? unit(this.seed, choice) < probability : this.#only.has(choice)
    if (!happens) return undefined
    this.#taken.push(choice)
    return choice
  }

  /** How long something takes, in milliseconds: `min`, or up to `max` where the seed has it vary. */
  delayMs(name: string, min: number, max: number): number {
    if (this.calm || max <= min) return min
    return min + unit(this.seed, this.#next(name)) * (max - min)
  }

  /** A number in [0, 1) that belongs to a choice: its size, its time, its victim. */
  sizeOf(choice: Choice, aspect = ''): number {
    return unit(this.seed, `${choice}/${aspect}`)
  }

  #next(name: string): Choice {
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    return choiceOf(name, count)
  }
}

/** The choice that is asked for by this name for the first, second, … time. */
export function choiceOf(name: string, time: number): Choice {
  return `${name} #${time}`
}

export function partsOf(choice: Choice): { readonly name: string; readonly time: number } {
  const end = choice.lastIndexOf(' #')
  return { name: choice.slice(0, end), time: Number(choice.slice(end + 2)) }
}

/** A number in [0, 1) of 32 bits: FNV-1a over the text, begun from the seed, and mixed as MurmurHash3 does at its end. */
export function unit(seed: number, text: string): number {
  let hash = Math.imul((seed | 0) ^ 0x811c9dc5, 0x01000193) ^ Math.floor(seed / 0x1_0000_0000)
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 0x1_0000_0000
}
