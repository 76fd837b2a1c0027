/** What can go wrong in a simulated world, how often, and until when. */
import type { Choice, Choices } from './choices.ts'
import { unit } from './choices.ts'

/** Each is a probability: of a call, a message, a statement or a moment at which a process may die. */
export interface FaultRates {
  /** The request never arrives, and nobody says so. */
  readonly lostRequest: number
  /** The peer does not take the connection. */
  readonly refusedCall: number
  /** The request is carried out, and its answer never arrives. */
  readonly lostAnswer: number
  /** Request or answer take up to 20 s. */
  readonly slowCall: number
  /** Two nodes do not reach each other for a while; asked once for each call between them. */
  readonly partition: number
  /** A process dies at a named point or between two statements, and starts again a little later. */
  readonly crash: number
  /** The broker does not take a message. */
  readonly refusedPublish: number
  /** The broker has a message, and its publisher is told that it has not. */
  readonly lostConfirmation: number
  readonly duplicateDelivery: number
  /** A delivery comes seconds late, behind others. */
  readonly lateDelivery: number
  /** The broker goes away for a while: publishing fails, and what consumers have in hand comes again. */
  readonly brokerRestart: number
  /** A statement fails with 40001 (serialization failure) or 40P01 (deadlock). */
  readonly conflict: number
  /** The connection to the database is lost before COMMIT. */
  readonly lostConnection: number
  /** The answer to a COMMIT is lost: half of the time it was carried out. */
  readonly unknownCommit: number
  /** The clock of a node is apart from the true time; asked once for each start of a node. */
  readonly clockSkew: number
}

export type FaultKind = keyof FaultRates
export type FaultLevel = 'none' | 'mild' | 'rough' | 'hell'

const MILD: FaultRates = {
  lostRequest: 0.01,
  refusedCall: 0.01,
  lostAnswer: 0.01,
  slowCall: 0.01,
  partition: 0.002,
  crash: 0.0005,
  refusedPublish: 0.01,
  lostConfirmation: 0.01,
  duplicateDelivery: 0.02,
  lateDelivery: 0.02,
  brokerRestart: 0.002,
  conflict: 0.005,
  lostConnection: 0.001,
  unknownCommit: 0.005,
  clockSkew: 0.2,
}
const FACTORS: Readonly<Record<FaultLevel, number>> = { none: 0, mild: 1, rough: 4, hell: 12 }
const NEVER_ABOVE = 0.5
export const MAX_SKEW_MS: Readonly<Record<FaultLevel, number>> = { none: 0, mild: 50, rough: 2_000, hell: 30_000 }

export const FAULT_KINDS = Object.keys(MILD) as readonly FaultKind[]
export const FAULT_LEVELS = Object.keys(FACTORS) as readonly FaultLevel[]

/** The rates of a level, with those that are given in their place. */
export function ratesOf(level: FaultLevel, given: Partial<FaultRates> = {}): FaultRates {
  const rates = FAULT_KINDS.map((kind) => [kind, given[kind] ?? Math.min(NEVER_ABOVE, MILD[kind] * FACTORS[level])] as const)
  return Object.fromEntries(rates) as unknown as FaultRates
}

/**
 * Whether a fault happens. Each seed leaves some kinds out altogether and makes the others more or less frequent: where everything goes
 * wrong all the time, most of what can happen never does (swarm testing, Groce et al. 2012).
 */
export class Faults {
  readonly #choices: Choices
  readonly #rates: Readonly<Record<FaultKind, number>>
  readonly #injected = new Map<FaultKind, number>()
  #begun = false
  #over = false

  constructor(choices: Choices, rates: FaultRates) {
    this.#choices = choices
    const swarm = FAULT_KINDS.map((kind) => [kind, rates[kind] * weightOf(choices.seed, kind)] as const)
    this.#rates = Object.fromEntries(swarm) as Record<FaultKind, number>
  }

  /** How many have happened, by kind. */
  get injected(): ReadonlyMap<FaultKind, number> {
    return this.#injected
  }

  /** Before this nothing goes wrong. */
  begin(): void {
    this.#begun = true
  }

  get isOver(): boolean {
    return this.#over
  }

  /** From now on nothing goes wrong any more. */
  heal(): void {
    this.#over = true
  }

  happens(kind: FaultKind, where: string): Choice | undefined {
    // A clock is wrong from the start.
    if (this.#over || (!this.#begun && kind !== 'clockSkew')) return undefined
    const choice = this.#choices.happens(`${where}: ${kind}`, this.#rates[kind])
    if (choice !== undefined) this.#injected.set(kind, (this.#injected.get(kind) ?? 0) + 1)
    return choice
  }
}

/** 0 for a third of the kinds, else between an eighth and 1, as often below as above the geometric mean. */
function weightOf(seed: number, kind: FaultKind): number {
  return unit(seed, `swarm ${kind}`) < 1 / 3 ? 0 : 8 ** (unit(seed, `rate ${kind}`) - 1)
}
