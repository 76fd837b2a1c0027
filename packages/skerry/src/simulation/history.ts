/** What clients asked of an object and what they were told; and the model of that object, which knows one client at a time. */

/** What is known not to have happened does not belong into a history. */
export interface HistoryEntry<Operation = unknown, Result = unknown> {
  readonly client: string
  /** Which object it was about. */
  readonly key: string
  /** What was asked: a plain value. */
  readonly operation: Operation
  /**
   * A time, or better a position in the order of what happened: of moments only the order counts, and operations that meet at the same
   * moment are taken for concurrent.
   */
  readonly invokedAt: number
  /** Undefined where no answer came: the operation happened at any time after it was invoked, or never. */
  readonly completedAt: number | undefined
  /** Without an answer it says nothing. */
  readonly result: Result | undefined
}

export interface Outcome<State, Result> {
  readonly state: State
  readonly result: Result
}

/** What an object does when it is asked one thing after the other: its sequential specification (Herlihy and Wing, 1990). */
export interface SequentialModel<State, Operation, Result> {
  readonly initial: State
  /** What comes of an operation, or all that may come of it: nothing where it cannot happen. Leaves the state that it is given as it is. */
  apply(state: State, operation: Operation): Outcome<State, Result> | readonly Outcome<State, Result>[]
  /** A text that is the same for equal states, and for no others. Default: its JSON, which says nothing of a `Map` or a `Set`. */
  stateText?(state: State): string
  /** Whether what a client was told is what the model says. Default: by their JSON. */
  sameResult?(told: Result | undefined, expected: Result): boolean
}

export function outcomesOf<State, Operation, Result>(
  model: SequentialModel<State, Operation, Result>,
  state: State,
  operation: Operation,
): readonly Outcome<State, Result>[] {
  const outcomes = model.apply(state, operation)
  return isList(outcomes) ? outcomes : [outcomes]
}

/** `Array.isArray` does not know of lists that are readonly. */
function isList<T>(value: T | readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}
