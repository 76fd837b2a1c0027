/**
 * What everything in a run shares: virtual time, the agenda, what the seed decides, and the record of what has happened: a running hash of
 * every step, how often rare states were reached, and which promises were broken.
 */
import { Agenda } from '../agenda.ts'
import { Choices } from '../choices.ts'
import type { ChoicesOptions } from '../choices.ts'
import type { FaultKind, FaultLevel, Rates } from './faults.ts'
import { NO_FAULTS, ratesOf } from './faults.ts'

/** When a run begins. A small number, so that times are machine integers. */
export const START_MS = 1_000_000
const MAX_VIOLATIONS = 20

export interface WorldOptions extends ChoicesOptions {
  readonly faults: FaultLevel
  readonly traced: boolean
}

export class World {
  readonly seed: number
  readonly choices: Choices
  readonly agenda = new Agenda()
  readonly trace: string[] | undefined
  readonly sometimes: Record<string, number> = {}
  readonly violations: string[] = []
  rates: Rates
  nowMs = START_MS
  steps = 0
  #high = 0x811c9dc5
  #low = 0x1234567

  constructor(options: WorldOptions) {
    this.seed = options.seed
    this.choices = new Choices(options)
    this.rates = ratesOf(options.seed, options.faults)
    this.trace = options.traced ? [] : undefined
  }

  get healed(): boolean {
    return this.rates === NO_FAULTS
  }

  get hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0')
  }

  /** Whether a fault strikes now; the choice it was, for its size. */
  strikes(kind: FaultKind, name: string): string | undefined {
    return this.healed ? undefined : this.choices.happens(name, this.rates[kind])
  }

  /** A whole number of milliseconds. */
  delayMs(name: string, min: number, max: number): number {
    return Math.floor(this.choices.delayMs(name, min, max))
  }

  /** From `min` to below `max`, as it belongs to a choice. */
  sizeMs(choice: string, min: number, max: number): number {
    return Math.floor(min + this.choices.sizeOf(choice) * (max - min))
  }

  at(atMs: number, action: () => void): { cancel(): void } {
    return this.agenda.add(atMs, 0, action)
  }

  /** Runs the next entry of the agenda. False: there is none before that time. */
  step(untilMs: number): boolean {
    const nextMs = this.agenda.nextMs
    if (nextMs === undefined || nextMs > untilMs) return false
    const { atMs, action } = this.agenda.take()!
    if (atMs > this.nowMs) this.nowMs = atMs
    this.steps++
    action()
    return true
  }

  heal(): void {
    this.rates = NO_FAULTS
  }

  /** Something that is part of the run's identity. */
  note(what: string, who: string, first: number, second: number): void {
    let high = Math.imul(this.#high ^ codeOf(what), 0x01000193)
    high = Math.imul(high ^ this.nowMs, 0x01000193)
    high ^= high >>> 15
    let low = Math.imul(this.#low ^ codeOf(who), 0x85ebca6b)
    low = Math.imul(low ^ first, 0xc2b2ae35) ^ (high >>> 7)
    low = Math.imul(low ^ second, 0x27d4eb2f)
    this.#high = high
    this.#low = low ^ (low >>> 13)
    this.trace?.push(`${this.nowMs - START_MS} ${who} ${what} ${first} ${second}`)
  }

  reached(state: string): void {
    this.sometimes[state] = (this.sometimes[state] ?? 0) + 1
  }

  violate(promise: string): void {
    this.trace?.push(`${this.nowMs - START_MS} VIOLATION ${promise}`)
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push(promise)
  }
}

const codes = new Map<string, number>()

/** A number for a text that is the same in every process. */
function codeOf(text: string): number {
  let code = codes.get(text)
  if (code === undefined) {
    code = 0x811c9dc5
    for (let index = 0; index < text.length; index++) code = Math.imul(code ^ text.charCodeAt(index), 0x01000193)
    codes.set(text, code)
  }
  return code
}
