/**
 * Which faults a run has, and how often. Only some kinds are on in a run, each at a rate of its own: with everything always on, constant
 * failure hides what a single fault would show.
 */
import { unit } from '../choices.ts'
import type { FaultLevel as AnyLevel } from '../faults.ts'

export type FaultLevel = Exclude<AnyLevel, 'none'>

const KINDS = [
  /** A process ends at a crash point. */
  'crash',
  /** A process stands still for longer than its leases last, and goes on as if nothing had been. */
  'pause',
  /** The clock of a host is off. */
  'skew',
  /** The database refuses a transaction, or cannot be reached. */
  'refusal',
  /** A transaction is committed, and whoever made it is not told. */
  'unknown',
  /** The broker does not take what is published. */
  'reject',
  /** The broker takes it, and its confirmation is lost. */
  'unconfirmed',
  /** The broker restarts: what was on its way is delivered again, and nothing is taken meanwhile. */
  'restart',
  'duplicate',
  /** A message comes much later than those behind it. */
  'late',
  /** An acknowledgement is lost. */
  'unacknowledged',
  /** A call is lost on its way, or answered much too late. */
  'lostCall',
  'lostAnswer',
  /** A step fails, and may be tried again. */
  'failedStep',
  /** A step is refused for good. */
  'refusedStep',
  /** Undoing a step is refused for good. */
  'poisonedUndo',
  'cancel',
  /** An event that its handler cannot handle at first, or ever. */
  'poison',
  /** A consumer that subscribes in the middle. */
  'joins',
] as const

export type FaultKind = (typeof KINDS)[number]

/** How likely each kind is, each time that it could happen. 0: it is off. */
export type Rates = Readonly<Record<FaultKind, number>>

interface Level {
  /** How likely a kind is on. */
  readonly on: number
  /** Rates are drawn from `least` to `most` times what is usual for the kind, evenly on a logarithmic scale. */
  readonly least: number
  readonly most: number
}

const LEVELS: Readonly<Record<FaultLevel, Level>> = {
  mild: { on: 0.35, least: 0.1, most: 1 },
  rough: { on: 0.55, least: 0.3, most: 3 },
  hell: { on: 0.8, least: 1, most: 8 },
}

const USUAL: Rates = {
  crash: 0.004,
  pause: 0.002,
  skew: 0.3,
  refusal: 0.02,
  unknown: 0.015,
  reject: 0.06,
  unconfirmed: 0.06,
  restart: 0.08,
  duplicate: 0.06,
  late: 0.06,
  unacknowledged: 0.03,
  lostCall: 0.05,
  lostAnswer: 0.05,
  failedStep: 0.08,
  refusedStep: 0.06,
  poisonedUndo: 0.02,
  cancel: 0.06,
  poison: 0.03,
  joins: 0.5,
}

const HIGHEST = 0.5

export function ratesOf(seed: number, level: FaultLevel): Rates {
  const { on, least, most } = LEVELS[level]
  const rates = { ...USUAL }
  for (const kind of KINDS) {
    const factor = least * (most / least) ** unit(seed, `rate of ${kind}`)
    rates[kind] = unit(seed, `is ${kind} on`) < on ? Math.min(HIGHEST, USUAL[kind] * factor) : 0
  }
  return rates
}

/** After the chaos nothing goes wrong any more. */
export const NO_FAULTS: Rates = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>
