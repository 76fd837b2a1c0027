/**
 * How a run ended, in words that do not depend on how anything is kept, and what two such ends do not have in common. What depends on who comes
 * first is not part of it: when an event died, in which order other keys were handled, how often something was tried, and whether a step
 * beside the one that failed had begun.
 */
import type { SagaDefinition } from '../../saga/definition.ts'
import { keyOfReaction, sagaKey } from './workload.ts'

export interface EndState {
  /** By `consumer: topic/key`: the labels of the events that took effect, in order. */
  readonly handled: Readonly<Record<string, readonly string[]>>
  /** By `consumer: topic/key`: the events that died, and why. */
  readonly deadLetters: Readonly<Record<string, readonly string[]>>
  /** By `consumer: topic/key`: the events that wait behind a dead letter. */
  readonly waiting: Readonly<Record<string, readonly string[]>>
  /** By number. */
  readonly sagas: Readonly<Record<string, SagaEnd>>
}

export interface SagaEnd {
  /** Such as `compensated, refused at pay`. */
  readonly outcome: string
  /** The steps whose effect is there, as often as it is. */
  readonly inEffect: readonly string[]
  /** The steps whose effect was taken back, in that order; of those side by side none comes first. */
  readonly undone: readonly string[]
  /** Whoever worked on it was lost too often, which is the doing of faults. */
  readonly isGivenUp: boolean
}

/** What is known of a saga that has ended or is parked. */
export interface SagaFacts {
  readonly status: string
  readonly failure: { readonly reason: string; readonly step?: string | undefined; readonly message: string } | undefined
  readonly parkedBecause: string | undefined
  readonly inEffect: readonly string[]
  readonly undone: readonly string[]
}

/** As `saga-worker.ts` words it, and `saga-node.ts` in its place. */
const GIVEN_UP = /was lost \d+ times in a row/

export function sagaEnd({ stages }: Pick<SagaDefinition, 'stages'>, facts: SagaFacts): SagaEnd {
  const { status, failure, parkedBecause, inEffect, undone } = facts
  const placeOf = (step: string): number => stages.findIndex((stage) => stage.some(({ name }) => name === step))
  const failedAt = failure?.step === undefined ? -1 : placeOf(failure.step)
  // A stable sort of what stands next to one another in the same stage.
  const groups: string[][] = []
  for (const step of undone.filter((name) => placeOf(name) !== failedAt)) {
    const group = groups.at(-1)
    if (group !== undefined && placeOf(group[0]!) === placeOf(step)) group.push(step)
    else groups.push([step])
  }
  return {
    outcome: failure === undefined ? status : `${status}, ${failure.reason}${failure.step === undefined ? '' : ` at ${failure.step}`}`,
    inEffect: inEffect.toSorted(),
    undone: groups.flatMap((group) => group.toSorted()),
    isGivenUp: GIVEN_UP.test(failure?.message ?? '') || GIVEN_UP.test(parkedBecause ?? ''),
  }
}

/** How one of two runs ended, by the name of what it ran on. */
interface Side {
  readonly on: string
  readonly state: EndState
}

/** What two runs of the same workload do not agree on, one message each; an empty list when they do. */
export function differences(one: Side, other: Side): readonly string[] {
  const givenUp = [one, other].flatMap(({ state }) => Object.keys(state.sagas).filter((saga) => state.sagas[saga]!.isGivenUp))
  const own = givenUp.flatMap((saga) => [sagaKey(Number(saga)), keyOfReaction(sagaKey(Number(saga)))])
  const isOpen = (place: string): boolean => own.some((key) => place.endsWith(`/${key}`))
  const say = (what: string, here: string, there: string): readonly string[] =>
    here === there ? [] : [`${what}\n    ${one.on}: ${here}\n    ${other.on}: ${there}`]
  const listed = (what: string, part: 'handled' | 'deadLetters' | 'waiting'): readonly string[] =>
    namesIn(one.state[part], other.state[part])
      .filter((place) => !isOpen(place))
      .flatMap((place) => say(`${place} ${what}`, textOf(one.state[part][place]), textOf(other.state[part][place])))
  return [
    ...listed('handled', 'handled'),
    ...listed('has dead letters', 'deadLetters'),
    ...listed('has waiting', 'waiting'),
    ...namesIn(one.state.sagas, other.state.sagas)
      .filter((saga) => !givenUp.includes(saga))
      .flatMap((saga) => say(`saga ${saga}`, sagaText(one.state.sagas[saga]), sagaText(other.state.sagas[saga]))),
  ]
}

function namesIn(...records: readonly Readonly<Record<string, unknown>>[]): readonly string[] {
  return [...new Set(records.flatMap((record) => Object.keys(record)))].toSorted()
}

function textOf(labels: readonly string[] | undefined): string {
  return labels === undefined || labels.length === 0 ? 'nothing' : labels.join(', ')
}

function sagaText(end: SagaEnd | undefined): string {
  return end === undefined ? 'never started' : `${end.outcome}; in effect: ${textOf(end.inEffect)}; undone: ${textOf(end.undone)}`
}
