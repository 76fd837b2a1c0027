/**
 * The search for an order of the operations on one object that its model allows, and in which nothing comes before what had ended when
 * it began. It takes one operation after the other and goes back where none fits (Wing and Gong, 1993), and never again into a
 * configuration, those that were taken and the state they led to, from which it has come back before (Lowe, 2017; so does Porcupine).
 *
 * The configurations grow with the length of the history, and exponentially only with how many operations are under way at once, among
 * which each that was never answered is for ever, and with what a state remembers of their order, as that of a queue does. Of those never
 * answered as few are taken as can be: none without an effect, and of equal ones the earliest first, since one may stand for the other.
 */
import { canonicalJson, sameJson } from '../base/json.ts'
import type { HistoryEntry, Outcome, SequentialModel } from './history.ts'
import { outcomesOf } from './history.ts'

/** An operation in its place, with what the model says of it. */
export interface Linearized<State, Operation, Result> extends Outcome<State, Result> {
  readonly entry: HistoryEntry<Operation, Result>
}

export interface LongestPrefix<State, Operation, Result> {
  readonly order: readonly Linearized<State, Operation, Result>[]
  /** Those that may come next by their times, and none of which leads further. */
  readonly next: readonly HistoryEntry<Operation, Result>[]
}

/** True: there is such an order. Undefined: not known within the limit. Otherwise what came closest. */
export type Linearization<State, Operation, Result> = true | undefined | LongestPrefix<State, Operation, Result>

interface Move<State, Result> extends Outcome<State, Result> {
  readonly index: number
  readonly stateId: number
}

interface Frame<State, Result> {
  readonly move: Move<State, Result> | undefined
  readonly firstBefore: number
  readonly moves: Iterator<Move<State, Result>, void>
}

export class LinearizationSearch<State, Operation, Result> {
  readonly #model: SequentialModel<State, Operation, Result>
  /** Those with an answer and then those without, each in the order in which they were invoked. */
  readonly #entries: readonly HistoryEntry<Operation, Result>[]
  readonly #answered: number
  /** For each without an answer the one before it that asked the same. */
  readonly #twins = new Map<number, number>()
  readonly #taken: Uint8Array
  #answeredTaken = 0
  /** The first with an answer that is not taken: all before it are. */
  #first = 0
  readonly #stateIds = new Map<string, number>()
  readonly #seen = new Set<string>()
  #longest: LongestPrefix<State, Operation, Result> = { order: [], next: [] }
  #longestAnswered = -1

  constructor(model: SequentialModel<State, Operation, Result>, history: readonly HistoryEntry<Operation, Result>[]) {
    this.#model = model
    const inOrder = history.toSorted((one, other) => one.invokedAt - other.invokedAt)
    const answered = inOrder.filter(({ completedAt }) => completedAt !== undefined)
    this.#entries = [...answered, ...inOrder.filter(({ completedAt }) => completedAt === undefined)]
    this.#answered = answered.length
    this.#taken = new Uint8Array(this.#entries.length)
    const latest = new Map<string, number>()
    for (let index = this.#answered; index < this.#entries.length; index++) {
      const asked = canonicalJson(this.#entries[index]!.operation)
      const twin = latest.get(asked)
      if (twin !== undefined) this.#twins.set(index, twin)
      latest.set(asked, index)
    }
  }

  /** How many configurations it has been in. */
  get configurations(): number {
    return this.#seen.size
  }

  run(maxConfigurations: number): Linearization<State, Operation, Result> {
    const { initial } = this.#model
    const frames: Frame<State, Result>[] = [{ move: undefined, firstBefore: 0, moves: this.#moves(initial, this.#idOf(initial)) }]
    while (this.#answeredTaken < this.#answered) {
      const frame = frames.at(-1)
      if (frame === undefined) return this.#longest
      const { done, value: move } = frame.moves.next()
      if (done === true) {
        this.#remember(frames)
        frames.pop()
        if (frame.move !== undefined) this.#putBack(frame.move.index, frame.firstBefore)
        continue
      }
      const firstBefore = this.#first
      this.#take(move.index)
      const configuration = this.#configuration(move.stateId)
      if (this.#seen.has(configuration)) this.#putBack(move.index, firstBefore)
      else if (this.#seen.size === maxConfigurations) return undefined
      else {
        this.#seen.add(configuration)
        frames.push({ move, firstBefore, moves: this.#moves(move.state, move.stateId) })
      }
    }
    return true
  }

  /** Lazily: whenever the next one is asked for, the same operations are taken as at the beginning. */
  *#moves(state: State, stateId: number): Generator<Move<State, Result>, void> {
    for (const index of this.#candidates()) {
      const { operation, result } = this.#entries[index]!
      for (const outcome of outcomesOf(this.#model, state, operation)) {
        const move = { index, state: outcome.state, result: outcome.result, stateId: this.#idOf(outcome.state) }
        const fits = index < this.#answered ? this.#isSame(result, outcome.result) : move.stateId !== stateId
        if (fits) yield move
      }
    }
  }

  /** What may come next: what was invoked before any of those that are not taken had ended. First what has an answer to be explained. */
  *#candidates(): Generator<number, void> {
    let firstEnd = Infinity
    for (let index = this.#first; index < this.#answered; index++) {
      const { invokedAt, completedAt } = this.#entries[index]!
      if (invokedAt > firstEnd) break
      if (this.#taken[index] === 1) continue
      firstEnd = Math.min(firstEnd, completedAt!)
      yield index
    }
    for (let index = this.#answered; index < this.#entries.length; index++) {
      if (this.#entries[index]!.invokedAt > firstEnd) break
      const twin = this.#twins.get(index)
      if (this.#taken[index] === 0 && (twin === undefined || this.#taken[twin] === 1)) yield index
    }
  }

  #isSame(told: Result | undefined, expected: Result): boolean {
    return this.#model.sameResult?.(told, expected) ?? sameJson(told, expected)
  }

  #take(index: number): void {
    this.#taken[index] = 1
    if (index >= this.#answered) return
    this.#answeredTaken++
    while (this.#first < this.#answered && this.#taken[this.#first] === 1) this.#first++
  }

  #putBack(index: number, firstBefore: number): void {
    this.#taken[index] = 0
    if (index < this.#answered) this.#answeredTaken--
    this.#first = firstBefore
  }

  /** Which operations are taken, and the state they led to, as text. */
  #configuration(stateId: number): string {
    let text = `${stateId} ${this.#first}`
    for (let index = this.#first, left = this.#answeredTaken - this.#first; left > 0; index++) {
      if (this.#taken[index] === 0) continue
      text += ` ${index}`
      left--
    }
    for (let index = this.#answered; index < this.#entries.length; index++) if (this.#taken[index] === 1) text += ` ${index}`
    return text
  }

  #idOf(state: State): number {
    const text = this.#model.stateText?.(state) ?? canonicalJson(state)
    const known = this.#stateIds.get(text)
    if (known !== undefined) return known
    this.#stateIds.set(text, this.#stateIds.size)
    return this.#stateIds.size - 1
  }

  /** Of those with as many answers the one with the least that has none: the rest of it would explain nothing. */
  #remember(frames: readonly Frame<State, Result>[]): void {
    if (this.#answeredTaken < this.#longestAnswered) return
    if (this.#answeredTaken === this.#longestAnswered && frames.length > this.#longest.order.length) return
    this.#longestAnswered = this.#answeredTaken
    this.#longest = {
      order: frames.flatMap(({ move }) =>
        move === undefined ? [] : [{ entry: this.#entries[move.index]!, state: move.state, result: move.result }],
      ),
      next: Array.from(this.#candidates(), (index) => this.#entries[index]!),
    }
  }
}
