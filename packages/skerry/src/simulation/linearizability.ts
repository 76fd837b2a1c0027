/**
 * Whether what clients were told by objects that many of them used at once could have come of one operation after the other, each at some
 * moment between its invocation and its answer: linearizability (Herlihy and Wing, 1990). It is local, so each object is looked at alone.
 */
import { canonicalJson } from '../base/json.ts'
import type { HistoryEntry, SequentialModel } from './history.ts'
import { outcomesOf } from './history.ts'
import type { Linearized, LongestPrefix } from './linearization.ts'
import { LinearizationSearch } from './linearization.ts'

export interface LinearizabilityOptions {
  /** How many configurations may be looked at for one key, each some 100 bytes of memory. Default: 200 000. */
  readonly maxConfigurations?: number
}

export type Linearizability<State, Operation, Result> = (
  | { readonly verdict: 'ok' }
  | {
      readonly verdict: 'failed'
      /** The first in the history of those that fail. */
      readonly key: string
      /** The longest order that was found of what has an answer, with what the model says; what has none may be among it. */
      readonly prefix: readonly Linearized<State, Operation, Result>[]
      /** For a person: the end of that order and what could not follow it, in the order of their invocations. */
      readonly description: string
    }
  /** No key fails as far as the limit allows to see, and of this one it does not allow to see enough. */
  | { readonly verdict: 'unknown'; readonly key: string }
) & {
  /** How many were looked at for all keys together. */
  readonly configurations: number
}

/**
 * Looks for an order of the history that the model allows for each key.
 *
 * Throws a `RangeError` when an operation ends before it begins, or a moment is not a number.
 */
export function checkLinearizability<State, Operation, Result>(
  history: readonly HistoryEntry<Operation, Result>[],
  model: SequentialModel<State, Operation, Result>,
  { maxConfigurations = 200_000 }: LinearizabilityOptions = {},
): Linearizability<State, Operation, Result> {
  for (const entry of history)
    if (!(entry.invokedAt <= (entry.completedAt ?? Infinity)))
      throw new RangeError(`An operation ends before it begins, or at no moment: ${asked(entry)}`)
  let configurations = 0
  let unknown: string | undefined
  for (const [key, entries] of Map.groupBy(history, ({ key }) => key)) {
    const search = new LinearizationSearch(model, entries)
    const found = search.run(maxConfigurations)
    configurations += search.configurations
    if (found === undefined) unknown ??= key
    else if (found !== true)
      return { verdict: 'failed', key, prefix: found.order, description: describe(key, entries.length, found, model), configurations }
  }
  return unknown === undefined ? { verdict: 'ok', configurations } : { verdict: 'unknown', key: unknown, configurations }
}

/** How much of an order that was found is shown. */
const SHOWN_STEPS = 10
const MAX_SHOWN_CHARACTERS = 200

function describe<State, Operation, Result>(
  key: string,
  count: number,
  { order, next }: LongestPrefix<State, Operation, Result>,
  model: SequentialModel<State, Operation, Result>,
): string {
  const hidden = Math.max(0, order.length - SHOWN_STEPS)
  const state = order.length === 0 ? model.initial : order.at(-1)!.state
  const lines = [
    ...order.slice(hidden).map(({ entry, result, state }, place) => ({
      entry,
      remark: `${hidden + place + 1}. in the order found, with ${shown(result)}: the state is ${shown(state)}`,
    })),
    ...next.map((entry) => ({ entry, remark: remarkOnNext(entry, order.length + 1, allowed(model, state, entry.operation)) })),
  ].toSorted((one, other) => one.entry.invokedAt - other.entry.invokedAt)
  return [
    `No order of the ${count} operations on "${key}" explains what the clients were told. The longest that was found has ${order.length}` +
      ` of them; the state is then ${shown(state)}, and nothing fits that may come next:`,
    ...(hidden === 0 ? [] : [`  (${hidden} that come first in the order found)`]),
    ...lines.map(({ entry, remark }) => `  ${asked(entry)}\n    ${remark}`),
  ].join('\n')
}

function allowed<State, Operation, Result>(
  model: SequentialModel<State, Operation, Result>,
  state: State,
  operation: Operation,
): readonly string[] {
  return outcomesOf(model, state, operation).map(({ result }) => shown(result))
}

function remarkOnNext({ completedAt }: HistoryEntry, place: number, results: readonly string[]): string {
  if (completedAt === undefined) return 'never answered: whether it has happened or not, nothing else fits'
  if (results.length === 0) return `cannot be the ${place}.: the model does not allow it here`
  return `cannot be the ${place}.: the model allows ${results.join(' or ')}`
}

/** `3 to 7, client a: {"read":true} gave 1` */
function asked({ client, operation, invokedAt, completedAt, result }: HistoryEntry): string {
  const what = `client ${client}: ${shown(operation)}`
  return completedAt === undefined ? `${invokedAt}, ${what}, no answer` : `${invokedAt} to ${completedAt}, ${what} gave ${shown(result)}`
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : canonicalJson(value)
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text
}
