/**
 * Finds out how little of a failure is needed: fewer faults, fewer operations, nothing late. What is left out is left out by its name, so
 * that all the rest stays as it was; what still fails in the same way is kept, and the search goes on from there (Zeller's ddmin).
 */
import type { Choice } from './choices.ts'
import { choiceOf, partsOf } from './choices.ts'
import type { Failure, Run, RunOptions } from './outcome.ts'

/** Up to which time a fault is tried to happen instead of later. */
const FIRST_TIMES = 4

/** What a failure needs. */
export interface Shrunk {
  /** The smallest run that still fails. */
  readonly run: Run
  /** How it is run again. */
  readonly options: RunOptions
  /** How many runs it took. */
  readonly tries: number
}

export interface ShrinkOptions {
  readonly run: (options: RunOptions) => Promise<Run>
  /** How many runs it may take. Default: 300. */
  readonly maxTries?: number
  /** Told of each smaller run. */
  readonly onProgress?: (operations: number, choices: number) => void
}

/** Shrinks a run that has failed. Resolves with the run itself when nothing can be left out, or when it does not fail a second time. */
export async function shrink(failed: Run, options: RunOptions, { run, maxTries = 300, onProgress }: ShrinkOptions): Promise<Shrunk> {
  const search = new Search(failed, options, run, maxTries, onProgress)
  // What does not fail a second time cannot be searched.
  if (!(await search.try({}))) return search.result
  let size: number
  do {
    size = search.size
    await search.try({ calm: true })
    await search.try({ only: new Set() })
    await search.hasten()
    await search.reduce(
      ({ onlyOperations }) => [...onlyOperations],
      (operations) => ({ onlyOperations: new Set(operations) }),
    )
    await search.reduce(
      ({ only }) => [...only],
      (choices) => ({ only: new Set(choices) }),
    )
  } while (search.size < size)
  return search.result
}

/** Of a run that broke it is the error: they all go by one name. What else is in its message, such as a stack, differs from run to run. */
function wayOf({ kind, name, messages }: Failure): string {
  return JSON.stringify([kind, name, kind === 'error' ? messages[0]?.split('\n', 1)[0] : undefined])
}

interface Kept extends RunOptions {
  readonly only: ReadonlySet<Choice>
  readonly onlyOperations: ReadonlySet<number>
}

class Search {
  readonly #run: (options: RunOptions) => Promise<Run>
  readonly #maxTries: number
  readonly #onProgress: ShrinkOptions['onProgress']
  readonly #failure: Failure
  #best: Run
  #options: Kept
  #tries = 0

  constructor(
    failed: Run,
    options: RunOptions,
    run: (options: RunOptions) => Promise<Run>,
    maxTries: number,
    onProgress: ShrinkOptions['onProgress'],
  ) {
    this.#best = failed
    this.#failure = failed.failure!
    this.#options = { ...options, only: new Set(failed.choices), onlyOperations: new Set(failed.history.map(({ index }) => index)) }
    this.#run = run
    this.#maxTries = maxTries
    this.#onProgress = onProgress
  }

  get result(): Shrunk {
    return { run: this.#best, options: this.#options, tries: this.#tries }
  }

  /** How much is left. */
  get size(): number {
    return this.#options.onlyOperations.size + this.#options.only.size + (this.#options.calm === true ? 0 : 1)
  }

  /** Keeps a change if it still fails in the same way. */
  async try(change: Partial<RunOptions>): Promise<boolean> {
    if (this.#tries >= this.#maxTries) return false
    this.#tries++
    const options = { ...this.#options, ...change }
    const run = await this.#run(options)
    if (run.failure === undefined || wayOf(run.failure) !== wayOf(this.#failure)) return false
    this.#best = run
    // What was not asked for any more is not needed.
    const began = new Set(run.history.map(({ index }) => index))
    this.#options = {
      ...options,
      only: new Set(run.choices),
      onlyOperations: new Set([...options.onlyOperations].filter((index) => began.has(index))),
    }
    this.#onProgress?.(this.#options.onlyOperations.size, this.#options.only.size)
    return true
  }

  /** Has faults happen one of the first times, and not one of the later: what leads up to those is then not needed. */
  async hasten(): Promise<void> {
    for (const choice of this.#options.only) {
      const { name, time } = partsOf(choice)
      for (let earlier = 1; earlier < time && earlier <= FIRST_TIMES; earlier++) {
        const { only } = this.#options
        if (!only.has(choice)) break
        if (await this.try({ only: new Set([...only].map((other) => (other === choice ? choiceOf(name, earlier) : other))) })) break
      }
    }
  }

  /** Leaves out halves, quarters, … and at last single ones. */
  async reduce<T>(itemsOf: (kept: Kept) => readonly T[], changeTo: (items: readonly T[]) => Partial<RunOptions>): Promise<void> {
    let chunk = Math.ceil(itemsOf(this.#options).length / 2)
    while (chunk >= 1 && this.#tries < this.#maxTries) {
      let isSmaller = false
      for (let from = 0; from < itemsOf(this.#options).length && this.#tries < this.#maxTries;) {
        const items = itemsOf(this.#options)
        const rest = [...items.slice(0, from), ...items.slice(from + chunk)]
        if (await this.try(changeTo(rest))) isSmaller = true
        else from += chunk
      }
      if (chunk === 1 && !isSmaller) return
      chunk = chunk === 1 ? 1 : Math.ceil(chunk / 2)
    }
  }
}
